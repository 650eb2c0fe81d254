package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/peercache/peercache/cluster"
)

// known is what a process knows of every entry: the newest write of it that it
// has seen or made. No later read in this process may find an older one, or
// none. (The memory is large enough for all.)
type known struct {
	writes []atomic.Uint64
}

func newKnown(entries int) *known { return &known{writes: make([]atomic.Uint64, entries)} }

// filled notes that every entry was written once.
func (k *known) filled() {
	for i := range k.writes {
		k.saw(i, 1)
	}
}

func (k *known) saw(i int, write uint64) {
	for {
		old := k.writes[i].Load()
		if write <= old || k.writes[i].CompareAndSwap(old, write) {
			return
		}
	}
}

// fault is what is wrong with a read.
type fault uint8

const (
	faultNone fault = iota
	faultLost
	faultWrong
	faultFailed
)

// check reads an entry and compares it with what is known.
func (k *known) check(ctx context.Context, c *cluster.Cache[[]byte], d dataset, i int) (fault, error) {
	least := k.writes[i].Load()
	v, err := c.Get(ctx, d.key(i))
	return k.judge(d, i, least, v, err)
}

// judge compares what a read has found with the least that it had to find.
func (k *known) judge(d dataset, i int, least uint64, v []byte, err error) (fault, error) {
	if errors.Is(err, cluster.ErrNotFound) {
		if least == 0 {
			return faultNone, nil
		}
		return faultLost, fmt.Errorf("lost: write %d was acknowledged", least)
	}
	if err != nil {
		return faultFailed, err
	}
	write, err := d.read(i, v)
	if err != nil {
		return faultWrong, err
	}
	if write < least {
		return faultWrong, fmt.Errorf("stale: write %d after write %d", write, least)
	}
	k.saw(i, write)
	return faultNone, nil
}
