//go:build !unix

package wire

import (
	"io"
	"net"
)

// attempt is not made here: all is written by the connection's writer.
type attempt struct{}

func (*attempt) init(net.Conn)             {}
func (*attempt) able() bool                { return false }
func (*attempt) write([]byte) (int, error) { return 0, nil }

func readerOf(nc net.Conn) io.Reader { return nc }
