package main

import (
	"errors"
	"testing"

	"github.com/peercache/peercache/cluster"
)

func TestValuesAreKnown(t *testing.T) {
	d := dataset{Entries: 100, MinValue: 20, MaxValue: 50}
	for i := range d.Entries {
		v := d.value(i, 7)
		if len(d.key(i)) != keyLen || len(v) < d.MinValue || len(v) > d.MaxValue {
			t.Fatalf("entry %d: a key of %d and a value of %d bytes", i, len(d.key(i)), len(v))
		}
		if write, err := d.read(i, v); err != nil || write != 7 {
			t.Fatalf("entry %d: write %d, %v", i, write, err)
		}
		for at := range v {
			v[at] ^= 1
			if write, err := d.read(i, v); err == nil && write == 7 {
				t.Fatalf("entry %d: a change of byte %d is not seen", i, at)
			}
			v[at] ^= 1
		}
		if _, err := d.read(i, v[:len(v)-1]); err == nil {
			t.Fatalf("entry %d: a value that is too short is not seen", i)
		}
	}
}

func TestJudge(t *testing.T) {
	d := dataset{Entries: 2, MinValue: 20, MaxValue: 20}
	for _, c := range []struct {
		name  string
		least uint64
		value []byte
		err   error
		want  fault
	}{
		{"as written", 3, d.value(1, 3), nil, faultNone},
		{"newer", 3, d.value(1, 4), nil, faultNone},
		{"older", 3, d.value(1, 2), nil, faultWrong},
		{"another entry's", 3, d.value(0, 3), nil, faultWrong},
		{"never written", 0, nil, cluster.ErrNotFound, faultNone},
		{"lost", 1, nil, cluster.ErrNotFound, faultLost},
		{"failed", 1, nil, errors.New("failed"), faultFailed},
	} {
		if got, err := newKnown(d.Entries).judge(d, 1, c.least, c.value, c.err); got != c.want || (got == faultNone) != (err == nil) {
			t.Errorf("%s: fault %d, %v, want %d", c.name, got, err, c.want)
		}
	}
}
