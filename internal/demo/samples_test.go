package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"
)

// Nothing but the two times is moved, and only as far as is needed.
func TestSamplesAreMoved(t *testing.T) {
	const path = "../../testdata/vendure-sessions.jsonl"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	for _, now := range []time.Time{
		time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2035, 6, 7, 8, 9, 10, 11, time.UTC),
	} {
		list, err := readSamples(path, now)
		if err != nil || len(list) != len(lines) {
			t.Fatalf("%d samples of %d, error %v", len(list), len(lines), err)
		}
		for i, s := range list {
			var was, is map[string]any
			for doc, v := range map[*[]byte]*map[string]any{&lines[i]: &was, &s.doc: &is} {
				if err := json.Unmarshal(*doc, v); err != nil {
					t.Fatalf("%s: %v", *doc, err)
				}
			}
			if is["token"] != s.token {
				t.Errorf("token %v, want %s", is["token"], s.token)
			}
			ends, err := time.Parse(time.RFC3339, is["expires"].(string))
			if err != nil || !ends.After(now) || len(is["expires"].(string)) != len(was["expires"].(string)) {
				t.Errorf("at %v: expires %v, error %v", now, is["expires"], err)
			}
			wasEnds, err := time.Parse(time.RFC3339, was["expires"].(string))
			if err != nil {
				t.Fatal(err)
			}
			moved := is["cacheExpiry"].(float64) - was["cacheExpiry"].(float64)
			if d := ends.Sub(wasEnds).Seconds() - moved; d > 0.001 || d < -0.001 {
				t.Errorf("expires moved by %v, cacheExpiry by %v s", ends.Sub(wasEnds), moved)
			}
			if moved == 0 && !bytes.Equal(lines[i], s.doc) {
				t.Errorf("changed without need: %s", s.doc)
			}
			for _, m := range []map[string]any{was, is} {
				delete(m, "expires")
				delete(m, "cacheExpiry")
			}
			a, _ := json.Marshal(was)
			b, _ := json.Marshal(is)
			if !bytes.Equal(a, b) {
				t.Errorf("more was changed: %s", s.doc)
			}
		}
	}
}

func TestSame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`{"a":1,"b":null}`, ` {"b":null, "a":1}`, true},
		{`{"a":1,"b":null}`, `{"a":1}`, false},
		{`{"a":1}`, `{"a":"1"}`, false},
		{`{"a":1}`, `{"a":1.0}`, false},
		{`{"a":12345678901234567890}`, `{"a":12345678901234567891}`, false},
		{`{"a":1}`, `{"a":1} x`, false},
		{``, ``, false},
	} {
		if got := same([]byte(c.a), []byte(c.b)); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}
