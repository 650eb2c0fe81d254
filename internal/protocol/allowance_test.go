package protocol

import (
	"testing"
	"time"
)

const (
	valueBytes = 1000
	soon       = now + nearFor/2
)

// large is a Set of so many bytes.
func large(c Call, deadline time.Duration) WriteCall {
	w := set(c, 1, deadline)
	w.Value = make([]byte, valueBytes)
	return w
}

// The bytes of calls that wait are bounded, wherever they wait, and the room is there
// again when they do not wait any longer.
func TestAllowanceOfWaiting(t *testing.T) {
	const room = 10 * valueBytes
	allowance := NewAllowance(room)
	limits := func(sh *Shared) { sh.Writes, sh.MaxQueued, sh.MaxParked = allowance, 1000, 1000 }
	sc := scenario{tabs: []tab{ownB, ownC}}
	sc.prepare()
	for name, end := range map[string]func(n *node, out *Out){
		"in time": func(n *node, out *Out) { n.slot.Tick(now+nearFor, out) },
		"too late": func(n *node, out *Out) {
			n.slot.Tick(soon, out)
			n.slot.Tick(now+nearFor, out)
		},
		"elsewhere": func(n *node, out *Out) { n.slot.Switch(sc.tables[1], false, now, out) },
	} {
		for where, n := range map[string]*node{
			"behind another write": lentToB(t, limits),
			"for the take":         func() *node { n, _ := taking(t, limits); return n }(),
		} {
			t.Run(name+" "+where, func(t *testing.T) {
				var out Out
				accepted := 100
				for i := range 100 {
					n.slot.Write(large(Call(10+i), soon), now, &out)
				}
				for _, a := range out.Answers {
					if a.Status == Overloaded {
						accepted--
					}
				}
				if used := allowance.Used(); accepted < 2 || accepted*valueBytes > room || used < int64(accepted*valueBytes) {
					t.Errorf("accepted %d of 100, used %d of %d", accepted, used, room)
				}
				end(n, &out)
				if got := len(out.Answers); got != 100 && where == "behind another write" {
					t.Errorf("%d answers", got)
				}
				if where == "for the take" {
					n.slot.Switch(sc.tables[1], false, now, &out)
				}
				if used := allowance.Used(); used != 0 {
					t.Errorf("%d bytes are in use in the end", used)
				}
			})
		}
	}
}
