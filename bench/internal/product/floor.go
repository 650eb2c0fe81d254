package product

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/peercache/peercache/bench/internal/load"
)

// The floor is the least that moves the same bytes: one connection, frames of
// length, number and body both ways, and writes that are combined. It knows no
// context, deadline or reconnect, and its only value is a map's. Of several servers it
// asks all at once and waits for each, as who has to hear from all nodes must.
const (
	floorHead   = 8 // length of the body, number of the request
	floorBuffer = 64 << 10
	// FloorKeys is how many of load's keys the floor's server has.
	FloorKeys = 10_000
)

func openFloor(_ context.Context, p Place, others []json.RawMessage) (*Part, error) {
	if p.Serve {
		return serveFloor(p.TLS)
	}
	var all floorClients
	for _, other := range others {
		c, err := dialFloor(other, p.TLS)
		if err != nil {
			all.close()
			return nil, err
		}
		all = append(all, c)
	}
	return &Part{Get: all.get, Load: true, Close: all.close}, nil
}

func dialFloor(where json.RawMessage, secure bool) (*floorClient, error) {
	addr, err := decode[string](where)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	}
	c := &floorClient{out: combiner{conn: conn}, waiting: make(map[uint32]chan []byte)}
	go c.read() // ends with close
	return c, nil
}

// floorClients are the connections of a client.
type floorClients []*floorClient

func (cs floorClients) close() {
	for _, c := range cs {
		_ = c.out.conn.Close()
	}
}

func (cs floorClients) get(_ context.Context, key string) (v []byte, err error) {
	if len(cs) == 1 {
		ch, err := cs[0].ask(key)
		if err != nil {
			return nil, err
		}
		return cs[0].wait(ch)
	}
	asked := make([]chan []byte, len(cs))
	for i, c := range cs {
		if asked[i], err = c.ask(key); err != nil {
			return nil, err
		}
	}
	for i, c := range cs {
		if v, err = c.wait(asked[i]); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// combiner is a connection whose writers put their frames into one buffer. The
// first to come writes for all.
type combiner struct {
	conn net.Conn

	mu    sync.Mutex // guards what follows
	buf   []byte
	spare []byte
	busy  bool // somebody is writing
}

// send writes a frame. It returns before that is out, if somebody else writes.
func (c *combiner) send(number uint32, body []byte) error {
	c.mu.Lock()
	c.buf = binary.LittleEndian.AppendUint32(c.buf, uint32(len(body)))
	c.buf = binary.LittleEndian.AppendUint32(c.buf, number)
	c.buf = append(c.buf, body...)
	if c.busy {
		c.mu.Unlock()
		return nil
	}
	c.busy = true
	for len(c.buf) > 0 {
		c.mu.Unlock()
		runtime.Gosched() // others add theirs
		c.mu.Lock()
		out := c.buf
		c.buf = c.spare[:0]
		c.mu.Unlock()
		_, err := c.conn.Write(out)
		c.mu.Lock()
		c.spare = out
		if err != nil {
			c.mu.Unlock()
			return err
		}
	}
	c.busy = false
	c.mu.Unlock()
	return nil
}

type floorClient struct {
	out combiner

	mu      sync.Mutex // guards what follows
	waiting map[uint32]chan []byte
	next    uint32
	gone    bool

	chans sync.Pool
}

func (c *floorClient) ask(key string) (chan []byte, error) {
	ch, _ := c.chans.Get().(chan []byte)
	if ch == nil {
		ch = make(chan []byte, 1)
	}
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		return nil, io.ErrClosedPipe
	}
	c.next++
	number := c.next
	c.waiting[number] = ch
	c.mu.Unlock()
	var body [load.KeyLen]byte
	if err := c.out.send(number, body[:copy(body[:], key)]); err != nil {
		return nil, err
	}
	return ch, nil
}

func (c *floorClient) wait(ch chan []byte) ([]byte, error) {
	v, ok := <-ch
	if !ok {
		return nil, io.ErrUnexpectedEOF
	}
	c.chans.Put(ch)
	return v, nil
}

func (c *floorClient) read() {
	in := bufio.NewReaderSize(c.out.conn, floorBuffer)
	var head [floorHead]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			break
		}
		v := make([]byte, binary.LittleEndian.Uint32(head[:]))
		if _, err := io.ReadFull(in, v); err != nil {
			break
		}
		number := binary.LittleEndian.Uint32(head[4:])
		c.mu.Lock()
		ch := c.waiting[number]
		delete(c.waiting, number)
		c.mu.Unlock()
		if ch != nil {
			ch <- v
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	for _, ch := range c.waiting {
		close(ch)
	}
}

func serveFloor(secure bool) (*Part, error) {
	values := make(map[string][]byte)
	for _, k := range load.Keys(0, FloorKeys) {
		values[k] = load.Value(k)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().String()
	if secure {
		cert, err := selfSigned()
		if err != nil {
			return nil, err
		}
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13})
	}
	go accept(ln, func(conn net.Conn) { _ = serveFloorConn(conn, values) })
	return &Part{Where: addr, Close: func() { _ = ln.Close() }}, nil
}

// accept serves each connection until it ends. It ends with the listener.
func accept(ln net.Listener, serve func(net.Conn)) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() { // ends with the connection
			defer func() { _ = conn.Close() }()
			serve(conn)
		}()
	}
}

// serveFloorConn answers what has come in, and writes all answers at once when
// nothing more is there.
func serveFloorConn(conn net.Conn, values map[string][]byte) error {
	in := bufio.NewReaderSize(conn, floorBuffer)
	out := bufio.NewWriterSize(conn, 4*floorBuffer)
	var head [floorHead]byte
	var key [load.KeyLen]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		n := binary.LittleEndian.Uint32(head[:])
		if n > load.KeyLen {
			return fmt.Errorf("a key of %d bytes", n)
		}
		if _, err := io.ReadFull(in, key[:n]); err != nil {
			return err
		}
		v, ok := values[string(key[:n])]
		if !ok {
			return errors.New("no such key")
		}
		binary.LittleEndian.PutUint32(head[:], uint32(len(v)))
		if _, err := out.Write(head[:]); err != nil {
			return err
		}
		if _, err := out.Write(v); err != nil {
			return err
		}
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
