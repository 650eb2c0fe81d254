package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// Gossip is this node's part of the cluster. Its methods may be called from any
// goroutine.
type Gossip struct {
	cfg   settings
	log   *slog.Logger
	lines *logWriter
	addr  string         // as the others see it
	bound netip.AddrPort // as the sockets have it; invalid with a Transport

	list      *memberlist.Memberlist
	transport *transport
	delegate  *delegate
	members   *members
	casts     *caster
	dead      *graveyard
	tuning    *memberlist.Config // memberlist's: not to be changed

	sought atomic.Int64 // how many entries of Join have led to nobody yet

	mu     turn // guards all below, and that nothing is asked of list once it is shut down
	left   bool
	closed bool

	ctx     context.Context // ends with the node
	cancel  context.CancelFunc
	running sync.WaitGroup // this package's goroutines; grows under mu only
	done    chan struct{}  // closed when Close has finished
}

// turn is a mutex for what takes its time, if only a nanosecond, as memberlist's calls
// do that are not to wait: time that is virtual stands still while a sync.Mutex is waited
// for.
type turn chan struct{}

func (t turn) Lock()   { t <- struct{}{} }
func (t turn) Unlock() { <-t }

// Start starts to listen and to look for others, and returns.
func Start(cfg Config) (*Gossip, error) {
	s, err := cfg.check()
	if err != nil {
		if cfg.Transport != nil {
			_ = cfg.Transport.Shutdown()
		}
		return nil, err
	}
	g := &Gossip{
		cfg: s, log: s.Logger, lines: newLogWriter(s.Logger),
		members: newMembers(), dead: newGraveyard(), mu: make(turn, 1), done: make(chan struct{}),
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	if err := g.open(); err != nil {
		g.cancel()
		return nil, err
	}
	g.addr, _ = g.members.self()
	g.sought.Store(int64(len(s.seeds)))
	g.spawn(g.deliverEvents)
	g.spawn(g.deliverMessages)
	g.spawn(g.seek)
	return g, nil
}

// open binds the ports and starts memberlist.
func (g *Gossip) open() error {
	c := tune()
	logger := log.New(g.lines, "", 0)
	c.Logger = logger
	c.Name = g.cfg.ID
	c.Label = g.cfg.Label
	c.Keyring = g.cfg.keyring

	below := g.cfg.Transport
	if below == nil {
		t, err := bind(g.cfg.bind, logger)
		if err != nil {
			return err
		}
		g.bound = netip.AddrPortFrom(g.cfg.bind.Addr(), uint16(t.GetAutoBindPort()))
		c.BindAddr, c.BindPort = g.bound.Addr().String(), int(g.bound.Port())
		below = t
	}
	c.AdvertisePort = c.BindPort
	if a := g.cfg.advertise; a.IsValid() {
		c.AdvertiseAddr = a.Addr().String()
		if a.Port() != 0 {
			c.AdvertisePort = int(a.Port())
		}
	}
	g.transport = newTransport(below, g.lines.warn)
	c.Transport = g.transport

	space := room(c.UDPBufferSize, c.Label, c.Keyring != nil)
	g.casts = newCaster(space, c.RetransmitMult, func() int { return g.members.count() + 1 }, g.log.Debug)
	d := &delegate{
		cfg: &g.cfg, members: g.members, casts: g.casts, dead: g.dead,
		room: space, spent: make(chan struct{}),
	}
	meta := bytes.Clone(g.cfg.Meta)
	d.meta.Store(&meta)
	c.Delegate, c.Events, c.Alive, c.Ping = d, d, d, d
	g.delegate, g.tuning = d, c

	list, err := memberlist.Create(c)
	if err != nil {
		g.transport.discard()
		return fmt.Errorf("gossip: %w", err)
	}
	g.list = list
	d.list.Store(list)
	return nil
}

// bindTries is how often a free port is looked for that is free for both TCP
// and UDP.
const bindTries = 20

func bind(addr netip.AddrPort, logger *log.Logger) (*memberlist.NetTransport, error) {
	tries := 1
	if addr.Port() == 0 {
		tries = bindTries
	}
	var err error
	for range tries {
		var t *memberlist.NetTransport
		t, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{addr.Addr().String()}, BindPort: int(addr.Port()), Logger: logger,
		})
		if err == nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("gossip: Bind %s: %w", addr, err)
}

// spawn runs f in a goroutine that Close waits for. f must end soon after the
// node's context. It is not run if the node is closed.
func (g *Gossip) spawn(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.running.Add(1)
	go func() { // ended by Close
		defer g.running.Done()
		f()
	}()
	return true
}

// Addr returns the host:port under which the others reach this node's gossip.
func (g *Gossip) Addr() string { return g.addr }

// Members returns the other members, sorted by ID: those that OnEvent has been
// told, or is going to be told, as joined.
func (g *Gossip) Members() []Member { return g.members.list() }

// Sought tells whether there is an entry of Join of which never, since this one has
// started, all addresses have led to other nodes: there may be some of whom it has never
// heard. A name that leads to this node alone is sought on; its own address is not.
func (g *Gossip) Sought() bool { return g.sought.Load() > 0 }

// memberlist's UpdateNode and Leave do their work at once, and then wait for it
// to have spread for as long as they are told. Nothing here waits there.
const noWait = time.Nanosecond

// updateTries bounds how often memberlist is told new metadata. It forgets it
// when at the same moment it has to object to being called dead.
const updateTries = 10

// SetMeta changes what the others learn about this node, at most 512 bytes. It
// does not wait until they have; that takes some tenths of a second. Of several
// calls the last one counts.
func (g *Gossip) SetMeta(meta []byte) error {
	if len(meta) > MaxMeta {
		return errMeta(len(meta))
	}
	meta = bytes.Clone(meta)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.left {
		return ErrClosed
	}
	g.delegate.meta.Store(&meta)
	for range updateTries {
		_ = g.list.UpdateNode(noWait) // says only that it did not wait
		if _, has := g.members.self(); bytes.Equal(has, meta) {
			return nil
		}
	}
	return errors.New("gossip: the metadata could not be changed")
}

// leaveFor bounds Leave where its context does not.
const leaveFor = 5 * time.Second

// Leave says goodbye to the others, so that they see this node leave and not
// fail, and returns when that has been sent as often as it is going to be: within
// a second, as a rule. If ctx ends first it returns ctx's error; the goodbye goes
// on spreading until Close. The node still hears the others, and still has to be
// closed. After the first call, or after Close, Leave does nothing.
func (g *Gossip) Leave(ctx context.Context) error {
	g.mu.Lock()
	if g.closed || g.left {
		g.mu.Unlock()
		return nil
	}
	g.left = true
	alone := g.members.count() == 0
	g.delegate.quiet.Store(0)
	_ = g.list.Leave(noWait) // says only that it did not wait
	g.delegate.quiet.Store(2)
	g.mu.Unlock()
	if alone {
		return nil
	}
	limit := time.NewTimer(leaveFor)
	defer limit.Stop()
	select {
	case <-g.delegate.spent:
		return nil
	case <-g.ctx.Done():
		return nil
	case <-limit.C:
		return fmt.Errorf("gossip: the goodbye was not sent within %v", leaveFor)
	case <-ctx.Done():
		return fmt.Errorf("gossip: leaving: %w", ctx.Err())
	}
}

// Close stops everything at once and says nothing to the others, who find out
// when this node does not answer (see Leave). It returns when all goroutines have
// ended: that takes 0.2 to 0.5 s, and up to two seconds when a member has just
// stopped answering, because memberlist cannot be made to give up a probe.
func (g *Gossip) Close() error {
	g.mu.Lock()
	first := !g.closed
	g.closed = true
	g.mu.Unlock()
	if !first {
		<-g.done
		return nil
	}
	defer close(g.done)
	linger := g.linger()
	g.lines.closed.Store(true)
	g.cancel()
	err := g.list.Shutdown()
	g.running.Wait()
	g.delegate.shut()
	select {
	case <-g.transport.idle: // soon, since the streams are closed
	case <-time.After(closeFor):
	}
	if linger > 0 {
		<-time.After(linger)
	}
	if err != nil {
		return fmt.Errorf("gossip: closing: %w", err)
	}
	return nil
}

// closeFor bounds how long Close waits for streams that memberlist is busy with.
const closeFor = 5 * time.Second
