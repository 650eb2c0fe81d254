package latency

import (
	"math"
	"testing"
	"time"
)

func TestBucketsInOrderAndClose(t *testing.T) {
	last := -1
	for _, d := range []time.Duration{
		0, 1, 63, 64, 127, 128, 129, 255, 256, 1000, 4095, 4096, 12345, 20 * time.Microsecond, time.Millisecond,
		250 * time.Millisecond, time.Second, time.Hour, math.MaxInt64,
	} {
		b := bucket(d)
		if b < last {
			t.Errorf("%d ns is in bucket %d, after %d", d, b, last)
		}
		last = b
		if b >= len((&Histogram{}).Counts) {
			t.Fatalf("%d ns is in bucket %d of %d", d, b, len((&Histogram{}).Counts))
		}
		if up := top(b); up < d || float64(up-d) > float64(d)/64 {
			t.Errorf("%d ns is in a bucket up to %d ns", d, up)
		}
		if d > 0 && top(b-1) >= d {
			t.Errorf("%d ns fits into the bucket before its own, up to %d ns", d, top(b-1))
		}
	}
}

func TestShares(t *testing.T) {
	var a, b Histogram
	for i := 1; i <= 1000; i++ {
		h := &a
		if i%2 == 0 {
			h = &b
		}
		h.Add(time.Duration(i) * time.Millisecond)
	}
	sparse := b.Sparse()
	a.Merge(sparse.Histogram())
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0, time.Millisecond}, {0.5, 500 * time.Millisecond}, {0.99, 990 * time.Millisecond}, {0.999, 999 * time.Millisecond}, {1, time.Second}} {
		if got := a.At(c.q); got < c.want || float64(got-c.want) > float64(c.want)/64 {
			t.Errorf("share %v: %v, want %v", c.q, got, c.want)
		}
	}
	if a.Total != 1000 || a.Longest != time.Second {
		t.Errorf("%d calls, the longest %v", a.Total, a.Longest)
	}
	if (&Histogram{}).At(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
}
