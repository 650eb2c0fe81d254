package gossip

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// delegate is what memberlist calls. The events come with its lock held, the
// rest from whatever goroutine it has at hand.
type delegate struct {
	cfg     *settings
	members *members
	casts   *caster
	dead    *graveyard
	meta    atomic.Pointer[[]byte]
	list    atomic.Pointer[memberlist.Memberlist] // nil while it is being made

	room  int // see the function of that name
	quiet atomic.Int32
	spent chan struct{} // see GetBroadcasts

	rhythm rhythm

	// gate is held for reading while LocalState or MergeState runs, so that
	// none does once the node is closed.
	gate   sync.RWMutex
	closed bool // guarded by gate
}

var (
	_ memberlist.Delegate      = (*delegate)(nil)
	_ memberlist.EventDelegate = (*delegate)(nil)
	_ memberlist.AliveDelegate = (*delegate)(nil)
	_ memberlist.PingDelegate  = (*delegate)(nil)
)

// NodeMeta returns this node's metadata.
func (d *delegate) NodeMeta(int) []byte { return *d.meta.Load() }

// NotifyMsg gets a broadcast.
func (d *delegate) NotifyMsg(b []byte) { d.casts.receive(bytes.Clone(b)) }

// GetBroadcasts returns queued broadcasts for a packet. memberlist offers all
// the room that there is only when it has nothing to send itself: Leave takes
// the second such offer as the sign that its goodbye has been sent as often as
// it is going to be. (The first may have been under way before the goodbye.)
func (d *delegate) GetBroadcasts(overhead, limit int) [][]byte {
	if limit >= d.room && d.quiet.Load() > 0 && d.quiet.Add(-1) == 0 {
		close(d.spent)
	}
	return d.casts.queue.GetBroadcasts(overhead, limit)
}

// LocalState returns what to tell a neighbour.
func (d *delegate) LocalState(join bool) []byte {
	if d.cfg.LocalState == nil {
		return nil
	}
	d.gate.RLock()
	defer d.gate.RUnlock()
	if d.closed {
		return nil
	}
	return d.cfg.LocalState(join)
}

// MergeRemoteState gets what a neighbour told.
func (d *delegate) MergeRemoteState(b []byte, join bool) {
	if d.cfg.MergeState == nil || len(b) == 0 {
		return
	}
	d.gate.RLock()
	defer d.gate.RUnlock()
	if !d.closed {
		d.cfg.MergeState(b, join)
	}
}

// shut returns when no callback runs any longer.
func (d *delegate) shut() {
	d.gate.Lock()
	defer d.gate.Unlock()
	d.closed = true
}

// NotifyJoin gets a member that is new, or back.
func (d *delegate) NotifyJoin(n *memberlist.Node) {
	if n.Name == d.cfg.ID {
		d.members.setSelf(n.Address(), bytes.Clone(n.Meta))
		return
	}
	m := member(n)
	d.dead.forget(m)
	d.members.joined(m)
}

// NotifyUpdate gets a member whose metadata changed.
func (d *delegate) NotifyUpdate(n *memberlist.Node) {
	if n.Name == d.cfg.ID {
		d.members.setSelf(n.Address(), bytes.Clone(n.Meta))
		return
	}
	d.members.updated(member(n))
}

// NotifyLeave gets a member that left or failed.
func (d *delegate) NotifyLeave(n *memberlist.Node) {
	if n.Name == d.cfg.ID {
		return
	}
	m := member(n)
	kind := Failed
	if hasLeft(d.list.Load(), n.Name) {
		kind = Left
	} else {
		d.dead.add(m, time.Now())
	}
	d.members.left(m, kind)
}

// hasLeft tells whether a member said goodbye. memberlist v0.7.0 knows, but
// tells nobody: Node.State is not kept up to date (state.go:1297 sets the field
// of the struct around it). So it is read from there. The caller must be a
// callback of memberlist's, which holds the lock. Where the fields are not found
// the answer is no.
func hasLeft(l *memberlist.Memberlist, name string) bool {
	if l == nil {
		return false
	}
	nodes := reflect.ValueOf(l).Elem().FieldByName("nodeMap")
	if nodes.Kind() != reflect.Map || nodes.Type().Key().Kind() != reflect.String {
		return false
	}
	node := nodes.MapIndex(reflect.ValueOf(name))
	if node.Kind() != reflect.Pointer || node.IsNil() || node.Elem().Kind() != reflect.Struct {
		return false
	}
	state := node.Elem().FieldByName("State")
	return state.IsValid() && state.CanInt() && state.Int() == int64(memberlist.StateLeft)
}

// NotifyAlive refuses what claims to be a member and cannot be one.
func (d *delegate) NotifyAlive(n *memberlist.Node) error {
	switch {
	case len(n.Name) == 0 || len(n.Name) > maxID:
		return fmt.Errorf("its name has %d bytes, not 1 to %d", len(n.Name), maxID)
	case len(n.Meta) > MaxMeta:
		return fmt.Errorf("its metadata of %d bytes is over the limit of %d", len(n.Meta), MaxMeta)
	case len(n.Addr) != 4 && len(n.Addr) != 16, n.Addr.IsUnspecified(), n.Addr.IsMulticast(), n.Port == 0:
		return fmt.Errorf("its address %x port %d is not that of a host", []byte(n.Addr), n.Port)
	}
	return nil
}

// AckPayload adds nothing to the answer to a probe.
func (d *delegate) AckPayload() []byte { return nil }

// NotifyPingComplete gets that a probe was answered.
func (d *delegate) NotifyPingComplete(_ *memberlist.Node, rtt time.Duration, _ []byte) {
	d.rhythm.probed(time.Now().Add(-rtt))
}

// member copies what belongs to memberlist.
func member(n *memberlist.Node) Member {
	return Member{ID: n.Name, Addr: n.Address(), Meta: bytes.Clone(n.Meta)}
}
