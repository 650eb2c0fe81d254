package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/peercache/peercache/cluster"
)

// variables is an environment.
func variables(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestParseConfig(t *testing.T) {
	byDefault := config{
		backups: cluster.DefaultBackups,
		bind:    "127.0.0.1:7946", http: "127.0.0.1:8080", memory: 256 << 20, nearTTL: 5 * time.Second,
		leaveTimeout: 10 * time.Second, logLevel: slog.LevelInfo,
	}
	all := config{
		name: "n1", bind: "10.0.0.1:1", peer: "[::1]:2", http: ":3", join: []string{"a", "b:4", "[::1]:5", "::1"}, secretFile: "s",
		backups: -1, memory: 1 << 30, nearTTL: -1, leaveTimeout: time.Minute, logLevel: slog.LevelDebug, logJSON: true,
	}
	withSecret := byDefault
	withSecret.secret = "from the environment"
	withFile := byDefault
	withFile.secretFile = "f"
	for name, c := range map[string]struct {
		args []string
		env  func(string) string
		want config
	}{
		"default": {nil, variables(), byDefault},
		"flags": {[]string{
			"-name", "n1", "-bind=10.0.0.1:1", "--peer", "[::1]:2", "-http", ":3", "-join", "a, b:4,,[::1]:5,::1,", "-secret-file", "s", "-backups", "0",
			"-memory", "1GiB", "-near-ttl", "0", "-leave-timeout", "1m", "-log-level", "DEBUG", "-log-format", "json",
		}, variables(), all},
		"environment": {nil, variables("PEERCACHE_NAME", "n1", "PEERCACHE_BIND", "10.0.0.1:1", "PEERCACHE_PEER", "[::1]:2", "PEERCACHE_HTTP", ":3",
			"PEERCACHE_JOIN", "a,b:4,[::1]:5,::1", "PEERCACHE_SECRET_FILE", "s", "PEERCACHE_BACKUPS", "0", "PEERCACHE_MEMORY", "1GiB",
			"PEERCACHE_NEAR_TTL", "-1s", "PEERCACHE_LEAVE_TIMEOUT", "60s", "PEERCACHE_LOG_LEVEL", "debug", "PEERCACHE_LOG_FORMAT", "json"), all},
		"a flag wins": {
			[]string{"-bind", "127.0.0.1:7946", "-join", "", "-near-ttl", "5s"},
			variables("PEERCACHE_BIND", "nonsense", "PEERCACHE_JOIN", "x", "PEERCACHE_NEAR_TTL", "1s"), byDefault,
		},
		"secret":                    {nil, variables("PEERCACHE_SECRET", "from the environment"), withSecret},
		"a file wins over a secret": {[]string{"-secret-file", "f"}, variables("PEERCACHE_SECRET", "x", "PEERCACHE_SECRET_FILE", "y"), withFile},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parseConfig(c.args, c.env); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, error %v, want %+v", got, err, c.want)
			}
		})
	}
}

// A bad value is one line that names the flag, what was given and what is
// wanted, and the exit status 2.
func TestBadFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		env  func(string) string
		want []string
	}{
		{[]string{"-x"}, nil, []string{"-x", "-h lists the flags"}},
		{[]string{"extra"}, nil, []string{`"extra"`}},
		{[]string{"-bind"}, nil, []string{"-bind"}},
		{[]string{"-bind", "127.0.0.1"}, nil, []string{`-bind "127.0.0.1"`, "want host:port"}},
		{[]string{"-bind", "127.0.0.1:65536"}, nil, []string{`-bind "127.0.0.1:65536"`, "want host:port"}},
		{[]string{"-bind", ""}, nil, []string{`-bind ""`, "want host:port"}},
		{[]string{"-peer", "a:b:c"}, nil, []string{`-peer "a:b:c"`, "want host:port"}},
		{[]string{"-http", "127.0.0.1:http"}, nil, []string{`-http "127.0.0.1:http"`, "want host:port"}},
		{[]string{"-join", "a,b:c:d"}, nil, []string{`-join "a,b:c:d"`, "want host or host:port"}},
		{[]string{"-join", "a:70000"}, nil, []string{`-join "a:70000"`, "want host or host:port"}},
		{[]string{"-name", "a/b"}, nil, []string{`-name "a/b"`, "without"}},
		{[]string{"-name", strings.Repeat("n", 129)}, nil, []string{"-name", "up to 128 bytes"}},
		{[]string{"-backups", "3"}, nil, []string{`-backups "3"`, "from 0 to 2"}},
		{[]string{"-backups", "-1"}, nil, []string{`-backups "-1"`, "from 0 to 2"}},
		{[]string{"-backups", "x"}, nil, []string{`-backups "x"`, "from 0 to 2"}},
		{[]string{"-memory", "lots"}, nil, []string{`-memory "lots"`, "like 256MiB"}},
		{[]string{"-near-ttl", "31s"}, nil, []string{`-near-ttl "31s"`, "up to 30s"}},
		{[]string{"-near-ttl", "5"}, nil, []string{`-near-ttl "5"`, "want a duration"}},
		{[]string{"-fence", "-1"}, nil, []string{`-fence "-1"`, "up to 1024"}},
		{[]string{"-fence", "two"}, nil, []string{`-fence "two"`, "0 for no fence"}},
		{[]string{"-leave-timeout", "0"}, nil, []string{`-leave-timeout "0"`, "above zero"}},
		{[]string{"-log-level", "loud"}, nil, []string{`-log-level "loud"`, "debug, info, warn or error"}},
		{[]string{"-log-format", "xml"}, nil, []string{`-log-format "xml"`, "text or json"}},
		{nil, variables("PEERCACHE_MEMORY", "0"), []string{`PEERCACHE_MEMORY "0"`, "above zero"}},
		{nil, variables("PEERCACHE_SECRET", "x", "PEERCACHE_SECRET_FILE", "y"), []string{"PEERCACHE_SECRET", "PEERCACHE_SECRET_FILE", "want one"}},
	} {
		if c.env == nil {
			c.env = variables()
		}
		var stdout, stderr bytes.Buffer
		status := run(c.args, c.env, &stdout, &stderr, nil)
		line := stderr.String()
		if status != exitUsage || stdout.Len() > 0 || strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "demo-node: ") {
			t.Errorf("%v: exit status %d, stdout %q, stderr %q", c.args, status, stdout.String(), line)
		}
		for _, want := range c.want {
			if !strings.Contains(line, want) {
				t.Errorf("%v: %q does not say %q", c.args, line, want)
			}
		}
	}
}

func TestHelp(t *testing.T) {
	for _, arg := range []string{"-h", "--help"} {
		var stdout, stderr bytes.Buffer
		if status := run([]string{arg}, variables("PEERCACHE_BIND", "nonsense"), &stdout, &stderr, nil); status != exitOK || stderr.Len() > 0 {
			t.Errorf("%s: exit status %d, stderr %q", arg, status, stderr.String())
		}
		for _, o := range options {
			if !strings.Contains(stdout.String(), "-"+o.flag+" ") || !strings.Contains(stdout.String(), o.variable()+" ") {
				t.Errorf("%s does not name -%s and %s", arg, o.flag, o.variable())
			}
		}
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"1": 1, "7b": 7, "256MiB": 256 << 20, "256 mib": 256 << 20, "1GiB": 1 << 30, "2TiB": 2 << 40, "3KiB": 3 << 10,
		"500MB": 500e6, "1kB": 1000, "1gb": 1e9, "1TB": 1e12, "9223372036854775807": 1<<63 - 1,
	} {
		if got, err := parseSize(s); err != nil || got != want {
			t.Errorf("%q: %d, error %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", "0", "-1", "MiB", "1.5GiB", "1M", "1bb", "1 2MiB", "9223372036854775808", "9007199254740993KiB", "16777216TiB", "1e3", "0x10", " 1",
	} {
		if got, err := parseSize(s); err == nil {
			t.Errorf("%q: %d", s, got)
		}
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ content, want, err string }{
		"line":    {"a secret of bytes\r\n", "a secret of bytes", ""},
		"spaces":  {" a secret \n\n", " a secret ", ""},
		"empty":   {"", "", "is empty"},
		"newline": {"\n", "", "is empty"},
		"large":   {strings.Repeat("x", maxSecretFile+1), "", "over the limit of 65536 bytes"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := config{secretFile: path}.readSecret()
		if got != c.want || (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s: %q, error %v", name, got, err)
		}
	}
	if _, err := (config{secretFile: filepath.Join(dir, "none")}).readSecret(); err == nil || !strings.Contains(err.Error(), "-secret-file") {
		t.Errorf("no file: error %v", err)
	}
}

func TestLoggerFormats(t *testing.T) {
	for format, want := range map[string]string{"json": `"msg":"m","node":"n1"`, "text": "msg=m node=n1"} {
		c, err := parseConfig([]string{"-name", "n1", "-log-format", format}, variables())
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		c.logger(&out).Info("m")
		c.logger(&out).Debug("not this")
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "not this") {
			t.Errorf("%s: %s", format, out.String())
		}
	}
}
