package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A history is every call that was made and how it ended, per key. It is
// checked against a register that may forget: a read that finds nothing is
// always right, one that finds a value must find the newest.
type history struct {
	start time.Time

	mu     sync.Mutex // guards what follows
	byKey  map[string][]porcupine.Operation
	clears []porcupine.Operation
}

type input struct {
	write bool
	value string // "" deletes
}

func newHistory() *history {
	return &history{start: time.Now(), byKey: make(map[string][]porcupine.Operation)}
}

func (h *history) now() int64 { return int64(time.Since(h.start)) }

// never is the end of a call whose outcome is not known: it may take effect at
// any time, or not at all.
const never = int64(1) << 62

func (h *history) add(client int, key string, in input, output string, call, ret int64) {
	h.mu.Lock()
	h.byKey[key] = append(h.byKey[key], porcupine.Operation{ClientId: client, Input: in, Output: output, Call: call, Return: ret})
	h.mu.Unlock()
}

// clear notes a call that deletes every key.
func (h *history) clear(client int, call, ret int64) {
	h.mu.Lock()
	h.clears = append(h.clears, porcupine.Operation{ClientId: client, Input: input{write: true}, Output: "", Call: call, Return: ret})
	h.mu.Unlock()
}

// withClears adds to a key's calls the clears that came between them.
func (h *history) withClears(ops []porcupine.Operation) []porcupine.Operation {
	first, last := ops[0].Call, int64(0)
	for _, op := range ops {
		first = min(first, op.Call)
		if op.Return != never {
			last = max(last, op.Return)
		}
	}
	all := append([]porcupine.Operation(nil), ops...)
	for _, c := range h.clears {
		if c.Return > first && c.Call < last {
			all = append(all, c)
		}
	}
	return all
}

func (h *history) calls() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, ops := range h.byKey {
		n += len(ops)
	}
	return n
}

var forgetful = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, in, out any) (bool, any) {
		i := in.(input)
		if i.write {
			return true, i.value
		}
		return out.(string) == "" || out.(string) == state.(string), state
	},
	DescribeOperation: func(in, out any) string {
		if i := in.(input); i.write {
			return fmt.Sprintf("write %q", i.value)
		}
		return fmt.Sprintf("read %q", out)
	},
}

// wrong returns the keys whose history cannot be explained.
func (h *history) wrong(t testing.TB) []string {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	var keys []string
	for key, ops := range h.byKey {
		switch porcupine.CheckOperationsTimeout(forgetful, h.withClears(ops), time.Minute) {
		case porcupine.Illegal:
			keys = append(keys, key)
		case porcupine.Unknown:
			t.Errorf("the history of %s with %d calls could not be checked in a minute", key, len(ops))
		}
	}
	return keys
}

// tail describes the last calls on a key.
func (h *history) tail(key string, n int) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	ops := h.withClears(h.byKey[key])
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	s := ""
	for _, op := range ops[max(0, len(ops)-n):] {
		s += fmt.Sprintf("  client %d [%v, %v] %s\n", op.ClientId, time.Duration(op.Call), time.Duration(op.Return), forgetful.DescribeOperation(op.Input, op.Output))
	}
	return s
}
