package gossip

import (
	"time"

	"github.com/hashicorp/memberlist"
)

// packetSize is what memberlist puts into one UDP packet: under the 1500 bytes
// of Ethernet with room for tunnels.
const packetSize = 1400

// tune returns memberlist's LAN settings changed so that the death of a process
// is noticed in two to three seconds, among 3 or 100 nodes.
//
// The time is: until somebody probes the victim, up to one probe interval; until
// the probe has failed, another interval; and then the suspicion, which gives
// the victim time to object: SuspicionMult * max(1, log10(n)) intervals when
// enough others confirm it, up to SuspicionMaxTimeoutMult times that when not.
// With memberlist's defaults that is 5 to 7 s, and with these 2 to 3 s.
//
// What guards against false alarms: a probe that gets no answer by UDP within
// ProbeTimeout is repeated by three others and by TCP; a live suspect has at
// least 1.5 s to object; and a node that sees its own probes fail slows them
// down (AwarenessMaxMultiplier).
func tune() *memberlist.Config {
	c := memberlist.DefaultLANConfig()

	c.ProbeInterval = 500 * time.Millisecond
	c.ProbeTimeout = 200 * time.Millisecond // a LAN answers in one: the rest is for a busy processor
	c.SuspicionMult = 3
	c.SuspicionMaxTimeoutMult = 2 // not 6: who hears no confirmation is not to wait for 9 s

	// With 8, several members that die at once would slow the survivors' probes
	// down to one in 4 s, because the dead do not confirm anything either.
	c.AwarenessMaxMultiplier = 4

	// Half of the LAN's 200 ms: news and objections arrive sooner. It costs only
	// while there is news.
	c.GossipInterval = 100 * time.Millisecond
	// Not 4: then, of 2000 members that stalled for 0.2 to 1.2 s, one was buried by
	// somebody who had missed its objection, and of 30 starts of 30 nodes at once
	// two took over 10 s to agree. With 6 it was none of 15,000 and of 150.
	c.RetransmitMult = 6

	// The exchange of everything with somebody, which repairs what gossip has
	// missed. memberlist stretches it from 33 members on.
	c.PushPullInterval = 10 * time.Second

	// How long the dead are still gossiped to, so that those who are not dead
	// can object, and remembered. After that it is up to reconnect.go.
	c.GossipToTheDeadTime = 30 * time.Second

	// A dead member's name may come back with another address soon after (0
	// would mean never). Names are to be unique for each run, but a cluster must
	// not refuse a member whose are not.
	c.DeadNodeReclaimTime = time.Second

	// Bounds every stream, and so how long a stranger's is kept.
	c.TCPTimeout = 5 * time.Second

	c.UDPBufferSize = packetSize
	// Packets waiting to be handled. Unencrypted each holds a buffer of 64 KiB.
	c.HandoffQueueDepth = 1024
	// Compressing each packet costs more than it saves in a local network.
	c.EnableCompression = false
	return c
}

// room returns what a packet has for messages and their framing: the limit that
// memberlist's gossip asks Delegate.GetBroadcasts to keep when it has nothing
// of its own to say (memberlist v0.7.0, state.go:619).
func room(packet int, label string, encrypted bool) int {
	n := packet - 2 // a compound message's header
	if label != "" {
		n -= 2 + len(label)
	}
	if encrypted {
		n -= 29 // version, nonce and tag
	}
	return n
}

// messageFraming is what memberlist adds to each message of ours in a packet:
// two bytes of length and one of kind.
const messageFraming = 3
