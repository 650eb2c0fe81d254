package main

import "fmt"

// plan is what happens, in order. The first nodes stay till the end, and it is
// they who make the traffic.
type plan struct {
	data   dataset
	memory int64 // budget of each node
	start  int   // nodes at the start
	stay   int   // of these, how many stay
	steps  []step
}

// step lets nodes join or leave, those of one step at the same time.
type step struct {
	join, leave []string
}

func (s step) String() string {
	if len(s.join) > 0 {
		return fmt.Sprint("join ", s.join)
	}
	return fmt.Sprint("leave ", s.leave)
}

func nodeName(number int) string { return fmt.Sprintf("n%d", number) }

func planOf(o options) plan {
	if o.gib > 0 {
		d := dataset{MinValue: 1 << 10, MaxValue: 4 << 10}
		d.Entries = int(o.gib * (1 << 30) / float64((d.MinValue+d.MaxValue)/2+keyLen))
		return plan{
			data: d, memory: int64(o.gib*(4<<30)) + 64<<20, start: 3, stay: 2,
			steps: []step{{join: []string{"n4"}}, {leave: []string{"n3"}}},
		}
	}
	p := plan{data: dataset{Entries: 50_000, MinValue: 400, MaxValue: 400}, memory: 256 << 20, start: 3, stay: 2}
	if o.together {
		p.steps = []step{{join: []string{"n4", "n5"}}, {leave: []string{"n3", "n4", "n5"}}}
	} else {
		p.steps = []step{
			{join: []string{"n4"}},
			{join: []string{"n5"}},
			{leave: []string{"n3"}},
			{leave: []string{"n4"}},
			{leave: []string{"n5"}},
		}
	}
	return p
}
