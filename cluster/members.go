package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

// Member is what a node knows of a member.
type Member struct {
	Name   string `json:"name"`
	Gossip string `json:"gossip"`
	Peer   string `json:"peer"`
	State  string `json:"state"` // "joining", "alive", "leaving" or "dead"
	Self   bool   `json:"self"`
}

// deadShown is how long a member that is gone is still listed.
const deadShown = time.Minute

func (r *record) member() Member {
	m := Member{Name: r.Name, Gossip: r.Gossip, Peer: r.Peer, State: "alive"}
	switch r.State {
	case joining:
		m.State = "joining"
	case leaving, left:
		m.State = "leaving"
	}
	return m
}

// Members lists all members, this node included, by name. One that is gone is
// listed as dead for a minute.
func (n *Node) Members() []Member {
	r := n.members
	r.mu.Lock()
	me := r.self.member()
	me.Self = true
	list := []Member{me}
	for _, o := range r.others {
		list = append(list, o.member())
	}
	now := n.clock.now()
	for _, g := range r.gone {
		if g.Name != "" && now < g.at+deadShown {
			m := g.member()
			m.State = "dead"
			list = append(list, m)
		}
	}
	r.mu.Unlock()
	slices.SortFunc(list, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Peer, b.Peer))
	})
	return list
}

// nameOf returns a member's name, also of one that is gone.
func (r *roster) nameOf(id protocol.Member) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := r.gone[id].Name
	if o := r.others[id]; o != nil {
		name = o.Name
	} else if id == r.self.ID {
		name = r.self.Name
	}
	if name == "" {
		return fmt.Sprintf("member %x", uint64(id))
	}
	return name
}

// Ring says how many slots each active member owns, by name.
func (n *Node) Ring() map[string]int {
	v := n.members.view.Load()
	counts := make(map[string]int, len(v.holders))
	for slot := range slotCount {
		if h, ok := v.owner(slot); ok {
			counts[h.name]++
		}
	}
	return counts
}

// Where says where a key lives.
type Where struct {
	Slot    int      `json:"slot"`
	Owner   string   `json:"owner"`   // empty while there is nobody
	Backups []string `json:"backups"` // who keeps copies, by the table
	Serving bool     `json:"serving"` // this node is the owner and active
	Held    *Held    `json:"held"`    // what this node has of the key, if anything
}

// Held is what a node has of a key.
type Held struct {
	Kind      string  `json:"kind"` // "owned", "backup", "near" or "staged"
	Bytes     int     `json:"bytes"`
	Version   uint64  `json:"version"`
	Tombstone bool    `json:"tombstone"`
	Expires   float64 `json:"expires_in_seconds,omitempty"`
	Lease     float64 `json:"lease_left_seconds,omitempty"`
}

// Where says which slot a key of a cache is in, who owns it, and what this node
// has of it. It asks nobody.
func (n *Node) Where(cacheName, key string) Where {
	hash := hashKey(cacheName, key)
	w := Where{Slot: slotOf(hash), Backups: []string{}}
	v := n.members.view.Load()
	for i, o := range v.ring.owners(w.Slot) {
		if i == 0 {
			w.Owner = v.holders[o].name
		} else {
			w.Backups = append(w.Backups, v.holders[o].name)
		}
	}
	w.Serving = n.serving[w.Slot].Load()&1 == 1
	sp := n.caches.find(cacheName)
	if sp == nil {
		return w
	}
	ref := cache.Ref{Hash: hash, Cache: sp.number, Key: key}
	var e cache.Entry
	for _, kind := range []cache.Kind{cache.Owned, cache.Near, cache.Staged} {
		found, ok := n.store.Peek(ref, kind)
		if !ok {
			continue
		}
		e = found
		name := kind.String()
		if kind == cache.Owned && slices.Contains(w.Backups, n.cfg.Name) {
			name = "backup"
		}
		w.Held = &Held{Kind: name, Bytes: len(e.Value), Version: e.Version, Tombstone: e.Tombstone}
		break
	}
	held := w.Held
	if held == nil {
		return w
	}
	now := n.clock.now()
	if e.Expires != 0 {
		held.Expires = (e.Expires - now).Seconds()
	}
	if e.Kind == cache.Near {
		held.Lease = (e.LeaseEnd - now).Seconds()
	}
	return w
}
