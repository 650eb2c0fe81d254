package wire

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// topic is what a log line is about. Each has its own limit, so that strangers
// who talk nonsense do not hide a peer of another version.
type topic uint8

const (
	aboutStrangers topic = iota // bytes that no peer would send first
	aboutPeers                  // version, secret
	aboutConns                  // connections after their handshake
	topics
)

const (
	logBurst = 8           // lines of one topic at once
	logEvery = time.Second // and then one in this time
)

// limitedLog writes no more lines than that, and counts what it leaves out.
type limitedLog struct {
	to *slog.Logger

	mu     sync.Mutex // guards topics
	topics [topics]struct {
		used    int       // of the burst
		since   time.Time // when used was last lowered
		skipped int
	}
}

func newLimitedLog(to *slog.Logger) *limitedLog {
	if to == nil {
		to = slog.New(slog.DiscardHandler)
	}
	return &limitedLog{to: to}
}

// admit tells whether a line may be written, and how many were left out since
// the last.
func (l *limitedLog) admit(t topic, now time.Time) (ok bool, skipped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := &l.topics[t]
	if n := int(now.Sub(b.since) / logEvery); n > 0 {
		b.used = max(b.used-n, 0)
		b.since = now
	}
	if b.used >= logBurst {
		b.skipped++
		return false, 0
	}
	b.used++
	skipped, b.skipped = b.skipped, 0
	return true, skipped
}

func (l *limitedLog) warn(t topic, msg string, args ...any) {
	if !l.to.Enabled(context.Background(), slog.LevelWarn) {
		return
	}
	ok, skipped := l.admit(t, time.Now())
	if !ok {
		return
	}
	if skipped > 0 {
		args = append(args, "skipped", skipped)
	}
	l.to.Warn(msg, args...)
}

func (l *limitedLog) debug(msg string, args ...any) { l.to.Debug(msg, args...) }
