package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestParseFrame(t *testing.T) {
	request := appendRequest(nil, 7, 3, 1500*time.Microsecond, []byte("body"))
	for _, test := range []struct {
		name string
		in   []byte
		size int
		err  error
		says string
	}{
		{"nothing", nil, 0, nil, ""},
		{"part of the length", request[:3], 0, nil, ""},
		{"part of the head", request[:9], 0, nil, ""},
		{"part of the body", request[:len(request)-1], 0, nil, ""},
		{"request", request, len(request), nil, ""},
		{"with more behind it", append(bytes.Clone(request), 1, 2), len(request), nil, ""},
		{"too long", []byte{0, 0, 4, 1}, 0, ErrTooLong, "1025 bytes, over the limit of 1024"},
		{"all ones", []byte{255, 255, 255, 255}, 0, ErrTooLong, "4294967295"},
		{"shorter than the head", []byte{0, 0, 0, 5}, 0, ErrProtocol, "frame of 5 bytes"},
		{"request without timeout", appendFrame(nil, 7, typeRequest, 1, []byte{1, 2, 3}), 0, ErrProtocol, "request of 9 bytes"},
		{"unknown type", appendFrame(nil, 7, 9, 1, nil), 0, ErrProtocol, "frame type 9"},
		{"reply to nobody", appendFrame(nil, 0, typeReply, 0, nil), 0, ErrProtocol, "id 0"},
		{"one-way with a number", appendFrame(nil, 1, typeOneWay, 0, nil), 0, ErrProtocol, "id 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, size, err := parseFrame(test.in, 1024)
			if size != test.size || !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
				t.Fatalf("size %d and error %v, not %d and %v", size, err, test.size, test.err)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Fatalf("%q does not say %q", err, test.says)
			}
		})
	}
	f, _, _ := parseFrame(request, 1024)
	if f.id != 7 || f.typ != typeRequest || f.kind != 3 || f.timeout != 1500*time.Microsecond || string(f.body) != "body" {
		t.Fatalf("got %+v", f)
	}
}

// The layout is what others rely on: it is written out once here.
func TestFrameLayout(t *testing.T) {
	for _, test := range []struct{ got, want []byte }{
		{
			appendRequest(nil, 0x01020304, 5, 6*time.Microsecond, []byte("b")),
			[]byte{0, 0, 0, 11, 1, 2, 3, 4, 1, 5, 0, 0, 0, 6, 'b'},
		},
		{appendFrame(nil, 9, typeReply, 0, []byte("b")), []byte{0, 0, 0, 7, 0, 0, 0, 9, 3, 0, 'b'}},
		{
			(&opening{version: Version{1, 2}, refusal: 3, maxFrame: 4 << 20, hello: []byte("hi")}).append(nil),
			[]byte("peerwire\x00\x0b\x01\x02\x03\x00\x40\x00\x00\x00\x02hi"),
		},
		{
			(&opening{version: Version{1, 2}, maxFrame: 4 << 20, hello: []byte("hi"), answers: true}).append(nil),
			[]byte("peerwire\x00\x0c\x01\x02\x00\x00\x40\x00\x00\x00\x02hi\x01"),
		},
		{appendFrame(nil, 0, typeKeepAlive, 0, nil), []byte{0, 0, 0, 6, 0, 0, 0, 0, 5, 0}},
		{appendFrame(nil, 0, typeAlive, 0, nil), []byte{0, 0, 0, 6, 0, 0, 0, 0, 6, 0}},
	} {
		if !bytes.Equal(test.got, test.want) {
			t.Errorf("% x, not % x", test.got, test.want)
		}
	}
}

func TestMicroseconds(t *testing.T) {
	for in, want := range map[time.Duration]uint32{
		-1: 0, 0: 0, 1: 1, time.Microsecond: 1, time.Microsecond + 1: 2, time.Second: 1e6,
		2 * time.Hour: math.MaxUint32, math.MaxInt64: math.MaxUint32,
	} {
		if got := microseconds(in); got != want {
			t.Errorf("%v is %d, not %d", in, got, want)
		}
	}
}

func TestCallNumbers(t *testing.T) {
	var table calls
	table.last = math.MaxUint32 - 5 // so that the numbers wrap on the way
	slow := &call{}
	table.add(slow)
	seen := map[uint32]bool{0: true, slow.id: true}
	var open []*call
	for range 1000 {
		k := &call{}
		table.add(k)
		if seen[k.id] {
			t.Fatalf("number %d twice, or 0", k.id)
		}
		seen[k.id] = true
		if open = append(open, k); len(open) > 40 {
			if got := table.take(open[0].id); got != open[0] {
				t.Fatalf("call %d is not there", open[0].id)
			}
			if table.take(open[0].id) != nil || table.has(open[0].id) {
				t.Fatalf("call %d is there after it was taken", open[0].id)
			}
			open = open[1:]
		}
	}
	if table.take(slow.id) != slow {
		t.Fatal("the slow call was lost")
	}
	if len(table.table) > 256 || table.count != len(open) {
		t.Fatalf("a table of %d for %d calls, %d counted", len(table.table), len(open), table.count)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(appendRequest(nil, 7, 3, time.Second, []byte("body")))
	f.Add(appendFrame(appendFrame(nil, 1, typeReply, 0, []byte("a")), 0, typeOneWay, 3, []byte("b")))
	f.Add(appendFrame(nil, 1, typeFailure, 3, []byte("no")))
	f.Add([]byte{0, 0, 3, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		rest := b
		for {
			fr, size, err := parseFrame(rest, MinMaxFrame)
			if size == 0 || err != nil {
				break
			}
			var again []byte
			if fr.typ == typeRequest {
				again = appendRequest(nil, fr.id, Kind(fr.kind), fr.timeout, fr.body)
			} else {
				again = appendFrame(nil, fr.id, fr.typ, fr.kind, fr.body)
			}
			if !bytes.Equal(again, rest[:size]) {
				t.Fatalf("% x became % x", rest[:size], again)
			}
			rest = rest[size:]
		}
		readAll(t, bytes.NewReader(b))
		readAll(t, iotest.HalfReader(bytes.NewReader(b)))
	})
}

// readAll has a connection read the bytes, with a call under way.
func readAll(t *testing.T, in io.Reader) {
	set, err := newSettings(Config{MaxFrame: 100 << 10})
	if err != nil {
		t.Fatal(err)
	}
	e := established{nc: &script{in: in}, peer: opening{maxFrame: MinMaxFrame}}
	c := newConn(set, echo, e)
	k := newCall()
	c.waiting.add(k)
	go c.writer() // ends with the connection
	err = c.read()
	if err == nil {
		t.Fatal("reading ended without a reason")
	}
	c.end(err)
	c.running.Done()
	c.running.Wait()
	<-k.done
}
