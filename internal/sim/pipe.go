package sim

import (
	"syscall"
	"time"
)

// pipe is one direction of a stream: what was written at its end and has not
// arrived at the other. Network.mu guards it.
type pipe struct {
	from  *end
	queue []segment
	size  int           // bytes in queue
	held  int           // bytes that the peer has read, which is not known here
	left  time.Duration // when the last segment was sent
	last  time.Duration // when it arrives; nothing overtakes it
	// While stalled nothing arrives until the first segment is sent again. The
	// epoch tells arrivals from before that.
	stalled bool
	epoch   uint64
	resend  time.Duration // how long the next wait is
	// swallowed: nothing arrives any more, see Network.Forget.
	swallowed bool
}

// segment is what goes its way as one.
type segment struct {
	data []byte
	made bool // the first that the accepting side sends: the stream is there
	fin  bool // the last
}

// send sends a segment after those that are under way.
func (p *pipe) send(s segment) {
	n := p.from.net
	p.queue = append(p.queue, s)
	p.size += len(s.data)
	n.stats.Segments++
	n.stats.Bytes += uint64(len(s.data))
	if !p.stalled {
		p.depart(len(s.data), 1)
	}
}

// depart lets so many segments arrive some time later.
func (p *pipe) depart(size, segments int) {
	n := p.from.net
	w := n.way(p.from.proc.host.name, p.from.peer.proc.host.name)
	p.left = n.now()
	at := w.travel(p.left, size)
	epoch := p.epoch
	for wait := firstResend; w.loses(); wait = min(2*wait, lastResend) {
		if at += wait; at > p.left+retransmitFor {
			n.at(p.left+retransmitFor, func() {
				if p.epoch == epoch {
					p.from.fail(syscall.ETIMEDOUT)
				}
			})
			return
		}
	}
	p.last = max(at, p.last)
	n.at(p.last, func() {
		if p.epoch == epoch {
			p.arrive(segments)
		}
	})
}

// arrive is when the first segments of the queue have come to the other end.
func (p *pipe) arrive(segments int) {
	from, to := p.from, p.from.peer
	n := from.net
	w := n.way(from.proc.host.name, to.proc.host.name)
	switch {
	case p.swallowed, w.Cut == BlackHole, w.Cut == Open && !to.proc.reachable(to.local.Addr()):
		p.stall()
		return
	case w.Cut == Refuse:
		from.fail(syscall.ECONNRESET)
		return
	case to.gone():
		if p.size > 0 { // the peer's goodbye is what a closed end still takes
			to.answerReset()
		}
		p.drop()
		from.forgetIfDone()
		return
	}
	p.resend = 0
	for _, s := range p.queue[:segments] {
		p.size -= len(s.data)
		to.in = append(to.in, s.data...)
		to.made = to.made || s.made
		to.eof = to.eof || s.fin
	}
	if p.queue = p.queue[segments:]; len(p.queue) == 0 {
		p.queue = nil
	}
	from.forgetIfDone()
	to.tell()
}

// answerReset tells the peer that there is no such stream here.
func (e *end) answerReset() {
	n, peer := e.net, e.peer
	from, to := e.proc.host.name, peer.proc.host.name
	n.at(n.way(from, to).travel(n.now(), 0), func() {
		if n.way(from, to).Cut == Open && !e.out.swallowed {
			peer.fail(syscall.ECONNRESET)
		}
	})
}

// stall waits before the queue is sent again.
func (p *pipe) stall() {
	n := p.from.net
	p.resend = min(max(2*p.resend, firstResend), lastResend)
	p.stalled = true
	p.epoch++
	epoch := p.epoch
	n.at(max(n.now(), p.left+p.resend), func() {
		if p.epoch == epoch {
			p.stalled = false
			p.depart(p.size, len(p.queue))
		}
	})
}

// drop loses all that has not arrived.
func (p *pipe) drop() {
	p.queue, p.size = nil, 0
	p.epoch++
}
