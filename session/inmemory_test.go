package session

import (
	"fmt"
	"testing"
	"time"
)

func TestInMemorySize(t *testing.T) {
	for _, size := range []int{0, -1} {
		if m, err := NewInMemory(size); err == nil || m != nil {
			t.Errorf("size %d: %v, %v", size, m, err)
		}
	}
	if _, err := NewInMemory(DefaultSize); err != nil {
		t.Error(err)
	}
}

func TestInMemoryEvictsTheLeastRecentlyUsed(t *testing.T) {
	const size = 3
	m, err := NewInMemory(size)
	if err != nil {
		t.Fatal(err)
	}
	for i := range size {
		mustSet(t, m, CachedSession{Token: fmt.Sprint(i)})
	}
	mustFind(t, m, "0")
	mustSet(t, m, CachedSession{Token: "3"})
	mustMiss(t, m, "1")
	mustSet(t, m, CachedSession{Token: "0"})
	mustSet(t, m, CachedSession{Token: "4"})
	mustMiss(t, m, "2")
	for _, token := range []string{"0", "3", "4"} {
		mustFind(t, m, token)
	}
	for i := range 1000 {
		mustSet(t, m, CachedSession{Token: fmt.Sprint("more", i)})
	}
	if n := m.sessions.Len(); n != size {
		t.Errorf("%d sessions, want %d", n, size)
	}
}

func TestInMemoryForgetsTheExpired(t *testing.T) {
	m, err := NewInMemory(2)
	if err != nil {
		t.Fatal(err)
	}
	mustSet(t, m, CachedSession{Token: "t", Expires: time.Now().Add(-time.Hour)})
	mustMiss(t, m, "t")
	if n := m.sessions.Len(); n != 0 {
		t.Errorf("%d sessions are kept", n)
	}
}
