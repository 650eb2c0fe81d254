package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/peercache/peercache/gossip"
	"github.com/peercache/peercache/internal/protocol"
)

// The defaults and limits of Config.
const (
	DefaultMemory         = 256 << 20
	DefaultMaxValue       = 1 << 20
	DefaultNearTTL        = 5 * time.Second
	DefaultRequestTimeout = time.Second
	DefaultJoinWait       = 2 * time.Second
	DefaultBackups        = 1
	MaxBackups            = 2
	MaxNearTTL            = 30 * time.Second
	MaxKey                = 4 << 10 // bytes
	MinSecret             = 16      // bytes
	maxName               = 128
	maxValueLimit         = 16 << 20
	MaxFence              = 1024
)

// Config says how a node runs. The zero value works on one machine: it listens
// on loopback, on free ports, alone.
type Config struct {
	// Name places the node on the ring; it is to be the same after a restart
	// and different from every other node's. At most 128 bytes, printable,
	// without '/'. Default: the host's name with a random suffix.
	Name string
	// Bind is the host:port for gossip, TCP and UDP. Port 0 picks a free one.
	// Default "127.0.0.1:0". On anything but loopback a Secret is needed.
	Bind string
	// Peer is the host:port for the other nodes' requests. Default: Bind's host
	// and a free port.
	Peer string
	// Advertise is the IP address under which the others reach this node, where
	// it is not the one that it binds. Default: Bind's, or where that names no
	// single address, the host's first private one.
	Advertise string
	// Join names members to join: "host", "host:port" or a DNS name with any
	// number of addresses. Without a port it is 7946. They are tried again as
	// long as the node runs. Until each has led to other nodes once, for 24 hours
	// at most, what is cleared leaves its keys in memory for 10 minutes, on all
	// members: others may run who have not heard of it.
	Join []string
	// Secret, at least 16 bytes and the same on all nodes, encrypts and
	// authenticates everything between them.
	Secret string
	// OldSecrets are accepted too, so that Secret can be changed node by node.
	OldSecrets []string
	// Backups is how many other nodes keep a copy of each entry beside its
	// owner. A Set returns nil only when all of them have it, so that so many
	// nodes may be killed at once without a loss; see Stats for when so many
	// more may be. Default 1, at most 2; negative: none. It is to be the same on
	// all nodes; where it is not, the highest of the active ones counts. With too
	// few nodes for it there are fewer copies.
	//
	// Copies are charged to the Memory of the node that keeps them like what it
	// owns, and evicted like that, after the near copies.
	Backups int
	// Memory is the budget in bytes for keys, values and their bookkeeping.
	// Default 256 MiB.
	Memory int64
	// MaxValue is the longest value in bytes. Default 1 MiB, at most 16 MiB.
	// It must be the same on all nodes.
	MaxValue int
	// NearTTL is how long this node keeps copies of what others own. Default
	// 5 s, at most 30 s; negative: it keeps none. It is also how long a Set may
	// wait for a node that does not answer.
	NearTTL time.Duration
	// RequestTimeout bounds every call, besides its context. Default 1 s.
	RequestTimeout time.Duration
	// JoinWait is how long a node that finds nobody active waits before it
	// starts alone. Default 2 s; it does not wait when Join is empty.
	JoinWait time.Duration
	// Fence, where it is above 0, keeps P1 while the network is split and when a
	// process is stopped for long and goes on, at the price of misses: a node
	// answers from its own memory, and acknowledges writes, only as long as this
	// many members (itself included) have answered something that it sent less
	// than FenceFor ago. It must be more than half of the most nodes that ever run
	// together, and the same on all nodes. Below the number every Get is a miss
	// (ErrNotFound) and every write is ErrUnavailable; so two nodes cannot have
	// both this and availability. After a crash the slots of the dead node are
	// served again FenceFor later than without. Default 0: off; negative is
	// refused, as is more than MaxFence.
	Fence int
	// Logger gets what there is to say. Default: nothing is logged.
	Logger *slog.Logger

	// adjust changes what the slots have in common, for tests.
	adjust func(*protocol.Shared)
	// These four replace the network, for simulations. Nil: the real one.
	listen    func(ctx context.Context, network, addr string) (net.Listener, error)
	dial      func(ctx context.Context, network, addr string) (net.Conn, error)
	transport func(bind string) (memberlist.Transport, error)
	resolver  gossip.Resolver
	// stall is called by the goroutines that do something by themselves when it is
	// time, for tests: as long as it does not return, the process seems to be stopped.
	stall func()
	// wall is the time of day, for simulations. Nil: the real one.
	wall func() time.Time
	// faults are what the node does wrong; nothing but in a build with that tag.
	faults faulty
}

// withDefaults returns c with every default filled in, or what is wrong with
// it.
func (c Config) withDefaults() (Config, error) {
	if c.Name == "" {
		host, err := os.Hostname()
		if err != nil || host == "" {
			host = "node"
		}
		host = strings.Map(func(r rune) rune {
			if r == '/' || r <= ' ' || r == 0x7f {
				return '-'
			}
			return r
		}, host)
		suffix := make([]byte, 4)
		_, _ = rand.Read(suffix) // does not fail
		c.Name = host[:min(len(host), 64)] + "-" + hex.EncodeToString(suffix)
	}
	if len(c.Name) > maxName {
		return c, fmt.Errorf("cluster: Name of %d bytes is over the limit of %d", len(c.Name), maxName)
	}
	for _, r := range c.Name {
		if r == '/' || r <= ' ' || r == 0x7f || r == '\uFFFD' {
			return c, fmt.Errorf("cluster: Name %q has the character %q: spaces, control characters and '/' are not allowed", c.Name, r)
		}
	}
	if c.Bind == "" {
		c.Bind = "127.0.0.1:0"
	}
	if err := checkAddr("Bind", c.Bind); err != nil {
		return c, err
	}
	host, _, _ := net.SplitHostPort(c.Bind)
	if c.Peer == "" {
		c.Peer = net.JoinHostPort(host, "0")
	}
	if err := checkAddr("Peer", c.Peer); err != nil {
		return c, err
	}
	if c.Advertise != "" {
		if _, err := netip.ParseAddr(c.Advertise); err != nil {
			return c, fmt.Errorf("cluster: Advertise %q is not an IP address", c.Advertise)
		}
	}
	if err := c.checkSecret(host); err != nil {
		return c, err
	}
	if c.Backups > MaxBackups {
		return c, fmt.Errorf("cluster: Backups is %d: the limit is %d", c.Backups, MaxBackups)
	}
	if c.Backups == 0 {
		c.Backups = DefaultBackups
	}
	c.Backups = max(c.Backups, 0)
	return c.sizes()
}

func (c Config) sizes() (Config, error) {
	for _, f := range []struct {
		name  string
		value *int64
		def   int64
	}{
		{"Memory", &c.Memory, DefaultMemory},
		{"RequestTimeout", (*int64)(&c.RequestTimeout), int64(DefaultRequestTimeout)},
		{"JoinWait", (*int64)(&c.JoinWait), int64(DefaultJoinWait)},
	} {
		if *f.value < 0 {
			return c, fmt.Errorf("cluster: %s is %d: it may not be negative", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.def
		}
	}
	if c.Fence < 0 || c.Fence > MaxFence {
		return c, fmt.Errorf("cluster: Fence is %d: it must be from 1 to %d, or 0 for none", c.Fence, MaxFence)
	}
	if c.MaxValue < 0 || c.MaxValue > maxValueLimit {
		return c, fmt.Errorf("cluster: MaxValue is %d: it must be from 1 to %d", c.MaxValue, maxValueLimit)
	}
	if c.MaxValue == 0 {
		c.MaxValue = DefaultMaxValue
	}
	if c.NearTTL > MaxNearTTL {
		return c, fmt.Errorf("cluster: NearTTL is %v: the limit is %v", c.NearTTL, MaxNearTTL)
	}
	if c.NearTTL == 0 {
		c.NearTTL = DefaultNearTTL
	}
	c.NearTTL = max(c.NearTTL, 0)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func (c Config) checkSecret(bindHost string) error {
	if c.Secret == "" {
		if len(c.OldSecrets) > 0 {
			return errors.New("cluster: OldSecrets are given, but no Secret")
		}
		hosts := []string{bindHost}
		if h, _, _ := net.SplitHostPort(c.Peer); h != bindHost {
			hosts = append(hosts, h)
		}
		if c.Advertise != "" {
			hosts = append(hosts, c.Advertise)
		}
		for _, h := range hosts {
			if !loopback(h) {
				return fmt.Errorf("cluster: a node on %q needs a Secret: without one it may only listen on loopback", h)
			}
		}
		return nil
	}
	for _, s := range append([]string{c.Secret}, c.OldSecrets...) {
		if len(s) < MinSecret {
			return fmt.Errorf("cluster: a secret of %d bytes is too short: it needs at least %d", len(s), MinSecret)
		}
	}
	return nil
}

func checkAddr(field, addr string) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("cluster: %s %q is not host:port: %w", field, addr, err)
	}
	if _, err := net.ResolveTCPAddr("tcp", addr); err != nil {
		return fmt.Errorf("cluster: %s %q cannot be listened on: %w", field, addr, err)
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
