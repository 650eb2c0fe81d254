package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
)

// A stream outlives a cut; what stalled in it is sent again after pauses that
// double.
func TestStreamOutlivesCut(t *testing.T) {
	for _, c := range []struct{ cut, arrives time.Duration }{
		{50 * time.Millisecond, 200 * time.Millisecond},
		{time.Second, 1400 * time.Millisecond},       // 200, 600, 1400 ms
		{10 * time.Second, 12600 * time.Millisecond}, // …, 6.2 s, 12.6 s
	} {
		simulated(t, Link{Latency: lat}, func(t *testing.T, n *Network, a, b *Process) {
			x, y := connect(t, a, b)
			n.Split([]string{"a"}, []string{"b"}, BlackHole)
			begin := time.Now()
			write(t, x, "one")
			write(t, x, "two")
			time.AfterFunc(c.cut, n.Heal)
			read(t, y, "onetwo")
			if took := time.Since(begin); took != c.arrives+lat {
				t.Errorf("after a cut of %v it arrived at %v, not %v", c.cut, took, c.arrives+lat)
			}
		})
	}
}

// With one way cut the other goes on, but nobody learns that anything arrives.
func TestOneWayCut(t *testing.T) {
	simulated(t, Link{Latency: lat}, func(t *testing.T, n *Network, a, b *Process) {
		x, y := connect(t, a, b)
		n.Cut("b", "a", BlackHole)
		write(t, x, "heard")
		read(t, y, "heard")
		write(t, y, "unheard")
		_ = x.SetReadDeadline(time.Now().Add(10 * time.Second))
		fails(t, x, os.ErrDeadlineExceeded)
		_ = x.SetDeadline(time.Time{})
		_ = x.SetWriteDeadline(time.Now().Add(time.Second))
		go func() { // ends with the stream
			b := make([]byte, 64<<10)
			for {
				if _, err := y.Read(b); err != nil {
					return
				}
			}
		}()
		k, err := x.Write(make([]byte, 2*DefaultBuffer))
		if k >= DefaultBuffer || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d without a word from the peer: %v", k, err)
		}
		_ = x.SetWriteDeadline(time.Time{})
		n.Heal()
		if _, err := x.Write(make([]byte, 2*DefaultBuffer)); err != nil {
			t.Error(err)
		}
		read(t, x, "unheard")
	})
}

// Over a link that flaps, a stream brings everything, in order, though later;
// packets get through while it is open.
func TestFlappingLink(t *testing.T) {
	simulated(t, Link{Latency: lat}, func(t *testing.T, n *Network, a, b *Process) {
		x, y := connect(t, a, b)
		from, to := transports(t, a, b)
		const rounds, shut, open = 20, 700 * time.Millisecond, 300 * time.Millisecond
		got := make(chan string)
		go func() { // ends when the stream does
			b, _ := io.ReadAll(y)
			got <- string(b)
		}()
		want := ""
		for i := range rounds {
			n.Split([]string{"a"}, []string{"b"}, BlackHole)
			send := fmt.Sprintf("%d,", i)
			want += send
			write(t, x, send)
			_, _ = from.WriteTo([]byte("lost"), "10.0.0.2:7946")
			time.Sleep(shut)
			n.Heal()
			_, _ = from.WriteTo([]byte("heard"), "10.0.0.2:7946")
			time.Sleep(open)
		}
		begin := time.Now()
		_ = x.Close()
		if s := <-got; s != want {
			t.Errorf("read %q, not %q", s, want)
		}
		if took := time.Since(begin); took > lastResend {
			t.Errorf("it took %v more", took)
		}
		for range rounds {
			if p := <-to.PacketCh(); string(p.Buf) != "heard" {
				t.Errorf("a packet says %q", p.Buf)
			}
		}
		if k := len(to.PacketCh()); k > 0 {
			t.Errorf("%d packets too many", k)
		}
	})
}

func TestStreamTimesOut(t *testing.T) {
	for _, busy := range []bool{false, true} {
		simulated(t, Link{Latency: lat}, func(t *testing.T, n *Network, a, b *Process) {
			x, _ := connect(t, a, b)
			n.Split([]string{"a"}, []string{"b"}, BlackHole)
			begin := time.Now()
			want := keepAliveFor
			if busy {
				write(t, x, "never arrives")
				want = retransmitFor
			}
			fails(t, x, syscall.ETIMEDOUT)
			if took := time.Since(begin); took != want {
				t.Errorf("it took %v, not %v", took, want)
			}
		})
	}
}

func TestRefuseResetsStreams(t *testing.T) {
	simulated(t, Link{Latency: lat}, func(t *testing.T, n *Network, a, b *Process) {
		x, y := connect(t, a, b)
		n.Cut("a", "b", Refuse)
		write(t, x, "into the wall")
		fails(t, x, syscall.ECONNRESET)
		n.Heal()
		write(t, y, "who is there")
		fails(t, y, syscall.ECONNRESET)
	})
}

func TestKill(t *testing.T) {
	simulated(t, Link{Latency: lat}, func(t *testing.T, n *Network, a, b *Process) {
		x, y := connect(t, a, b)
		write(t, y, "arrives")
		time.Sleep(2 * lat)
		write(t, y, "is lost")
		b.Kill()
		read(t, x, "arrives")
		begin := time.Now()
		fails(t, x, syscall.ECONNRESET)
		if took := time.Since(begin); took != lat {
			t.Errorf("the reset came after %v, not %v", took, lat)
		}
		fails(t, y, net.ErrClosed)
		if _, err := dialErr(a, addrB, time.Minute); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialling who was killed: %v", err)
		}
		if _, err := dialErr(b, "10.0.0.1:80", time.Minute); !errors.Is(err, net.ErrClosed) {
			t.Errorf("who was killed dials: %v", err)
		}
		next := b.host.Process()
		connect(t, a, next)
	})
}

func TestCrashAndRestart(t *testing.T) {
	for _, addr := range []string{"", "10.0.0.20"} {
		t.Run("restart at "+addr, func(t *testing.T) {
			simulated(t, Link{Latency: lat}, func(t *testing.T, n *Network, a, b *Process) {
				x, _ := connect(t, a, b)
				idle, _ := connect(t, a, b)
				b.host.Crash()
				begin := time.Now()
				write(t, x, "anybody")
				if took, err := dialErr(a, addrB, 5*time.Second); !errors.Is(err, os.ErrDeadlineExceeded) || took != 5*time.Second {
					t.Errorf("dialling a host without power: %v after %v", err, took)
				}
				b.host.Restart(addr)
				fails(t, idle, syscall.ETIMEDOUT)
				if took := time.Since(begin); took != keepAliveFor {
					t.Errorf("the idle stream ended after %v", took)
				}
				next := b.host.Process()
				if addr != "" {
					fails(t, x, syscall.ETIMEDOUT)
					if took := time.Since(begin); took != retransmitFor {
						t.Errorf("the busy stream ended after %v", took)
					}
					if _, err := next.Listen(context.Background(), "tcp", addrB); !errors.Is(err, syscall.EADDRNOTAVAIL) {
						t.Errorf("listening on the old address: %v", err)
					}
					return
				}
				fails(t, x, syscall.ECONNRESET) // the next time that it was sent
				connect(t, a, next)
			})
		})
	}
}

func TestFreeze(t *testing.T) {
	simulated(t, Link{Latency: lat}, func(t *testing.T, n *Network, a, b *Process) {
		x, y := connect(t, a, b)
		ln, err := b.Listen(context.Background(), "tcp", addrB)
		if err != nil {
			t.Fatal(err)
		}
		b.Freeze()
		if _, err := dialErr(a, addrB, time.Minute); err != nil {
			t.Errorf("the host does not accept for a frozen process: %v", err)
		}
		write(t, x, "ping")
		got := make(chan time.Time, 3)
		_ = y.SetDeadline(time.Now().Add(time.Second))
		go func() { // these end when it is thawed
			_, _ = ln.Accept()
			got <- time.Now()
		}()
		go func() {
			_, err := y.Read(make([]byte, 1))
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("reading: %v", err)
			}
			got <- time.Now()
		}()
		go func() {
			_, err := dialErr(b, "10.0.0.1:80", time.Hour)
			if !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dialling: %v", err)
			}
			got <- time.Now()
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(got) > 0 {
			t.Error("a frozen process has done something")
		}
		b.Thaw()
		for range 3 {
			if at := time.Since(<-got); at > 0 {
				t.Errorf("done %v too early", at)
			}
		}
		_ = y.SetDeadline(time.Time{})
		read(t, y, "ping")
	})
}

func transports(t *testing.T, a, b *Process) (x, y *Transport) {
	t.Helper()
	x, err := a.Transport("10.0.0.1:7946")
	if err != nil {
		t.Fatal(err)
	}
	y, err = b.Transport("10.0.0.2:7946")
	if err != nil {
		t.Fatal(err)
	}
	return x, y
}

func TestPackets(t *testing.T) {
	const sent = 2000
	simulated(t, Link{Latency: lat, Jitter: lat, Loss: 0.25}, func(t *testing.T, n *Network, a, b *Process) {
		x, y := transports(t, a, b)
		begin := time.Now()
		got, order := 0, 0
		last := ""
		recv := make(chan struct{})
		go func() { // ends when nothing comes any longer
			defer close(recv)
			for {
				select {
				case p := <-y.PacketCh():
					got++
					if p.From.String() != "10.0.0.1:7946" || p.Timestamp.Sub(begin) < lat {
						t.Errorf("from %v at %v", p.From, p.Timestamp.Sub(begin))
					}
					if string(p.Buf) < last {
						order++
					}
					last = string(p.Buf)
				case <-time.After(time.Second):
					return
				}
			}
		}()
		for i := range sent {
			if _, err := x.WriteTo(fmt.Appendf(nil, "%05d", i), "10.0.0.2:7946"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		<-recv
		if got < sent*70/100 || got > sent*80/100 {
			t.Errorf("%d of %d packets came, a quarter is to be lost", got, sent)
		}
		if order == 0 {
			t.Error("no packet has overtaken another")
		}
		if s := n.Stats(); s.Packets != sent || s.Lost != uint64(sent-got) {
			t.Errorf("%+v, but %d came", s, got)
		}
		if _, err := x.WriteTo(make([]byte, maxPacket+1), "10.0.0.2:7946"); !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("a packet that is too long: %v", err)
		}
		_ = y.Shutdown()
		_ = y.Shutdown()
		if _, err := x.WriteTo([]byte("x"), "10.0.0.2:7946"); err != nil {
			t.Errorf("to nobody: %v", err)
		}
		if _, err := y.WriteTo([]byte("x"), "10.0.0.1:7946"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after shutting down: %v", err)
		}
		if _, err := x.DialTimeout("10.0.0.2:7946", time.Minute); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialling who is shut down: %v", err)
		}
	})
}

// Packets that came while a process was frozen wait for it, those that it sends
// do not go.
func TestPacketsToTheFrozen(t *testing.T) {
	simulated(t, Link{Latency: lat}, func(t *testing.T, n *Network, a, b *Process) {
		x, y := transports(t, a, b)
		b.Freeze()
		_, _ = x.WriteTo([]byte("in"), "10.0.0.2:7946")
		_, _ = y.WriteTo([]byte("out"), "10.0.0.1:7946")
		time.Sleep(time.Second)
		if len(y.PacketCh()) != 0 || len(x.PacketCh()) != 0 {
			t.Error("packets came through")
		}
		b.Thaw()
		if p := <-y.PacketCh(); string(p.Buf) != "in" {
			t.Errorf("%q", p.Buf)
		}
	})
}

func TestBandwidth(t *testing.T) {
	simulated(t, Link{Latency: lat, Bandwidth: 1 << 20}, func(t *testing.T, n *Network, a, b *Process) {
		x, y := connect(t, a, b)
		begin := time.Now()
		go func() { // ends with the write
			_, _ = x.Write(make([]byte, 2<<20))
		}()
		for left := 2 << 20; left > 0; {
			k, err := y.Read(make([]byte, 64<<10))
			if err != nil {
				t.Fatal(err)
			}
			left -= k
		}
		if took := time.Since(begin); took < 2*time.Second || took > 2*time.Second+5*lat {
			t.Errorf("2 MiB took %v at 1 MiB a second", took)
		}
	})
}

// Memberlist itself lives on it, sees who is killed, and leaves nothing behind.
func TestMemberlist(t *testing.T) {
	simulated(t, LAN(), func(t *testing.T, n *Network, _, _ *Process) {
		var lists []*memberlist.Memberlist
		var procs []*Process
		for i := range 5 {
			p := n.Host(fmt.Sprint("m", i), fmt.Sprintf("10.0.1.%d", i+1)).Process()
			tr, err := p.Transport(fmt.Sprintf("10.0.1.%d:7946", i+1))
			if err != nil {
				t.Fatal(err)
			}
			c := memberlist.DefaultLANConfig()
			c.Name, c.Transport, c.LogOutput = fmt.Sprint("m", i), tr, discard{}
			m, err := memberlist.Create(c)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Join([]string{"10.0.1.1:7946"}); err != nil {
				t.Fatal(err)
			}
			lists, procs = append(lists, m), append(procs, p)
		}
		time.Sleep(5 * time.Second)
		for i, m := range lists {
			if k := m.NumMembers(); k != 5 {
				t.Errorf("m%d knows %d members", i, k)
			}
		}
		procs[4].Kill()
		_ = lists[4].Shutdown()
		time.Sleep(30 * time.Second)
		for i, m := range lists[:4] {
			if k := m.NumMembers(); k != 4 {
				t.Errorf("m%d knows %d members after one was killed", i, k)
			}
			if err := m.Shutdown(); err != nil {
				t.Error(err)
			}
		}
	})
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// The same seed and the same sends give the same network.
func TestSeed(t *testing.T) {
	run := func(seed uint64) (trace string) {
		synctest.Test(t, func(t *testing.T) {
			n := New(Config{Seed: seed, Link: Link{Latency: lat, Jitter: lat, Loss: 0.3}})
			defer n.Close()
			begin := time.Now()
			x, y := transports(t, n.Host("a", "10.0.0.1").Process(), n.Host("b", "10.0.0.2").Process())
			for i := range 200 {
				_, _ = x.WriteTo([]byte{byte(i)}, "10.0.0.2:7946")
			}
			time.Sleep(time.Second)
			for len(y.PacketCh()) > 0 {
				p := <-y.PacketCh()
				trace += fmt.Sprint(p.Buf[0], p.Timestamp.Sub(begin), " ")
			}
		})
		return trace
	}
	first := run(1)
	if run(1) != first {
		t.Error("the same seed, and not the same packets")
	}
	if run(2) == first {
		t.Error("another seed, and the same packets")
	}
}

// Closing ends everything that waits.
func TestNetworkCloses(t *testing.T) {
	simulated(t, LAN(), func(t *testing.T, n *Network, a, b *Process) {
		x, y := connect(t, a, b)
		ln, _ := b.Listen(context.Background(), "tcp", addrB)
		over := make(chan error, 4)
		go func() { _, err := x.Read(make([]byte, 1)); over <- err }() // these end with the network
		go func() { _, err := y.Write(make([]byte, 2*DefaultBuffer)); over <- err }()
		go func() { _, err := ln.Accept(); over <- err }()
		go func() { _, err := a.Dial(context.Background(), "tcp", "10.0.0.9:1"); over <- err }()
		synctest.Wait()
		n.Close()
		n.Close()
		for range 4 {
			if err := <-over; !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v", err)
			}
		}
		if _, err := a.Transport("10.0.0.1:1"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a transport of a closed network: %v", err)
		}
	})
}

// Something on the way forgets a stream: nothing comes through, in neither
// direction, and nobody is told; a new one can be made.
func TestForgottenStream(t *testing.T) {
	for _, busy := range []bool{false, true} {
		simulated(t, Link{Latency: lat}, func(t *testing.T, n *Network, a, b *Process) {
			x, y := connect(t, a, b)
			write(t, x, "before")
			read(t, y, "before")
			n.Forget("a", "b")
			begin := time.Now()
			want := keepAliveFor
			if busy {
				write(t, x, "never arrives")
				want = retransmitFor
			}
			again, other := connect(t, a, b)
			write(t, again, "anew")
			read(t, other, "anew")
			fails(t, x, syscall.ETIMEDOUT)
			if took := time.Since(begin); took != want {
				t.Errorf("busy: %v: it took %v, not %v", busy, took, want)
			}
			fails(t, y, syscall.ETIMEDOUT)
			if took := time.Since(begin); took != max(keepAliveFor, want) && took != want {
				t.Errorf("the other side: it took %v", took)
			}
		})
	}
}

// SetLinger(0) takes back what has not arrived.
func TestLinger(t *testing.T) {
	simulated(t, Link{Latency: lat}, func(t *testing.T, n *Network, a, b *Process) {
		x, y := connect(t, a, b)
		n.Cut("a", "b", BlackHole)
		write(t, x, "taken back")
		time.Sleep(time.Second)
		if err := x.(interface{ SetLinger(int) error }).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		_ = x.Close()
		n.Heal()
		time.Sleep(lastResend)
		_ = y.SetReadDeadline(time.Now())
		if k, err := y.Read(make([]byte, 100)); k > 0 || err == nil {
			t.Errorf("%d bytes came, %v", k, err)
		}
	})
}

// A segment that is lost again and again is sent again after 200 ms and then
// twice as long each time. (With another seed one of them may be given up.)
func TestLostAgainAndAgain(t *testing.T) {
	simulatedFrom(t, 1, Link{Latency: lat}, func(t *testing.T, n *Network, a, b *Process) {
		x, y := connect(t, a, b)
		n.SetLink("a", "b", Link{Latency: lat, Loss: 0.7})
		seen := make(map[time.Duration]bool)
		most := time.Duration(0)
		for range 100 {
			begin := time.Now()
			write(t, x, "x")
			read(t, y, "x")
			took := time.Since(begin) - lat
			seen[took] = true
			most = max(most, took)
		}
		for wait, sum := firstResend, firstResend; sum <= 12600*time.Millisecond; {
			if !seen[sum] {
				t.Errorf("never after %v, but after %v", sum, seen)
			}
			wait *= 2
			sum += wait
		}
		if most < 6*time.Second {
			t.Errorf("%v at most", most)
		}
	})
}
