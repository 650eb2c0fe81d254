package protocol

import (
	"time"

	"github.com/peercache/peercache/cache"
)

// Fill is the reader's side of a get that asks the owner. It is begun before
// the question is sent.
type Fill struct {
	Ref   cache.Ref
	Near  time.Duration
	epoch uint64
	asked time.Duration
}

// Begin starts a fill. The lease that it may end in counts from now.
func (s *Slot) Begin(ref cache.Ref, near, now time.Duration) Fill {
	return Fill{Ref: ref, Near: near, epoch: s.epoch, asked: now}
}

// End takes the owner's answer to a fill and tells whether it is a hit. The
// value is kept as a near copy if the owner lent it, and nothing of the slot
// was revoked and no table changed since the fill began: a revocation may have
// overtaken the answer.
func (s *Slot) End(f Fill, a *Answer, now time.Duration) bool {
	sh := s.sh
	if !sh.Hit(f.Ref.Cache, a) {
		return false
	}
	if !a.Lease || f.Near <= 0 || s.owner == sh.Self || f.epoch != s.epoch && !sh.off.epoch {
		return true
	}
	end := f.asked + f.Near
	if now < end {
		_, _ = sh.Memory.Put(f.Ref, cache.Entry{ // a copy that does not fit is not kept
			Kind: cache.Near, Version: a.Version, Generation: a.Count, Value: a.Value,
			Expires: until(a.Left, f.asked), LeaseEnd: end,
		})
	}
	return true
}

// Hit takes an owner's answer to a get and tells whether it is a hit. It is all that
// there is to do where no near copies are kept, and may be called from any goroutine.
func (sh *Shared) Hit(cacheNumber uint32, a *Answer) bool {
	g := sh.Generations.Merge(cacheNumber, a.Generation)
	// What deletes the value is to be newer, also where its owner is not heard any longer
	// and this node's clock is behind.
	sh.Clock.Observe(a.Version)
	return a.Status == Found && a.Count >= g.Count
}

// onRevoke drops the near copy before the answer leaves.
func (s *Slot) onRevoke(from Member, m *Message, out *Out) {
	s.epoch++
	s.sh.Memory.Drop(m.Ref, cache.NearOnly)
	out.send(from, Message{Kind: Revoked, Slot: s.num, Ref: m.Ref, Nonce: m.Nonce})
}
