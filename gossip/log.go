package gossip

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// logWriter takes the lines of memberlist's *log.Logger, "[WARN] memberlist: …",
// and hands them to a slog.Logger at the level that they name. memberlist writes
// a line for each bad packet, which anybody can send, so warnings and errors of
// one kind come at most once in every logEvery, with the number left out.
type logWriter struct {
	log    *slog.Logger
	closed atomic.Bool // what comes while closing is only for debugging

	mu    sync.Mutex // guards kinds
	kinds map[string]*logKind
}

type logKind struct {
	last    time.Time
	skipped int
}

const (
	logEvery    = 10 * time.Second
	maxLogKinds = 64
)

func newLogWriter(log *slog.Logger) *logWriter {
	return &logWriter{log: log, kinds: make(map[string]*logKind)}
}

// Write is called with one line at a time.
func (w *logWriter) Write(line []byte) (int, error) {
	level, msg := parseLine(line)
	if w.closed.Load() {
		level = slog.LevelDebug
	}
	ctx := context.Background()
	if !w.log.Enabled(ctx, level) {
		return len(line), nil
	}
	if level < slog.LevelWarn {
		w.log.Log(ctx, level, msg)
		return len(line), nil
	}
	skipped, ok := w.admit(msg, time.Now())
	switch {
	case ok && skipped > 0:
		w.log.Log(ctx, level, msg, "similar", skipped)
	case ok:
		w.log.Log(ctx, level, msg)
	}
	return len(line), nil
}

// warn logs what this package has to say about strangers, under the same rule.
func (w *logWriter) warn(err error) { _, _ = w.Write([]byte("[WARN] " + err.Error())) }

// admit tells whether msg is to be logged now, and how many of its kind were
// not since the last one.
func (w *logWriter) admit(msg string, now time.Time) (skipped int, ok bool) {
	name := kindOf(msg)
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.kinds[name]
	if k == nil {
		if len(w.kinds) >= maxLogKinds {
			name = ""
			k = w.kinds[name]
		}
		if k == nil {
			w.kinds[name] = &logKind{last: now}
			return 0, true
		}
	}
	if now.Sub(k.last) < logEvery {
		k.skipped++
		return 0, false
	}
	skipped = k.skipped
	k.last, k.skipped = now, 0
	return skipped, true
}

var levels = map[string]slog.Level{
	"DEBUG": slog.LevelDebug,
	"INFO":  slog.LevelInfo,
	"WARN":  slog.LevelWarn,
	"ERR":   slog.LevelError,
	"ERROR": slog.LevelError,
}

// parseLine takes the level and the program's name off a line of memberlist.
// The few lines that have no level are about deadlines that could not be set.
func parseLine(line []byte) (slog.Level, string) {
	line = bytes.TrimSpace(line)
	level := slog.LevelWarn
	if rest, ok := bytes.CutPrefix(line, []byte("[")); ok {
		if name, rest, ok := bytes.Cut(rest, []byte("]")); ok {
			if l, ok := levels[string(name)]; ok {
				level, line = l, bytes.TrimSpace(rest)
			}
		}
	}
	line, _ = bytes.CutPrefix(line, []byte("memberlist: "))
	return level, "gossip: " + strings.ToValidUTF8(string(line), "?")
}

// kindOf returns the part of a message before its first variable: an address, a
// number, something quoted.
func kindOf(msg string) string {
	msg = strings.TrimPrefix(msg, "gossip: ")
	msg, _, _ = strings.Cut(msg, " from=")
	if i := strings.IndexAny(msg, `'"([0123456789`); i >= 0 {
		msg = msg[:i]
	}
	return msg[:min(len(msg), 80)]
}
