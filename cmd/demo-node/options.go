package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/peercache/peercache/cluster"
)

// option is one flag, which is also an environment variable.
type option struct {
	flag, byDefault, help string
	set                   func(c *config, value string) error // says what it wants
}

func (o option) variable() string {
	return "PEERCACHE_" + strings.ToUpper(strings.ReplaceAll(o.flag, "-", "_"))
}

var options = []option{
	{"name", "", "name on the ring, kept over restarts (default: host name and a random suffix)", func(c *config, v string) error {
		c.name = v
		return checkName(v)
	}},
	{"bind", "127.0.0.1:7946", "host:port for gossip, TCP and UDP; port 0 is a free one", func(c *config, v string) error {
		c.bind = v
		return checkAddr(v)
	}},
	{"peer", "", "host:port for the other nodes' requests (default: -bind's host and the next free port)", func(c *config, v string) error {
		c.peer = v
		if v == "" {
			return nil
		}
		return checkAddr(v)
	}},
	{"http", "127.0.0.1:8080", "host:port for HTTP; it asks for no password", func(c *config, v string) error {
		c.http = v
		return checkAddr(v)
	}},
	{"join", "", "members to join: host, host:port or DNS names, with commas between them", func(c *config, v string) error {
		for _, addr := range strings.Split(v, ",") {
			addr = strings.TrimSpace(addr)
			if addr == "" {
				continue
			}
			if strings.Contains(addr, ":") && net.ParseIP(addr) == nil && checkAddr(addr) != nil {
				return errors.New("want host or host:port, with commas between several")
			}
			c.join = append(c.join, addr)
		}
		return nil
	}},
	{secretFlag, "", fmt.Sprintf("file with the secret that all nodes share, at least %d bytes (or %s itself)", cluster.MinSecret, secretVariable), func(c *config, v string) error {
		c.secretFile = v
		return nil
	}},
	{"backups", strconv.Itoa(cluster.DefaultBackups), fmt.Sprintf("copies of each entry besides the owner's, up to %d, the same on all nodes", cluster.MaxBackups), func(c *config, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > cluster.MaxBackups {
			return fmt.Errorf("want a number from 0 to %d", cluster.MaxBackups)
		}
		if c.backups = n; n == 0 {
			c.backups = -1
		}
		return nil
	}},
	{"memory", "256MiB", "budget for keys, values and their bookkeeping", func(c *config, v string) (err error) {
		c.memory, err = parseSize(v)
		return err
	}},
	{"near-ttl", cluster.DefaultNearTTL.String(), "how long copies of what others own are kept; 0 for none", func(c *config, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d > cluster.MaxNearTTL {
			return fmt.Errorf("want a duration up to %v, like 5s, or 0 for none", cluster.MaxNearTTL)
		}
		if c.nearTTL = d; d <= 0 {
			c.nearTTL = -1
		}
		return nil
	}},
	{"fence", "0", "how many members, this one included, must answer a node for it to serve: more than half of all; 0 for no fence", func(c *config, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > cluster.MaxFence {
			return fmt.Errorf("want a number of members up to %d, or 0 for no fence", cluster.MaxFence)
		}
		c.fence = n
		return nil
	}},
	{"leave-timeout", "10s", "how long the node may take to hand over and leave", func(c *config, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return errors.New("want a duration above zero, like 10s")
		}
		c.leaveTimeout = d
		return nil
	}},
	{"log-level", "info", "debug, info, warn or error", func(c *config, v string) error {
		for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			if strings.EqualFold(v, l.String()) {
				c.logLevel = l
				return nil
			}
		}
		return errors.New("want debug, info, warn or error")
	}},
	{"log-format", "text", "text or json", func(c *config, v string) error {
		if c.logJSON = v == "json"; !c.logJSON && v != "text" {
			return errors.New("want text or json")
		}
		return nil
	}},
}

// checkName is what cluster.Config says of a Name.
func checkName(name string) error {
	if len(name) > 128 || strings.ContainsFunc(name, func(r rune) bool {
		return r == '/' || r <= ' ' || r == 0x7f || r == '\uFFFD'
	}) {
		return errors.New("want up to 128 bytes without spaces, control characters and '/'")
	}
	return nil
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("want host:port, like 127.0.0.1:7946, with a port from 0 to 65535")
	}
	return nil
}

// parseSize reads a number of bytes with a unit.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGTBkmgtbi ")
	n, err := strconv.ParseInt(digits, 10, 64)
	factor := int64(0)
	switch strings.ToLower(strings.TrimSpace(s[len(digits):])) {
	case "", "b":
		factor = 1
	case "kib":
		factor = 1 << 10
	case "mib":
		factor = 1 << 20
	case "gib":
		factor = 1 << 30
	case "tib":
		factor = 1 << 40
	case "kb":
		factor = 1e3
	case "mb":
		factor = 1e6
	case "gb":
		factor = 1e9
	case "tb":
		factor = 1e12
	}
	if err != nil || factor == 0 || n <= 0 || n > math.MaxInt64/factor {
		return 0, errors.New("want a number of bytes above zero, like 256MiB, 1GiB or 500MB")
	}
	return n * factor, nil
}

func printUsage(w io.Writer) {
	fmt.Fprint(w, "demo-node is one peercache node with an HTTP interface.\n\n",
		"Each flag is also an environment variable; the flag wins.\n\n")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, o := range options {
		help := o.help
		if o.byDefault != "" {
			help += " (default " + o.byDefault + ")"
		}
		fmt.Fprintf(tw, "  -%s\t%s\t%s\n", o.flag, o.variable(), help)
	}
	_ = tw.Flush() // to a terminal or nobody
	fmt.Fprint(w, "\nSIGTERM and SIGINT let the node leave in order; a second one ends it at once.\n")
}
