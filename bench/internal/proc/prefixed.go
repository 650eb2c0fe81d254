package proc

import (
	"bytes"
	"os"
	"sync"
)

// prefixed writes whole lines to stderr, each with a prefix.
type prefixed struct {
	prefix string
	mu     sync.Mutex // guards part
	part   []byte
}

func (p *prefixed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.part = append(p.part, b...)
	for {
		i := bytes.IndexByte(p.part, '\n')
		if i < 0 {
			return len(b), nil
		}
		_, _ = os.Stderr.Write(append([]byte(p.prefix), p.part[:i+1]...))
		p.part = p.part[i+1:]
	}
}
