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
	g := sh.Generations.Merge(f.Ref.Cache, a.Generation)
	if a.Status != Found || a.Count < g.Count {
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

// onRevoke drops the near copy before the answer leaves.
func (s *Slot) onRevoke(from Member, m *Message, out *Out) {
	s.epoch++
	s.sh.Memory.Drop(m.Ref, cache.NearOnly)
	out.send(from, Message{Kind: Revoked, Slot: s.num, Ref: m.Ref, Nonce: m.Nonce})
}
