package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseSeed(t *testing.T) {
	for entry, want := range map[string]string{
		"cache":                       "cache:7946",
		"cache:1":                     "cache:1",
		"cache.default.svc.":          "cache.default.svc.:7946",
		"10.0.0.1":                    "10.0.0.1:7946",
		"10.0.0.1:65535":              "10.0.0.1:65535",
		"::1":                         "[::1]:7946",
		"[::1]":                       "[::1]:7946",
		"[::1]:80":                    "[::1]:80",
		"":                            "",
		":7946":                       "",
		"cache:":                      "",
		"cache:0":                     "",
		"cache:65536":                 "",
		"cache:http":                  "",
		"cache:-1":                    "",
		"a:b:c":                       "",
		"[cache]":                     "",
		"[::1":                        "",
		"[::1]x":                      "",
		"fe80::1%eth0":                "",
		"0.0.0.0":                     "",
		"224.0.0.1:7946":              "",
		"http://cache":                "",
		"a,b":                         "",
		" cache":                      "",
		"name/10.0.0.1:1":             "",
		strings.Repeat("x", 254):      "",
		"user@cache:7946":             "",
		"ca\x00che":                   "",
		"[fe80::1%25eth0]:7946":       "",
		"[::ffff:10.0.0.1]:7946":      "[::ffff:10.0.0.1]:7946",
		"cache.default.svc.local:443": "cache.default.svc.local:443",
	} {
		s, err := parseSeed(entry)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q is %v, want an error", entry, s)
		case want == "" && !strings.Contains(err.Error(), fmt.Sprintf("gossip: Join entry %q", entry)):
			t.Errorf("%q: %v does not name it", entry, err)
		case want != "" && (err != nil || s.String() != want):
			t.Errorf("%q is %v, %v, want %s", entry, s, err, want)
		}
	}
}

func FuzzParseSeed(f *testing.F) {
	for _, s := range []string{"cache", "cache:1", "[::1]:80", "::1", "", ":", "[", "a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		s, err := parseSeed(entry)
		if err != nil {
			return
		}
		if again, err := parseSeed(s.String()); err != nil || again.String() != s.String() {
			t.Errorf("%q is %s, which is %v, %v", entry, s, again, err)
		}
	})
}

func TestBackoff(t *testing.T) {
	var b backoff
	now := time.Now()
	if !b.due(now) {
		t.Error("the first try is not due at once")
	}
	for i := range 10 {
		b.failed(now)
		want := min(firstPause<<i, longestPause)
		if d := b.next.Sub(now); d < want/2 || d > want {
			t.Errorf("pause %d is %v, want %v to %v", i, d, want/2, want)
		}
	}
}

// names is a Resolver.
type names struct {
	mu    sync.Mutex // guards known
	known map[string][]netip.Addr
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a := n.known[host]; a != nil {
		return a, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func (n *names) set(host string, addrs ...netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[host] = addrs
}

// A name that leads nowhere at first is tried again; of its addresses the own
// one, dead ones and silent ones do not matter.
func TestJoinByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		dns := &names{known: make(map[string][]netip.Addr)}
		cfg := Config{Join: []string{"cache.local", "10.9.9.9:1"}, Resolver: dns}
		cfg.ID, cfg.Transport = "a", net.host(0)
		a := start(t, cfg)
		cfg.ID, cfg.Transport = "b", net.host(1)
		b := start(t, cfg)
		net.setCut(func(_, to string) bool { return strings.HasPrefix(to, "10.0.9.") })
		time.Sleep(time.Minute)
		if got := a.ids() + b.ids(); got != "" {
			t.Fatalf("they met without a name: %q", got)
		}
		if logs := a.logs.String(); !strings.Contains(logs, "nobody is there yet") {
			t.Errorf("the log says nothing of it:\n%s", logs)
		}
		var all []netip.Addr
		for i := range 3 {
			all = append(all, net.host(i+2250).addr.Addr(), netip.MustParseAddr(fmt.Sprintf("10.0.7.%d", i+1)))
		}
		all = append(all, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"))
		dns.set("cache.local", all...)
		time.Sleep(longestPause + 5*time.Second)
		if a.ids() != "b" || b.ids() != "a" {
			t.Errorf("members %q and %q", a.ids(), b.ids())
		}
		if logs := a.logs.String(); strings.Count(logs, "found others") != 1 {
			t.Errorf("the log says:\n%s", logs)
		}
	})
}

// An entry is sought until it has led to another node once; the node's own address is
// not.
func TestSought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		dns := &names{known: make(map[string][]netip.Addr)}
		dns.set("alone.local", netip.MustParseAddr("10.0.0.1"))
		dns.set("others.local", netip.MustParseAddr("10.0.0.2"))
		hosts := []*host{net.host(0), net.host(1)}
		cfg := func(i int, join ...string) Config {
			return Config{ID: fmt.Sprint("n", i), Transport: hosts[i], Join: join, Resolver: dns}
		}
		nobody := start(t, Config{ID: "x", Transport: net.host(9)})
		a := start(t, cfg(0, hosts[0].addr.String(), "others.local"))
		name := start(t, Config{ID: "y", Transport: net.host(8), Join: []string{"alone.local", "no.such.name"}, Resolver: dns})
		time.Sleep(time.Minute)
		if nobody.Sought() || !a.Sought() || !name.Sought() {
			t.Errorf("sought: %v, want it not where Join is empty; %v and %v, want it where a name leads to nobody", nobody.Sought(), a.Sought(), name.Sought())
		}
		b := start(t, cfg(1, hosts[0].addr.String(), hosts[1].addr.String()))
		time.Sleep(time.Minute)
		if a.Sought() || b.Sought() {
			t.Errorf("sought: %v and %v, where all is found", a.Sought(), b.Sought())
		}
		_ = b.Close()
		time.Sleep(time.Minute)
		if a.Sought() {
			t.Error("what was found is sought again")
		}
	})
}

// A node that has found others still looks who is new behind a name.
func TestNameGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		dns := &names{known: make(map[string][]netip.Addr)}
		dns.set("cache.local", netip.MustParseAddr("10.0.0.1"))
		a := start(t, Config{ID: "a", Transport: net.host(0)})
		b := start(t, Config{ID: "b", Transport: net.host(1), Join: []string{"cache.local"}, Resolver: dns})
		meet(t, a, b)
		time.Sleep(time.Hour)
		c := start(t, Config{ID: "c", Transport: net.host(2)})
		dns.set("cache.local", netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.3"))
		meet(t, a, b, c)
	})
}

func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for want, cfg := range map[string]Config{
		"ID":                                      {},
		"ID has 256 bytes":                        {ID: strings.Repeat("x", 256)},
		"metadata of 513 bytes":                   {ID: "a", Meta: make([]byte, 513)},
		"Label of 256 bytes":                      {ID: "a", Label: strings.Repeat("x", 256)},
		"key 2 has 16 bytes":                      {ID: "a", Keys: [][]byte{key(1), key(2)[:16]}},
		`Join entry "x:y"`:                        {ID: "a", Join: []string{"ok", "x:y"}},
		`Join entry ""`:                           {ID: "a", Join: []string{""}},
		`Bind "nonsense": want host:port`:         {ID: "a", Bind: "nonsense"},
		`"99999" is not a port`:                   {ID: "a", Bind: "127.0.0.1:99999"},
		`Bind "no.such.host:0"`:                   {ID: "a", Bind: "no.such.host:0", Resolver: &names{}},
		`Advertise "host:1": want ip:port`:        {ID: "a", Advertise: "host:1"},
		`Advertise "0.0.0.0:1": want ip:port`:     {ID: "a", Advertise: "0.0.0.0:1"},
		`Bind "[::]:0" names no single host`:      {ID: "a", Bind: "[::]:0"},
		"Bind " + taken.Addr().String() + ": ":    {ID: "a", Bind: taken.Addr().String()},
		udp.LocalAddr().String() + ": bind: addr": {ID: "a", Bind: udp.LocalAddr().String()},
		"192.0.2.1":                               {ID: "a", Bind: "192.0.2.1:0"},
	} {
		g, err := Start(cfg)
		if err == nil {
			_ = g.Close()
			t.Errorf("want an error with %q", want)
		} else if !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "gossip: ") {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// unfit is a transport with no address.
type unfit struct{ *host }

func (unfit) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return nil, 0, errors.New("no address")
}

func TestFailedStartLetsGoOfTheTransport(t *testing.T) {
	h := newNetwork().host(0)
	if _, err := Start(Config{ID: "a", Transport: unfit{h}}); err == nil || !h.gone {
		t.Errorf("%v, closed %v", err, h.gone)
	}
	h = newNetwork().host(0)
	if _, err := Start(Config{Transport: h}); err == nil || !h.gone {
		t.Errorf("%v, closed %v", err, h.gone)
	}
}

func TestBindByNameAndAdvertise(t *testing.T) {
	t.Parallel()
	dns := &names{known: map[string][]netip.Addr{"here": {netip.MustParseAddr("127.0.0.1")}}}
	a := start(t, Config{ID: "a", Bind: "here:0", Resolver: dns})
	if !strings.HasPrefix(a.Addr(), "127.0.0.1:") {
		t.Errorf("it is at %s", a.Addr())
	}
	b := start(t, Config{ID: "b", Bind: "0.0.0.0:0", Advertise: "127.0.0.1:0", Join: []string{a.Addr()}})
	meet(t, a, b)
	if got := a.Members()[0].Addr; got != b.Addr() || !strings.HasPrefix(got, "127.0.0.1:") {
		t.Errorf("b is at %s, and says %s", got, b.Addr())
	}
	c := start(t, Config{ID: "c", Bind: "[::1]:0", Advertise: "[::1]:0"})
	if !strings.HasPrefix(c.Addr(), "[::1]:") {
		t.Errorf("it is at %s", c.Addr())
	}
}
