package gossip

import (
	"bytes"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseLine(t *testing.T) {
	for line, want := range map[string]struct {
		level slog.Level
		msg   string
	}{
		"[DEBUG] memberlist: Stream connection from=1.2.3.4:5\n": {slog.LevelDebug, "gossip: Stream connection from=1.2.3.4:5"},
		"[INFO] memberlist: Suspect n1 has failed":               {slog.LevelInfo, "gossip: Suspect n1 has failed"},
		"[WARN] memberlist: Refuting":                            {slog.LevelWarn, "gossip: Refuting"},
		"[ERR] memberlist: bad":                                  {slog.LevelError, "gossip: bad"},
		"[ERROR] memberlist: bad":                                {slog.LevelError, "gossip: bad"},
		"[ERR] Failed to shutdown transport: x":                  {slog.LevelError, "gossip: Failed to shutdown transport: x"},
		"Err: Could not set the deadline: x":                     {slog.LevelWarn, "gossip: Err: Could not set the deadline: x"},
		"[LOUD] memberlist: x":                                   {slog.LevelWarn, "gossip: [LOUD] memberlist: x"},
		"[":                                                      {slog.LevelWarn, "gossip: ["},
		"":                                                       {slog.LevelWarn, "gossip: "},
		"[INFO] \xff":                                            {slog.LevelInfo, "gossip: ?"},
	} {
		if level, msg := parseLine([]byte(line)); level != want.level || msg != want.msg {
			t.Errorf("%q is %v %q, want %v %q", line, level, msg, want.level, want.msg)
		}
	}
}

func TestLogIsNotFlooded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		w := newLogWriter(slog.New(slog.NewTextHandler(&out, nil)))
		l := log.New(w, "", 0)
		for i := range 1000 {
			l.Printf("[ERR] memberlist: Decrypt packet failed: no key from=1.2.3.4:%d", i)
			l.Printf("[WARN] memberlist: msg type (%d) not supported", i)
			l.Printf("[DEBUG] memberlist: noise %d", i)
		}
		if n := strings.Count(out.String(), "\n"); n != 2 {
			t.Errorf("%d lines:\n%s", n, &out)
		}
		time.Sleep(logEvery)
		l.Printf("[ERR] memberlist: Decrypt packet failed: no key from=5.6.7.8:9")
		if !strings.Contains(out.String(), "similar=999") {
			t.Errorf("the number left out is not told:\n%s", &out)
		}
		l.Printf("[INFO] memberlist: a")
		l.Printf("[INFO] memberlist: a")
		if n := strings.Count(out.String(), "\n"); n != 5 {
			t.Errorf("%d lines, information is to be complete:\n%s", n, &out)
		}
		out.Reset()
		for i := range 1000 {
			l.Printf("[ERR] memberlist: %c%c happened", 'a'+i%26, 'a'+i/26)
		}
		if len(w.kinds) > maxLogKinds+1 {
			t.Errorf("%d kinds are remembered", len(w.kinds))
		}
		out.Reset()
		w.closed.Store(true)
		l.Printf("[ERR] memberlist: closing %s", "x")
		if out.Len() > 0 {
			t.Errorf("while closing: %s", &out)
		}
	})
}

func TestKindOf(t *testing.T) {
	for msg, want := range map[string]string{
		"gossip: Decrypt packet failed: x from=1": "Decrypt packet failed: x",
		"gossip: msg type (3) not supported":      "msg type ",
		"gossip: Got ping for node '1'":           "Got ping for node ",
		"gossip: " + strings.Repeat("x", 100):     strings.Repeat("x", 80),
		"":                                        "",
	} {
		if got := kindOf(msg); got != want {
			t.Errorf("%q is of kind %q, want %q", msg, got, want)
		}
	}
	if kindOf(fmt.Sprint("gossip: too many ", 1)) != kindOf(fmt.Sprint("gossip: too many ", 2)) {
		t.Error("a number makes another kind")
	}
}
