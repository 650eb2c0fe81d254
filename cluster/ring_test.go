package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/golang/groupcache/consistenthash"

	"github.com/peercache/peercache/internal/protocol"
)

func namesOf(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("replica-%d", i)
	}
	return names
}

// ownersOf returns every slot's owner by name.
func ownersOf(r *ring) []string {
	list := make([]string, slotCount)
	for slot := range list {
		list[slot] = r.names[r.owners(slot)[0]]
	}
	return list
}

func moved(a, b []string) int {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

func TestRingSharesSlotsEvenly(t *testing.T) {
	for _, nodes := range []int{1, 2, 3, 5, 10, 50, 100, 300} {
		for _, backups := range []int{0, 1, 2} {
			r := newRing(namesOf(nodes), backups)
			loads := make([]int, nodes)
			holders := make([]int, nodes)
			for slot := range slotCount {
				o := r.owners(slot)
				if len(o) != min(backups+1, nodes) {
					t.Fatalf("%d nodes, %d backups: slot %d has %d holders", nodes, backups, slot, len(o))
				}
				for i, m := range o {
					if slices.Contains(o[:i], m) {
						t.Fatalf("%d nodes, %d backups: slot %d has a holder twice: %v", nodes, backups, slot, o)
					}
					holders[m]++
				}
				loads[o[0]]++
			}
			for what, list := range map[string][]int{"owned": loads, "held": holders} {
				total := 0
				for _, n := range list {
					total += n
				}
				mean := float64(total) / float64(nodes)
				if ratio := float64(slices.Max(list)) / mean; ratio > 1.25 {
					t.Errorf("%d nodes, %d backups: %s: max/mean is %.3f", nodes, backups, what, ratio)
				}
			}
		}
	}
}

// The hash ring is the one of golang/groupcache.
func TestHashRingIsGroupcaches(t *testing.T) {
	r := &ring{names: namesOf(20)}
	slices.Sort(r.names)
	p := newPlacement(r)
	reference := consistenthash.New(1, func(b []byte) uint32 {
		if slot, err := strconv.Atoi(string(b)); err == nil {
			return pointOf(slot)
		}
		return fold(b[1:]) // it puts a 0 before each name
	})
	owner := make(map[string]string)
	var nodes []string
	for _, name := range r.names {
		for v := range virtualNodes {
			node := fmt.Sprint(v, "/", name)
			nodes = append(nodes, node)
			owner[node] = name
		}
	}
	reference.Add(nodes...)
	for slot := range slotCount {
		got := r.names[p.points[p.find(pointOf(slot))].member]
		if want := owner[reference.Get(fmt.Sprint(slot))]; got != want {
			t.Fatalf("slot %d is at %s, want %s", slot, got, want)
		}
	}
}

// A join or a leave moves at most 1.3 times the slots that it must, whoever it
// is that comes or goes. Of many members the fullest are tried, who move most.
func TestRingMovesLittle(t *testing.T) {
	if slotCount < 1<<15 {
		t.Skip("with fewer slots than there really are it does not hold")
	}
	for _, prefix := range []string{"replica-", "10.0.0.", "web-7d9f8c-", "a"} {
		for _, nodes := range []int{1, 3, 10, 50, 100, 300} {
			ringMovesLittle(t, prefix, nodes)
		}
	}
}

func ringMovesLittle(t *testing.T, prefix string, nodes int) {
	t.Helper()
	names := make([]string, nodes+1)
	for i := range names {
		names[i] = fmt.Sprint(prefix, i)
	}
	with := ownersOf(newRing(names, 0))
	loads := map[string]int{}
	for _, o := range with {
		loads[o]++
	}
	slices.SortFunc(names, func(a, b string) int { return loads[b] - loads[a] })
	ideal := float64(slotCount) / float64(nodes+1)
	most, mean := 0.0, 0.0
	rounds := min(len(names), 12)
	for i := range rounds {
		without := ownersOf(newRing(slices.Delete(slices.Clone(names), i, i+1), 0))
		n := float64(moved(with, without)) / ideal
		most = max(most, n)
		mean += n / float64(rounds)
	}
	t.Logf("%d nodes %s: of the ideal share the %d fullest move %.2f in the mean, %.2f at most", nodes, prefix, rounds, mean, most)
	if most > 1.3 {
		t.Errorf("%d nodes %s: a join or a leave moves too much", nodes, prefix)
	}
}

// Nodes that know the same names agree, whatever order they heard them in, and
// the owners do not depend on the number of backups.
func TestRingDependsOnNamesAlone(t *testing.T) {
	names := namesOf(7)
	want := newRing(names, 2)
	for range 5 {
		shuffled := append(slices.Clone(names), names[3])
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		got := newRing(shuffled, 2)
		if !slices.Equal(got.names, want.names) || !slices.Equal(got.holders, want.holders) {
			t.Fatalf("another order of names makes another ring: %v", shuffled)
		}
	}
	if moved(ownersOf(want), ownersOf(newRing(names, 0))) != 0 {
		t.Error("the owners depend on the number of backups")
	}
}

func TestRoutingAllocatesNothing(t *testing.T) {
	v, _ := newView(1, []record{{ID: 1, State: active, Name: "a"}}, nil, 0, &rings{}, nil)
	h := newKeyHasher("sessions")
	key := "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := v.owner(slotOf(h.hash(key))); !ok {
			t.Fatal("no owner")
		}
	}); n != 0 {
		t.Errorf("routing a key allocates %v times", n)
	}
}

func FuzzRing(f *testing.F) {
	f.Add(uint8(3), uint8(1), "n")
	f.Add(uint8(0), uint8(0), "")
	f.Fuzz(func(t *testing.T, nodes, backups uint8, prefix string) {
		names := make([]string, nodes%24)
		for i := range names {
			names[i] = prefix + fmt.Sprint(i*i%7)
		}
		r := newRing(names, int(backups%4))
		for slot := 0; slot < slotCount; slot += 97 {
			o := r.owners(slot)
			if len(o) != min(len(r.names), int(backups%4)+1) {
				t.Fatalf("slot %d of %v has holders %v", slot, names, o)
			}
			for i, m := range o {
				if int(m) >= len(r.names) || slices.Contains(o[:i], m) {
					t.Fatalf("slot %d of %v has holders %v", slot, names, o)
				}
			}
		}
	})
}

func BenchmarkRouteKey(b *testing.B) {
	var members []record
	for i, name := range namesOf(10) {
		members = append(members, record{ID: protocol.Member(i + 1), State: active, Name: name})
	}
	v, _ := newView(1, members, nil, 0, &rings{}, func(protocol.Member) *link { return nil })
	h := newKeyHasher("sessions")
	key := "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	b.ReportAllocs()
	for b.Loop() {
		v.owner(slotOf(h.hash(key)))
	}
}

func BenchmarkNewRing(b *testing.B) {
	for _, nodes := range []int{3, 10, 100, 300} {
		names := namesOf(nodes)
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			for b.Loop() {
				newRing(names, 1)
			}
		})
	}
}
