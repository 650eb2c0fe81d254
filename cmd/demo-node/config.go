package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
)

// config is what the flags and the environment say.
type config struct {
	name, bind, peer, http string
	join                   []string
	secretFile, secret     string // one of them, or none
	backups                int
	fence                  int
	memory                 int64
	nearTTL                time.Duration // negative: none
	leaveTimeout           time.Duration
	logLevel               slog.Level
	logJSON                bool
}

// errHelp says that the flags were asked for.
var errHelp = errors.New("help")

// parseConfig reads the flags, and the environment for those that are not
// given. An empty variable is one that is not set.
func parseConfig(args []string, env func(string) string) (config, error) {
	fs := flag.NewFlagSet("demo-node", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are returned, in one line
	values := make([]*string, len(options))
	for i, o := range options {
		values[i] = fs.String(o.flag, o.byDefault, o.help)
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return config{}, errHelp
	case err != nil:
		return config{}, fmt.Errorf("%w: -h lists the flags", err)
	case fs.NArg() > 0:
		return config{}, fmt.Errorf("argument %q is not a flag: -h lists the flags", fs.Arg(0))
	}
	given := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var c config
	for i, o := range options {
		value, from := *values[i], "-"+o.flag
		if v := env(o.variable()); !given[o.flag] && v != "" {
			value, from = v, o.variable()
		}
		if err := o.set(&c, value); err != nil {
			return config{}, fmt.Errorf("%s %q: %w", from, value, err)
		}
	}
	if c.secret = env(secretVariable); c.secret == "" {
		return c, nil
	}
	if given[secretFlag] {
		c.secret = ""
	} else if c.secretFile != "" {
		return config{}, fmt.Errorf("%s and %s_FILE are both set: want one of them", secretVariable, secretVariable)
	}
	return c, nil
}

const (
	secretFlag     = "secret-file"
	secretVariable = "PEERCACHE_SECRET"
	maxSecretFile  = 64 << 10 // bytes
)

// readSecret returns the secret, without the line's end that a file has. A
// file that holds none is an error: the node is not to run unprotected by
// mistake.
func (c config) readSecret() (string, error) {
	if c.secretFile == "" {
		return c.secret, nil
	}
	f, err := os.Open(c.secretFile)
	if err != nil {
		return "", fmt.Errorf("-%s: %w", secretFlag, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return "", fmt.Errorf("-%s: %w", secretFlag, err)
	}
	if len(b) > maxSecretFile {
		return "", fmt.Errorf("-%s %s: the file is over the limit of %d bytes", secretFlag, c.secretFile, maxSecretFile)
	}
	secret := strings.TrimRight(string(b), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("-%s %s: the file is empty", secretFlag, c.secretFile)
	}
	return secret, nil
}

func (c config) logger(w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.logLevel}
	var h slog.Handler = slog.NewTextHandler(w, o)
	if c.logJSON {
		h = slog.NewJSONHandler(w, o)
	}
	if c.name != "" {
		return slog.New(h).With("node", c.name)
	}
	return slog.New(h)
}
