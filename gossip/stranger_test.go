package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	a := start(t, Config{ID: "a", Keys: [][]byte{key(1)}})
	b := start(t, Config{ID: "b", Keys: [][]byte{key(2), key(1)}, Join: []string{a.Addr()}})
	for name, keys := range map[string][][]byte{"another": {key(3)}, "no": nil} {
		p := start(t, Config{ID: name, Keys: keys, Join: []string{a.Addr()}})
		until(t, "the log says why", func() bool {
			return strings.Contains(p.logs.String(), "it is not of this cluster")
		})
		if got := p.ids(); got != "" {
			t.Errorf("with %s key it has %q", name, got)
		}
	}
	// b's own key is unknown to a, but a rotation begins with all nodes taking both.
	c := start(t, Config{ID: "c", Keys: [][]byte{key(1), key(2)}})
	d := start(t, Config{ID: "d", Keys: [][]byte{key(2), key(1)}, Join: []string{c.Addr()}})
	meet(t, c, d)
	if err := d.Broadcast([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	until(t, "a broadcast arrives", func() bool { return len(c.heard()) == 1 })
	if got := a.ids() + b.ids(); strings.Contains(got, "another") || strings.Contains(got, "no") {
		t.Errorf("a stranger is a member: %q", got)
	}
	if n := strings.Count(a.logs.String(), "no installed keys could decrypt"); n == 0 || n > 3 {
		t.Errorf("the log says it %d times:\n%s", n, a.logs)
	}
}

func TestLabelSeparates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a := start(t, Config{ID: "a", Label: "x", Transport: net.host(0)})
		b := start(t, Config{ID: "b", Label: "x", Transport: net.host(1), Join: []string{"10.0.0.1"}})
		c := start(t, Config{ID: "c", Label: "y", Transport: net.host(2), Join: []string{"10.0.0.1"}})
		meet(t, a, b)
		time.Sleep(time.Minute)
		if a.ids() != "b" || c.ids() != "" {
			t.Errorf("members %q and %q", a.ids(), c.ids())
		}
	})
}

// Random bytes, and bytes that begin like memberlist's, on both ports.
func TestRandomBytes(t *testing.T) {
	t.Parallel()
	for _, keys := range [][][]byte{nil, {key(1)}} {
		t.Run(fmt.Sprint("keys=", len(keys)), func(t *testing.T) {
			a := start(t, Config{ID: "a", Keys: keys})
			b := start(t, Config{ID: "b", Keys: keys, Join: []string{a.Addr()}})
			meet(t, a, b)
			rng := rand.New(rand.NewPCG(1, 2))
			junk := func() []byte {
				j := make([]byte, rng.IntN(1400))
				for i := range j {
					j[i] = byte(rng.Uint32())
				}
				if len(j) > 0 && rng.IntN(4) > 0 {
					j[0] = byte(rng.IntN(15)) // a kind of message
				}
				if len(j) > 1 && rng.IntN(4) == 0 {
					j[0], j[1] = 244, byte(rng.IntN(5)) // a label
				}
				return j
			}
			udp, err := net.Dial("udp", a.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer udp.Close()
			for range 2000 {
				_, _ = udp.Write(junk())
			}
			for range 200 {
				tcp, err := net.Dial("tcp", a.Addr())
				if err != nil {
					t.Fatal(err)
				}
				_, _ = tcp.Write(junk())
				_ = tcp.Close()
			}
			if err := b.SetMeta([]byte("still here")); err != nil {
				t.Fatal(err)
			}
			until(t, "it goes on", func() bool { return string(a.Members()[0].Meta) == "still here" })
			if got := a.ids(); got != "b" {
				t.Errorf("members: %q", got)
			}
			if n := strings.Count(a.logs.String(), "\n"); n > maxLogKinds {
				t.Errorf("%d lines are logged", n)
			}
			if keys != nil && !strings.Contains(a.logs.String(), "Decrypt packet failed") {
				t.Errorf("the log does not say that packets do not decrypt:\n%s", a.logs)
			}
		})
	}
}

// A member that claims what cannot be is refused, and harms nobody.
func TestImpossibleMembers(t *testing.T) {
	d := &delegate{}
	good := memberlist.Node{Name: "x", Addr: net.IP{10, 0, 0, 1}, Port: 1}
	if err := d.NotifyAlive(&good); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*memberlist.Node){
		"no name":     func(n *memberlist.Node) { n.Name = "" },
		"long name":   func(n *memberlist.Node) { n.Name = strings.Repeat("x", 1000) },
		"much meta":   func(n *memberlist.Node) { n.Meta = make([]byte, 513) },
		"no address":  func(n *memberlist.Node) { n.Addr = nil },
		"odd address": func(n *memberlist.Node) { n.Addr = net.IP{1, 2, 3} },
		"any address": func(n *memberlist.Node) { n.Addr = net.IPv4zero },
		"multicast":   func(n *memberlist.Node) { n.Addr = net.IP{224, 0, 0, 1} },
		"no port":     func(n *memberlist.Node) { n.Port = 0 },
	} {
		n := good
		change(&n)
		if err := d.NotifyAlive(&n); err == nil {
			t.Errorf("%s: it is let in", what)
		}
	}
}

// talkative is memberlist with metadata over everybody's limit.
type talkative struct{ memberlist.Delegate }

func (talkative) NodeMeta(int) []byte           { return make([]byte, MaxMeta) }
func (talkative) LocalState(bool) []byte        { return bytes.Repeat([]byte("junk"), 100_000) }
func (talkative) MergeRemoteState([]byte, bool) {}
func (talkative) NotifyMsg([]byte)              {}
func (talkative) GetBroadcasts(overhead, limit int) [][]byte {
	return [][]byte{bytes.Repeat([]byte{255}, limit-overhead)}
}

// A member that is plain memberlist, with the most metadata there can be and
// broadcasts that are not ours, can be lived with.
func TestForeignMember(t *testing.T) {
	t.Parallel()
	a := start(t, Config{ID: "a"})
	c := tune()
	c.Name, c.BindAddr, c.BindPort, c.AdvertisePort = "foreign", "127.0.0.1", 0, 0
	c.LogOutput, c.Delegate = io.Discard, talkative{}
	list, err := memberlist.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	defer list.Shutdown()
	if _, err := list.Join([]string{a.Addr()}); err != nil {
		t.Fatal(err)
	}
	until(t, "it is a member", func() bool { return a.ids() == "foreign" })
	if n := len(a.Members()[0].Meta); n != MaxMeta {
		t.Errorf("it has %d bytes of metadata", n)
	}
	until(t, "its state is merged", func() bool { return len(a.merged()) > 0 })
	_ = list.Leave(time.Nanosecond) // waits for its broadcasts, and they never end
	until(t, "it has left", func() bool { return a.of("foreign") == "joined left" })
	if got := a.heard(); len(got) > 0 {
		t.Errorf("%d of its broadcasts were understood", len(got))
	}
}

// pipes is a transport whose streams the test makes.
func pipes(t *testing.T) (*transport, *host, func() []error) {
	h := newNetwork().host(0)
	var mu sync.Mutex
	var warnings []error
	tr := newTransport(h, func(err error) {
		mu.Lock()
		defer mu.Unlock()
		warnings = append(warnings, err)
	})
	t.Cleanup(func() { _ = tr.Shutdown() })
	return tr, h, func() []error {
		mu.Lock()
		defer mu.Unlock()
		return warnings
	}
}

func TestStreamsAreBounded(t *testing.T) {
	tr, h, warnings := pipes(t)
	var open []net.Conn
	for range maxStreams {
		_, there := net.Pipe()
		h.streams <- there
		open = append(open, <-tr.StreamCh())
	}
	here, there := net.Pipe()
	h.streams <- there
	if _, err := here.Read(make([]byte, 1)); err == nil {
		t.Error("one too many is let in")
	}
	if w := warnings(); len(w) != 1 || !errors.Is(w[0], errStreams) {
		t.Errorf("warnings: %v", w)
	}
	for range 2 {
		_ = open[0].Close()
	}
	_, there = net.Pipe()
	h.streams <- there
	<-tr.StreamCh()
}

// What is being dialled, and what came of it, is over when the transport is.
func TestShutdownWaitsForStreams(t *testing.T) {
	tr, h, _ := pipes(t)
	other := h.net.host(1)
	if _, err := tr.DialTimeout("10.0.0.9:1", time.Second); err == nil {
		t.Error("nobody was reached")
	}
	go func() { (<-other.streams).Close() }() // ends with the dial below
	c, err := tr.DialTimeout(other.addr.String(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_ = tr.Shutdown()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a stream goes on")
	}
	select {
	case <-tr.idle:
		t.Error("it is idle with a stream in use")
	default:
	}
	_ = c.Close()
	select {
	case <-tr.idle:
	default:
		t.Error("it is not idle without streams")
	}
	if _, err := tr.DialTimeout(other.addr.String(), time.Second); err == nil {
		t.Error("a new stream is made")
	}
}

func TestBytesInStreamsAreBounded(t *testing.T) {
	tr, h, warnings := pipes(t)
	open := func() net.Conn {
		here, there := net.Pipe()
		h.streams <- there
		go func() { // ends when the stream does
			b := make([]byte, 1<<20)
			for {
				if _, err := here.Write(b); err != nil {
					return
				}
			}
		}()
		return <-tr.StreamCh()
	}
	first, second := open(), open()
	if n, err := io.Copy(io.Discard, io.LimitReader(first, maxStreamBytes-1000)); err != nil {
		t.Fatalf("after %d bytes: %v", n, err)
	}
	if n, err := io.Copy(io.Discard, second); !errors.Is(err, errStreamBytes) || n > 1000 {
		t.Errorf("another %d bytes: %v", n, err)
	}
	if len(warnings()) == 0 {
		t.Error("nobody was warned")
	}
	_ = first.Close()
	_ = second.Close()
	third := open()
	if _, err := io.CopyN(io.Discard, third, 1<<20); err != nil {
		t.Errorf("after the others are closed: %v", err)
	}
	_ = third.Close()
}
