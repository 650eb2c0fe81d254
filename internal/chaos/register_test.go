package main

import (
	"testing"
	"time"
)

// A register takes for right what a cache may answer, and nothing else.
func TestRegister(t *testing.T) {
	type step struct {
		do   string // set, delete: acknowledged; set?, delete?: failed; read
		at   time.Duration
		find int
		want verdict
	}
	for name, steps := range map[string][]step{
		"what was set is there": {
			{do: "set"},
			{do: "read", find: 1},
		},
		"or lost, once": {
			{do: "set"},
			{do: "read", find: 0, want: lost},
			{do: "read", find: 0},
			{do: "read", find: 1, want: wrong},
		},
		"what was overwritten is wrong": {
			{do: "set"},
			{do: "set"},
			{do: "read", find: 1, want: wrong},
			{do: "read", find: 2},
		},
		"what was deleted is wrong": {
			{do: "set"},
			{do: "delete"},
			{do: "read", find: 1, want: wrong},
			{do: "read", find: 0},
		},
		"a set that failed may be there or not": {
			{do: "set"},
			{do: "set?"},
			{do: "read", find: 1},
			{do: "read", find: 2},
			{do: "read", find: 1, want: wrong},
		},
		"but does not make nothing of something": {
			{do: "set"},
			{do: "set?"},
			{do: "read", find: 0, want: lost},
		},
		"a delete that failed may": {
			{do: "set"},
			{do: "delete?"},
			{do: "read", find: 1},
			{do: "read", find: 0},
			{do: "read", find: 1, want: wrong},
		},
		"what failed takes effect soon or never": {
			{do: "set?"},
			{do: "set", at: time.Second},
			{do: "read", at: 2 * time.Second, find: 1},
			{do: "set", at: 2 * time.Second},
			{do: "set", at: lateFor + time.Second},
			{do: "read", at: lateFor + time.Second, find: 1, want: wrong},
		},
		"nothing is right where nothing was": {
			{do: "read", find: 0},
			{do: "read", find: 3, want: wrong},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r register
			begin := time.Now()
			for i, s := range steps {
				at := begin.Add(s.at)
				if s.do == "read" {
					if got := r.read(s.find, at); got != s.want {
						t.Fatalf("step %d: found %d, verdict %v, want %v", i, s.find, got, s.want)
					}
					continue
				}
				c := r.begin(s.do[:3] == "del")
				c.at = at
				if s.do[len(s.do)-1] == '?' {
					r.failed(c)
				} else {
					r.done(c)
				}
			}
		})
	}
}

func TestValues(t *testing.T) {
	if seq, err := seqOf(17, valueOf(17, 4)); err != nil || seq != 4 {
		t.Errorf("%d, %v", seq, err)
	}
	for _, v := range []string{"", "key-17", "key-1 4 " + filler, "key-17 4 ", "key-17 0 " + filler, "key-17 x " + filler} {
		if seq, err := seqOf(17, []byte(v)); err == nil {
			t.Errorf("%q is change %d", v, seq)
		}
	}
}
