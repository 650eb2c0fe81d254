package cluster

import "sync"

// check lets those who ask at the same time whether a member can be reached
// share one attempt.
type check struct {
	mu  sync.Mutex // guards run
	run *checking  // nil: none is under way
}

type checking struct {
	done    chan struct{} // closed when verdict is there
	verdict verdict
}

// do waits for the attempt that is under way, or makes one. An attempt takes
// checkBy at most.
func (c *check) do(n *Node, attempt func() verdict) verdict {
	c.mu.Lock()
	run := c.run
	if run != nil {
		c.mu.Unlock()
		<-run.done
		return run.verdict
	}
	run = &checking{done: make(chan struct{})}
	c.run = run
	c.mu.Unlock()
	run.verdict = attempt()
	c.mu.Lock()
	c.run = nil
	c.mu.Unlock()
	close(run.done)
	return run.verdict
}
