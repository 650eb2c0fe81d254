package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

// The story believes nothing: every mistake of a cluster ends it.
func TestStoryFindsMistakes(t *testing.T) {
	sessions, err := readSamples("../../testdata/vendure-sessions.jsonl", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for wrong, want := range map[string]string{
		"":                 "",
		"start":            "starting n4",
		"stop":             "stopping n3",
		"null is dropped":  "is not what was written",
		"no near copies":   `came from "peer `,
		"logout not seen":  "after a logout on n3: n1: GET",
		"stale":            "after an overwrite on n2: n1: the session",
		"never expires":    "answered 200, want 404",
		"not all cleared":  "after a clear on n2: n1: GET",
		"cleared too much": "after the clear of another cache",
		"write refused":    "answered 503, want 204",
		"lost on leave":    "key-",
		"lost in a crash":  "key-",

		"refused in a restart": "answered 503",
	} {
		t.Run(wrong, func(t *testing.T) {
			var out bytes.Buffer
			f := &fakeCluster{t: t, wrong: wrong, entries: make(map[string]fakeEntry), near: make(map[string]bool)}
			st := newStory(newScreen(&out, false), f, sessions, 200)
			st.ttl = 100 * time.Millisecond
			defer st.c.Close()
			err := st.play(context.Background())
			switch {
			case want == "" && err != nil:
				t.Fatalf("%v\n%s", err, out.String())
			case want == "" && !strings.Contains(out.String(), "\nOK: 20 sessions"):
				t.Fatalf("the last line is missing: %s", out.String())
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Fatalf("error %v, want %q\n%s", err, want, out.String())
			}
		})
	}
}

func TestTrafficSurvivesAPanic(t *testing.T) {
	tr := &traffic{failed: make(chan error, 1)}
	tr.run(context.Background(), 0, func(context.Context, int) error { panic("a mistake") })
	tr.running.Wait()
	if err := tr.failure(); err == nil || !strings.Contains(err.Error(), "a mistake") {
		t.Errorf("error %v", err)
	}
}
