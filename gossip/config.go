package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"
)

// The defaults and limits of Config and Broadcast.
const (
	DefaultBind  = "127.0.0.1:0"
	DefaultPort  = 7946                   // of entries in Config.Join that name none
	MaxMeta      = memberlist.MetaMaxSize // 512 bytes
	MaxBroadcast = 4 << 20                // bytes

	maxID    = 255 // bytes: it travels in packets, beside the metadata
	maxLabel = memberlist.LabelMaxSize
	keyLen   = 32 // AES-256

	resolveFor = 2 * time.Second
)

// Config says how a node gossips. Only ID is required.
//
// No callback may call Close, and LocalState and MergeState must return soon,
// since a neighbour waits for them. Callbacks may come before Start has
// returned; none comes after Close has.
type Config struct {
	// ID is the member's name. It must be unique in the cluster and should be
	// another at every start, so that a restart is never mistaken for the
	// member that it replaces. 1 to 255 bytes.
	ID string
	// Bind is the "host:port" to listen on, TCP and UDP. Port 0 picks one that
	// is free for both. Default "127.0.0.1:0". Not used with a Transport.
	Bind string
	// Advertise is the "ip:port" under which the others reach this node; port 0
	// means the bound one. Default: the address that Bind names, or the host's
	// first private one where Bind is 0.0.0.0.
	Advertise string
	// Join names members to find: "host", "host:port" or a DNS name with many
	// addresses. Without a port it is 7946. The node's own address among them
	// does not matter, nor do names that do not resolve yet.
	Join []string
	// Keys encrypt (the first) and decrypt (all) everything sent, 32 bytes each.
	// Default: nothing is encrypted.
	Keys [][]byte
	// Meta is what the others learn about this node, at most 512 bytes. See
	// SetMeta.
	Meta []byte
	// Label separates clusters on one network: nodes with different labels do
	// not hear each other. At most 255 bytes.
	Label string
	// Logger gets what there is to say, memberlist's own lines included.
	// Default: nothing is logged.
	Logger *slog.Logger

	// LocalState returns what to tell a neighbour in a state exchange, which
	// happens when a node joins and then every ten seconds or so with somebody.
	// join tells that it is a join. It may be called from several goroutines at
	// once.
	LocalState func(join bool) []byte
	// MergeState gets what the neighbour's LocalState returned. It may be called
	// from several goroutines at once, and may keep state.
	MergeState func(state []byte, join bool)
	// OnEvent gets what happens to the other members, one after another, from a
	// goroutine of its own: it may call anything here but Close.
	OnEvent func(Event)
	// OnMessage gets the other nodes' broadcasts, each once in all likelihood,
	// one after another from a goroutine of its own. While it is busy, 256
	// messages are kept; what comes beyond that is dropped. It may keep msg.
	OnMessage func(msg []byte)

	// Transport replaces the network, for simulations. The node owns it: it is
	// shut down with the node, or when Start fails.
	Transport memberlist.Transport
	// Resolver looks up the names in Join and Bind. Default: net.DefaultResolver.
	Resolver Resolver
}

// A Resolver finds a name's addresses. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// settings are a Config that was checked, with the defaults filled in.
type settings struct {
	Config
	bind      netip.AddrPort
	advertise netip.AddrPort // invalid: the bound address
	seeds     []seed
	keyring   *memberlist.Keyring // nil: nothing is encrypted
}

func (c Config) check() (settings, error) {
	s := settings{Config: c}
	if l := len(c.ID); l == 0 || l > maxID {
		return s, fmt.Errorf("gossip: ID has %d bytes, it must have 1 to %d", l, maxID)
	}
	if l := len(c.Meta); l > MaxMeta {
		return s, errMeta(l)
	}
	if l := len(c.Label); l > maxLabel {
		return s, fmt.Errorf("gossip: Label of %d bytes is over the limit of %d", l, maxLabel)
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.Resolver == nil {
		s.Resolver = net.DefaultResolver
	}
	if s.Bind == "" {
		s.Bind = DefaultBind
	}
	for i, k := range c.Keys {
		if len(k) != keyLen {
			return s, fmt.Errorf("gossip: key %d has %d bytes, it must have %d", i+1, len(k), keyLen)
		}
	}
	if len(c.Keys) > 0 {
		ring, err := memberlist.NewKeyring(slices.Clone(c.Keys[1:]), c.Keys[0])
		if err != nil {
			return s, fmt.Errorf("gossip: Keys: %w", err)
		}
		s.keyring = ring
	}
	for _, j := range c.Join {
		seed, err := parseSeed(j)
		if err != nil {
			return s, err
		}
		s.seeds = append(s.seeds, seed)
	}
	return s, s.addresses()
}

// addresses fills in bind and advertise. memberlist takes a name that it cannot
// parse as an address for "all interfaces", so names are resolved here.
func (s *settings) addresses() error {
	if s.Advertise != "" {
		a, err := netip.ParseAddrPort(s.Advertise)
		if err != nil || a.Addr().Zone() != "" || a.Addr().IsUnspecified() {
			return fmt.Errorf("gossip: Advertise %q: want ip:port with the address of one host", s.Advertise)
		}
		s.advertise = a
	}
	if s.Transport != nil {
		return nil
	}
	host, service, err := net.SplitHostPort(s.Bind)
	if err != nil {
		return fmt.Errorf("gossip: Bind %q: want host:port: %w", s.Bind, err)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return fmt.Errorf("gossip: Bind %q: %q is not a port: want 0 to 65535", s.Bind, service)
	}
	addr, err := s.bindAddr(host)
	if err != nil {
		return fmt.Errorf("gossip: Bind %q: %w", s.Bind, err)
	}
	s.bind = netip.AddrPortFrom(addr, uint16(port))
	if addr.IsUnspecified() && addr.Is6() && s.Advertise == "" {
		return fmt.Errorf("gossip: Bind %q names no single host: set Advertise", s.Bind)
	}
	return nil
}

func (s *settings) bindAddr(host string) (netip.Addr, error) {
	if host == "" {
		return netip.IPv4Unspecified(), nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" {
			return a, errors.New("addresses with a zone are not supported")
		}
		return a.Unmap(), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveFor)
	defer cancel()
	found, err := s.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, err
	}
	if len(found) == 0 {
		return netip.Addr{}, errors.New("the name has no address")
	}
	return found[0].Unmap(), nil
}

func errMeta(n int) error {
	return fmt.Errorf("gossip: metadata of %d bytes is over the limit of %d", n, MaxMeta)
}
