package cluster

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

var recordConversation = flag.Bool("conversation.record", false, "write "+conversationFile+" anew, as this version speaks")

// A conversation of protocol version 1.0, byte by byte: what a peer says (>) and
// what a node answers (<), with ?? for bytes that are the clock's or random, and for the
// node's own minor version.
// Nodes of every 1.x must understand the one and give the other. It is written
// anew only where the major version changes.
const conversationFile = "testdata/conversation-v1.txt"

// said is a line of it.
type said struct {
	by   byte // '>' or '<'
	data []byte
	any  []bool // beside data
	what string
}

func TestConversationOfVersion1(t *testing.T) {
	n := startNodes(t, 1, nil)[0]
	nc, err := net.Dial("tcp", n.PeerAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if *recordConversation {
		record := converse(t, nc)
		if err := os.WriteFile(conversationFile, record, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	lines := readConversation(t)
	if len(lines) < 10 {
		t.Fatalf("only %d lines", len(lines))
	}
	for _, l := range lines {
		if l.by == '>' {
			if _, err := nc.Write(l.data); err != nil {
				t.Fatalf("%s: %v", l.what, err)
			}
			continue
		}
		got := make([]byte, len(l.data))
		if _, err := io.ReadFull(nc, got); err != nil {
			t.Fatalf("%s: %v", l.what, err)
		}
		for i := range got {
			if got[i] != l.data[i] && !l.any[i] {
				t.Fatalf("%s: byte %d differs:\n got %x\nwant %x", l.what, i, got, l.data)
			}
		}
	}
}

func readConversation(t *testing.T) (lines []said) {
	t.Helper()
	f, err := os.Open(conversationFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	what := ""
	for scan := bufio.NewScanner(f); scan.Scan(); {
		text := scan.Text()
		if text == "" || text[0] == '#' {
			what = strings.TrimPrefix(text, "# ")
			continue
		}
		l := said{by: text[0], what: what}
		for _, b := range strings.Fields(text[1:]) {
			x, err := hex.DecodeString(strings.ReplaceAll(b, "??", "00"))
			if err != nil || len(x) != 1 {
				t.Fatalf("%s: %q is no byte", what, b)
			}
			l.data, l.any = append(l.data, x[0]), append(l.any, b == "??")
		}
		lines = append(lines, l)
	}
	return lines
}

// converse talks to a node as this version does, and returns what both said.
func converse(t *testing.T, nc net.Conn) []byte {
	t.Helper()
	var text bytes.Buffer
	line := func(by string, data []byte, unsaid func(i int) bool) {
		text.WriteString(by)
		for i, b := range data {
			if unsaid != nil && unsaid(i) {
				text.WriteString(" ??")
			} else {
				fmt.Fprintf(&text, " %02x", b)
			}
		}
		text.WriteString("\n")
	}
	say := func(what string, data []byte) {
		fmt.Fprintf(&text, "\n# %s\n", what)
		line(">", data, nil)
		if _, err := nc.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(head, lengthAt, width int, unsaid func(i int) bool) {
		b := make([]byte, head)
		if _, err := io.ReadFull(nc, b); err != nil {
			t.Fatal(err)
		}
		n := int(binary.BigEndian.Uint16(b[lengthAt:]))
		if width == 4 {
			n = int(binary.BigEndian.Uint32(b[lengthAt:]))
		}
		rest := make([]byte, n)
		if _, err := io.ReadFull(nc, rest); err != nil {
			t.Fatal(err)
		}
		line("<", append(b, rest...), unsaid)
	}
	text.WriteString("# See conversation_test.go.\n")

	hello := binary.BigEndian.AppendUint64(nil, 0x0123456789abcdef)
	opening := append([]byte("peerwire"), 0, byte(9+len(hello)), 1, 0, 0, 0, 0x10, 0, 0, 0, byte(len(hello)))
	say("both introduce themselves", append(opening, hello...))
	hear(10, 8, 2, func(i int) bool { return i == 11 || i >= 19 })

	id := uint32(0)
	request := func(what string, kind wire.Kind, body []byte, anyFrom, anyLen int) {
		id++
		b := binary.BigEndian.AppendUint32(nil, uint32(10+len(body)))
		b = binary.BigEndian.AppendUint32(b, id)
		b = append(b, 1, byte(kind))
		b = binary.BigEndian.AppendUint32(b, 10_000_000)
		say(what, append(b, body...))
		hear(4, 0, 4, func(i int) bool { return i >= anyFrom && i < anyFrom+anyLen })
	}
	const versionAt, versionLen = 4 + 6 + 2, 9
	const name, key = "conversation", "k"
	set := func(ttl time.Duration, value string) []byte {
		return append(appendString(appendString(appendDuration(nil, ttl), name), key), value...)
	}
	get := appendGet(nil, name, key, 0, false)
	request("get what is not there", kindGet, get, 0, 0)
	request("set", kindSet, set(0, "first"), 0, 0)
	request("get", kindGet, get, versionAt, versionLen)
	request("set to something else", kindSet, set(0, "second"), 0, 0)
	many := append([]byte{0}, appendDuration(nil, 0)...)
	many = appendString(many, name)
	many = binary.AppendUvarint(many, 2)
	many = appendString(appendString(many, key), "another")
	request("get two keys", kindMany, many, versionAt+1, versionLen)
	request("delete", kindDelete, set(0, ""), 0, 0)
	request("get what was deleted", kindGet, get, 0, 0)
	request("a kind of request that is not known", 200, []byte("?"), 0, 0)
	request("a get with a key that is missing", kindGet, appendGet(nil, name, "", 0, false), 0, 0)

	batch := binary.BigEndian.AppendUint32(nil, 3)
	batch = append(batch, 250, 1, 2) // a message of a kind that is not known
	b := binary.BigEndian.AppendUint32(nil, uint32(6+len(batch)))
	b = append(b, 0, 0, 0, 0, 2, byte(kindBatch))
	say("a message of a kind that is not known has no answer", append(b, batch...))
	request("and the connection goes on", kindGet, get, 0, 0)
	return text.Bytes()
}

// Who speaks 1.1 is told the version of what it has written, and of nothing else more.
func TestWrittenNamesItsVersion(t *testing.T) {
	n := startNodes(t, 1, nil)[0]
	for minor := range uint8(3) {
		set := wire.Config{Protocol: wire.Version{Major: spoken.Major, Minor: minor}, Hello: binary.BigEndian.AppendUint64(nil, 7)}
		c, err := wire.Dial(t.Context(), n.PeerAddr(), set, func(*wire.Conn, wire.Request) {})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, kind := range []wire.Kind{kindSet, kindDelete, kindGet} {
			body := append(appendString(appendString(appendDuration(nil, 0), "c"), "k"), "v"...)
			if kind == kindGet {
				body = appendGet(nil, "c", "k", 0, false)
			}
			b, err := c.Call(t.Context(), kind, body, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			var a protocol.Answer
			if _, err := decodeAnswer(b, &a); err != nil || (a.Version > 0) != (minor > 0 && kind != kindGet) {
				t.Errorf("minor version %d, kind %d: %+v, %v", minor, kind, a, err)
			}
		}
	}
}

// A node of another major version is refused with both versions, and no harm.
func TestOtherMajorVersion(t *testing.T) {
	n := startNodes(t, 1, nil)[0]
	set := wire.Config{Protocol: wire.Version{Major: spoken.Major + 1}, Hello: binary.BigEndian.AppendUint64(nil, 7)}
	_, err := wire.Dial(t.Context(), n.PeerAddr(), set, func(*wire.Conn, wire.Request) {})
	if err == nil || !strings.Contains(err.Error(), "1.1") || !strings.Contains(err.Error(), "2.0") {
		t.Errorf("error %v", err)
	}
}
