package cluster

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/gossip"
	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// Node is one member of the cluster, inside the application. All its methods
// may be called from any goroutine.
type Node struct {
	cfg     Config
	id      protocol.Member
	log     *slog.Logger
	clock   *clock
	store   *cache.Store
	caches  *registry
	shared  *protocol.Shared
	members *roster
	clears  *clears
	gossip  *gossip.Gossip
	server  *wire.Server
	wire    wire.Config
	events  *events
	counts  nodeCounters
	alone   flights
	buffers buffers
	rings   rings
	steps   sync.Pool     // of *step
	batches sync.Pool     // of *batch
	locals  sync.Pool     // of *localCall
	longs   chan struct{} // has a place for each request that is worked on at length
	fetches chan struct{} // has a place for each slot that is being fetched
	// carriers are who may work on contents of slots, see bulk.go.
	carriers carriers
	rests    rests

	parts [partCount]part
	first atomic.Int64 // when a timer of a slot is due next, or before
	pace  pacer
	// serving has, for each slot, a number that is odd while the slot is served
	// here and that changes whenever that begins or ends.
	serving     [slotCount]atomic.Uint32
	activeSlots atomic.Int64
	handing     atomic.Int64 // slots lost since the last HandedOver
	served      atomic.Bool  // a slot has ever been served
	merged      atomic.Bool  // what the cluster knows of generations is known here
	refused     atomic.Pointer[error]

	standing standing

	spreading chan struct{} // has room for who lets the gossip take this node's record

	changed    chan struct{} // see progress
	activeOnce chan struct{} // closed when first active
	quit       atomic.Bool   // Leave was called
	shut       atomic.Bool   // no call is taken any longer

	leaveOnce sync.Once
	leftDone  chan struct{}
	leaveErr  error                 // written before leftDone is closed
	handed    atomic.Pointer[error] // set when Leave has handed over, or has not

	ctx     context.Context // ends with the node
	cancel  context.CancelFunc
	running sync.WaitGroup // the node's goroutines
	lifeMu  sync.Mutex     // guards ending and additions to running
	ending  bool
	done    chan struct{} // closed when Close has finished
}

// Start starts a node. It returns when the node listens; joining the others
// goes on behind it (see Ready and Active). ctx bounds only the start.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	n, err := newNode(cfg)
	if err != nil {
		return nil, err
	}
	if err := n.open(ctx); err != nil {
		_ = n.Close()
		return nil, err
	}
	n.spawn(n.join)
	return n, nil
}

// limits of the protocol's queues.
const (
	maxParked = 1024
	maxQueued = 1024
	maxLeases = 1 << 12
	// leaseShare is for how many bytes of Memory one near copy may be lent: the
	// records of all leases take an eighth more than Memory at most.
	leaseShare = 8 * leaseBytes
	leaseBytes = 256
	// writeShare is what part of Memory writes may take that wait for other members,
	// beside it.
	writeShare = 8
	grantBytes = 64 << 10
	tombstone  = 10 * time.Minute
	resend     = 250 * time.Millisecond
)

func newNode(cfg Config) (*Node, error) {
	id := cfg.faults.id(cfg.Name)
	for id == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // does not fail
		id = protocol.Member(binary.BigEndian.Uint64(b[:]))
	}
	n := &Node{
		id:    id,
		longs: make(chan struct{}, maxAtLength), fetches: make(chan struct{}, fetchesAtATime), carriers: newCarriers(),
		cfg: cfg, log: cfg.Logger, clock: newClock(id),
		changed: make(chan struct{}, 1), activeOnce: make(chan struct{}),
		leftDone: make(chan struct{}), done: make(chan struct{}), spreading: make(chan struct{}, 1),
	}
	if cfg.wall != nil {
		n.clock.wall = cfg.wall
	}
	n.clock.faults = cfg.faults
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.steps.New = func() any { return new(step) }
	n.batches.New = func() any { return new(batch) }
	n.locals.New = func() any { return &localCall{done: make(chan protocol.Answer, 1)} }
	var err error
	budget := cfg.Memory
	if cfg.faults.has(overBudget) {
		budget *= 2
	}
	n.store, err = cache.New(cache.Config{Budget: budget, MaxValue: cfg.MaxValue, Clock: n.clock.now})
	if err != nil {
		return nil, fmt.Errorf("cluster: Memory %d: %w", cfg.Memory, err)
	}
	n.caches = newRegistry(n.id, n.store)
	n.rests.calls = n.called
	n.shared = &protocol.Shared{
		Self: n.id, Memory: n.store, Generations: n.caches, Clock: n.clock, Serving: n.onServing,
		MaxParked: maxParked, MaxQueued: maxQueued, MaxLeases: maxLeases, Leases: protocol.NewAllowance(cfg.Memory / leaseShare), Writes: protocol.NewAllowance(cfg.Memory / writeShare), GrantBytes: grantBytes,
		Tombstone: tombstone, Resend: resend, Fenced: cfg.Fence > 0, Paced: true,
	}
	n.standing.start(cfg.Fence, n.clock)
	if cfg.faults.has(ignoresFence) {
		n.standing.start(0, n.clock)
	}
	if cfg.adjust != nil {
		cfg.adjust(n.shared)
	}
	for i := range n.parts {
		n.parts[i].pace, n.parts[i].first = &n.pace, &n.first
		for j := range n.parts[i].slots {
			n.parts[i].slots[j] = protocol.NewSlot(n.shared, i+j*partCount)
		}
	}
	n.clears = newClears(n.shared)
	n.events = newEvents()
	n.members = newRoster(n, record{Speaks: spoken, ID: n.id, State: joining, Name: cfg.Name, Near: cfg.NearTTL, Backups: uint8(cfg.Backups)})
	if len(cfg.Join) > 0 {
		n.members.seek()
	}
	return n, nil
}

// onServing is told by the protocol when a slot begins and ends to be served.
func (n *Node) onServing(slot int, on bool) {
	n.serving[slot].Add(1)
	if !on {
		n.activeSlots.Add(-1)
		return
	}
	n.served.Store(true)
	if n.activeSlots.Add(1) == int64(n.members.view.Load().owned) {
		n.progress()
	}
}

// spawn runs f in a goroutine that the node waits for when it closes. f must
// end soon after its context. It is not run if the node is closing.
func (n *Node) spawn(f func(context.Context)) bool {
	n.lifeMu.Lock()
	defer n.lifeMu.Unlock()
	if n.ending {
		return false
	}
	n.running.Add(1)
	go func() {
		defer n.running.Done()
		f(n.ctx)
	}()
	return true
}

// Close stops the node at once, without handing anything over. It is safe to
// call it several times.
func (n *Node) Close() error {
	n.lifeMu.Lock()
	first := !n.ending
	n.ending = true
	n.lifeMu.Unlock()
	if !first {
		<-n.done
		return nil
	}
	defer close(n.done)
	n.shut.Store(true)
	n.cancel()
	// What a node cannot answer any longer it is not to take either: gossip takes its
	// time to end, and calls would wait in vain so long.
	var server sync.WaitGroup
	if n.server != nil {
		server.Go(n.server.Close)
	}
	var err error
	if n.gossip != nil {
		err = n.gossip.Close()
	}
	server.Wait()
	n.running.Wait()
	n.store.Close()
	n.events.close()
	return err
}

// Name returns the node's name.
func (n *Node) Name() string { return n.cfg.Name }

// GossipAddr returns the address that the node listens on for gossip.
func (n *Node) GossipAddr() string { return n.gossip.Addr() }

// PeerAddr returns the address that the node listens on for other nodes.
func (n *Node) PeerAddr() string { return n.members.me().Peer }

// Active returns a channel that is closed when the node is first active.
func (n *Node) Active() <-chan struct{} { return n.activeOnce }

// Ready returns nil while the node takes its full part, or why it does not:
// it is joining, its name is taken, it is leaving or closed.
func (n *Node) Ready() error {
	switch {
	case n.shut.Load():
		return ErrClosed
	case n.quit.Load():
		return errors.New("cluster: leaving")
	}
	if e := n.refused.Load(); e != nil {
		return *e
	}
	select {
	case <-n.activeOnce:
		return nil
	default:
		return errors.New("cluster: joining")
	}
}

func nameTaken(name, addr string) error {
	return fmt.Errorf("%w: %q is that of a living node at %s", ErrName, strings.ToValidUTF8(name, "?"), addr)
}
