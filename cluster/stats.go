package cluster

import (
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

// counters are what one cache counts on this node.
type counters struct {
	writes, loads, clears atomic.Uint64
}

// CacheStats are what this node has counted for one cache.
type CacheStats struct {
	Writes     uint64 `json:"writes"` // Sets and Deletes called here
	Loads      uint64 `json:"loads"`  // runs of Load here
	Clears     uint64 `json:"clears"` // Clears called here
	Generation uint64 `json:"generation"`
}

func (s *space) stats() CacheStats {
	return CacheStats{
		Writes: s.counts.writes.Load(), Loads: s.counts.loads.Load(), Clears: s.counts.clears.Load(),
		Generation: s.gen.Load().Count,
	}
}

// nodeCounters are what a node counts over all caches.
type nodeCounters struct {
	messages  [16]atomic.Uint64 // protocol messages sent, by kind
	calls     [16]atomic.Uint64 // requests sent, by kind
	served    atomic.Uint64     // reads and writes that other members have asked for
	dropped   atomic.Uint64
	malformed atomic.Uint64
	copied    atomic.Uint64
}

// Stats are what a node has counted since its start, and what it holds now.
type Stats struct {
	Name        string `json:"name"`
	Members     int    `json:"members"`      // active and leaving
	Backups     int    `json:"backups"`      // copies of each slot beside the owner's, by the table
	Slots       int    `json:"slots"`        // of all nodes
	SlotsOwned  int    `json:"slots_owned"`  // by the table
	SlotsActive int    `json:"slots_active"` // of these, served
	// SlotsBackedUp are those that are served and fully backed up: every backup
	// of the table has acknowledged that it has the slot in its present term,
	// and is connected. Where these figures of all nodes add up to Slots, and
	// Backups is what was asked for, so many nodes may be killed at once.
	SlotsBackedUp int                   `json:"slots_backed_up"`
	SlotsBacking  int                   `json:"slots_backing"` // kept a copy of for other owners, by the table
	SlotsHeld     int                   `json:"slots_held"`    // with a copy here: served, a backup's, or not yet freed
	Leases        int64                 `json:"leases"`        // near copies lent and not known to be given back
	Store         cache.Stats           `json:"store"`
	Messages      map[string]uint64     `json:"messages"`  // sent to other members, by kind
	Requests      map[string]uint64     `json:"requests"`  // sent to other members, by kind
	Dropped       uint64                `json:"dropped"`   // messages that did not fit into a queue, to be asked for again
	Malformed     uint64                `json:"malformed"` // messages that were not understood
	Copied        uint64                `json:"copied"`    // entries copied ahead of a join or a leave
	Caches        map[string]CacheStats `json:"caches"`
}

var requestNames = [...]string{
	kindGet: "get", kindSet: "set", kindDelete: "delete", kindMany: "get_many", kindCopy: "copy",
	kindFetch: "fetch", kindPush: "push", kindMembers: "members", kindMeet: "meet", kindPrepare: "prepare", kindReach: "reach",
}

// Stats returns the node's counters.
func (n *Node) Stats() Stats {
	v := n.members.view.Load()
	s := Stats{
		Name: n.cfg.Name, Members: len(v.table.Members), Backups: max(v.ring.width-1, 0), Slots: slotCount, SlotsOwned: v.owned,
		SlotsBackedUp: n.backedUp(v), SlotsBacking: v.backing,
		SlotsActive: int(n.activeSlots.Load()), SlotsHeld: n.holding(), Leases: n.shared.Leases.Used(), Store: n.store.Stats(),
		Messages: make(map[string]uint64), Requests: make(map[string]uint64),
		Dropped: n.counts.dropped.Load(), Malformed: n.counts.malformed.Load(), Copied: n.counts.copied.Load(),
		Caches: make(map[string]CacheStats),
	}
	for k := range n.counts.messages {
		if c := n.counts.messages[k].Load(); c > 0 {
			s.Messages[protocol.Kind(k).String()] = c
		}
	}
	for k, name := range requestNames {
		if c := n.counts.calls[k].Load(); c > 0 {
			s.Requests[name] = c
		}
	}
	for _, sp := range *n.caches.list.Load() {
		s.Caches[sp.name] = sp.stats()
	}
	return s
}

// backedUp counts the slots that are served here and whose backups have all of
// them and can be reached.
func (n *Node) backedUp(v *view) int {
	there := make([]bool, len(v.holders))
	for i, h := range v.holders {
		there[i] = h.link == nil || h.link.conn.Load() != nil
	}
	count := 0
	for i := range n.parts {
		for mask := n.parts[i].safe.Load(); mask != 0; mask &= mask - 1 {
			slot := i + bits.TrailingZeros64(mask)*partCount
			if !slices.ContainsFunc(v.ring.owners(slot), func(h uint16) bool { return !there[h] }) {
				count++
			}
		}
	}
	return count
}
