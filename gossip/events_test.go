package gossip

import (
	"fmt"
	"strings"
	"testing"
)

// What a receiver is told that looks only now and then, and always that looks
// after each step.
func TestEventsCoalesce(t *testing.T) {
	for _, c := range []struct{ steps, once, each string }{
		{"J", "joined", "joined"},
		{"J U U", "joined", "joined updated updated"},
		{"J L", "joined left", "joined left"},
		{"J F", "joined failed", "joined failed"},
		{"J F J", "joined failed joined", "joined failed joined"},
		{"J F J U L", "joined left", "joined failed joined updated left"},
		{"J . U U", "joined updated", "joined updated updated"},
		{"J . U L", "joined left", "joined updated left"},
		{"J . F J", "joined failed joined", "joined failed joined"},
		{"J . F J U", "joined failed joined", "joined failed joined updated"},
		{"J . F J F J", "joined failed joined", "joined failed joined failed joined"},
		{"J . F J . L", "joined failed joined left", "joined failed joined left"},
		{"L U F", "", ""}, // of nobody
	} {
		for _, each := range []bool{false, true} {
			ms := newMembers()
			var told []string
			read := func() {
				for news := ms.next(); news != nil; news = ms.next() {
					for _, e := range news {
						told = append(told, e.Kind.String())
					}
				}
			}
			for i, step := range strings.Fields(c.steps) {
				m := Member{ID: "x", Meta: fmt.Append(nil, i)}
				switch step {
				case "J":
					ms.joined(m)
				case "U":
					ms.updated(m)
				case "L":
					ms.left(m, Left)
				case "F":
					ms.left(m, Failed)
				case ".":
					read()
				}
				if each {
					read()
				}
			}
			read()
			want := c.once
			if each {
				want = c.each
			}
			if got := strings.Join(told, " "); got != want {
				t.Errorf("%q, each=%v: %q, want %q", c.steps, each, got, want)
			}
			if n := len(ms.entries); n != len(ms.now) || ms.pending.Len() != 0 || ms.unsaid != 0 {
				t.Errorf("%q, each=%v: %d entries for %d members, %d pending, %d unsaid",
					c.steps, each, n, len(ms.now), ms.pending.Len(), ms.unsaid)
			}
		}
	}
}

func TestEventsCarryTheNewestMetadata(t *testing.T) {
	ms := newMembers()
	ms.joined(Member{ID: "a", Meta: []byte("1")})
	ms.joined(Member{ID: "b", Meta: []byte("1")})
	ms.updated(Member{ID: "a", Meta: []byte("2")})
	for _, want := range []string{"a 2", "b 1"} {
		news := ms.next()
		if len(news) != 1 || news[0].Member.ID+" "+string(news[0].Member.Meta) != want {
			t.Errorf("news %v, want %s", news, want)
		}
	}
}

// Members that come and go while nobody listens cost bounded memory, and those
// that stay are still told.
func TestEventsAreBounded(t *testing.T) {
	ms := newMembers()
	ms.joined(Member{ID: "stays"})
	for i := range 10 * maxUnsaid {
		m := Member{ID: fmt.Sprint("n", i)}
		ms.joined(m)
		ms.left(m, Failed)
	}
	if len(ms.entries) != maxUnsaid+1 || ms.pending.Len() != maxUnsaid+1 {
		t.Errorf("%d entries, %d pending, want %d", len(ms.entries), ms.pending.Len(), maxUnsaid+1)
	}
	if news := ms.next(); len(news) != 1 || news[0].Member.ID != "stays" {
		t.Errorf("the first news are %v", news)
	}
	for ms.next() != nil {
	}
	if len(ms.entries) != 1 || ms.unsaid != 0 {
		t.Errorf("%d entries and %d unsaid are left", len(ms.entries), ms.unsaid)
	}
}
