package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/bench/internal/member"
	"github.com/peercache/peercache/bench/internal/proc"
	"github.com/peercache/peercache/bench/internal/product"
)

const (
	memberRole = member.Role
	openFor    = time.Minute
	prepareFor = 2 * time.Minute
)

func newMember() (map[string]proc.Handler, func()) { return member.New() }

// layout says which processes a product runs in.
type layout struct {
	servers, clients int
	backups          int
	near             bool
	sessions         int
	callers          int // the most at a time in one client
	// pin binds clients to processor 0 and servers to processor 1.
	pin bool
}

// deployment is a product that runs.
type deployment struct {
	product *product.Product
	servers []*proc.Child
	clients []*proc.Child
}

// deploy starts a product's processes, servers first, and tells each of the
// others.
func deploy(ctx context.Context, g *proc.Group, p *product.Product, l layout) (d *deployment, err error) {
	d = &deployment{product: p}
	defer func() {
		if err != nil {
			d.stop()
		}
	}()
	var where []json.RawMessage
	for i := range l.servers + l.clients {
		serve := i < l.servers
		o := proc.Options{Name: fmt.Sprintf("%s, process %d", p.ID(), i)}
		if l.pin {
			o.CPU = new(int)
			if serve {
				*o.CPU = 1
			}
		}
		c, err := g.Start(memberRole, o)
		if err != nil {
			return d, err
		}
		if serve {
			d.servers = append(d.servers, c)
		} else {
			d.clients = append(d.clients, c)
		}
		place := product.Place{
			Index: i, Serve: serve, TLS: p.TLS, Backups: l.backups, Near: l.near, Sessions: l.sessions, Callers: l.callers,
		}
		var at json.RawMessage
		if err := ask(ctx, c, member.DoOpen, member.Open{Product: p.ID(), Place: place, Others: where}, &at, openFor); err != nil {
			return d, err
		}
		where = append(where, at)
	}
	for _, c := range d.all() {
		if err := ask(ctx, c, member.DoMeet, where, nil, openFor); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d *deployment) all() []*proc.Child {
	return append(append([]*proc.Child(nil), d.servers...), d.clients...)
}

func (d *deployment) stop() {
	for _, c := range d.all() {
		c.Stop()
	}
}

// prepare makes every client ready for some work.
func (d *deployment) prepare(ctx context.Context, w member.Work) error {
	for i, c := range d.clients {
		w.Share, w.Of = i, len(d.clients)
		if err := ask(ctx, c, member.DoPrepare, w, nil, prepareFor); err != nil {
			return err
		}
	}
	return nil
}

// measured is what a deployment has done in a round.
type measured struct {
	load.Outcome
	// ServerCPU, ServerAllocs and RSS are of the servers; RSS is of all.
	ServerCPU    time.Duration
	ServerAllocs uint64
	RSS          int64
}

// run lets all clients work at the same time.
func (d *deployment) run(ctx context.Context, work string, t load.Task) (measured, error) {
	before, err := d.usage(ctx)
	if err != nil {
		return measured{}, err
	}
	outcomes := make([]load.Outcome, len(d.clients))
	errs := make(chan error, len(d.clients))
	for i, c := range d.clients {
		go func() { // ends with the answer, or with atMost
			errs <- ask(ctx, c, member.DoRun, member.Run{Work: work, Task: t}, &outcomes[i], 2*(t.For+t.Warm)+time.Minute)
		}()
	}
	for range d.clients {
		if e := <-errs; e != nil && err == nil {
			err = e
		}
	}
	if err != nil {
		return measured{}, err
	}
	after, err := d.usage(ctx)
	if err != nil {
		return measured{}, err
	}
	m := measured{Outcome: together(outcomes)}
	// A server works in the warming up as well, and gets its share of that taken
	// off.
	counted := float64(t.For) / float64(t.For+t.Warm)
	for i := range d.servers {
		m.ServerCPU += time.Duration(counted * float64(after[i].CPU-before[i].CPU))
		m.ServerAllocs += uint64(counted * float64(after[i].Allocs-before[i].Allocs))
	}
	for _, u := range after {
		m.RSS += u.RSS
	}
	return m, nil
}

// usage asks all processes, servers first.
func (d *deployment) usage(ctx context.Context) ([]product.Usage, error) {
	var list []product.Usage
	for _, c := range d.all() {
		var u product.Usage
		if err := ask(ctx, c, member.DoUsage, struct{}{}, &u, 10*time.Second); err != nil {
			return nil, err
		}
		list = append(list, u)
	}
	return list, nil
}

// together makes one outcome of those of several processes.
func together(list []load.Outcome) load.Outcome {
	sum := list[0]
	h := sum.Hist.Histogram()
	for _, o := range list[1:] {
		sum.Ops, sum.CPU, sum.Allocs, sum.Missed = sum.Ops+o.Ops, sum.CPU+o.CPU, sum.Allocs+o.Allocs, sum.Missed+o.Missed
		sum.Took = max(sum.Took, o.Took)
		h.Merge(o.Hist.Histogram())
	}
	sum.Missed /= float64(len(list))
	sum.Hist = h.Sparse()
	return sum
}
