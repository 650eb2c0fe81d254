// Package wire is what two nodes say to each other over one connection:
// requests, replies and one-way messages, many at once and in any order. It
// knows nothing of what they mean.
//
// # The story of a request
//
// [Serve] accepts connections and [Dial] makes them; either end may ask. A
// connection begins with a handshake (handshake.go): TLS 1.3 where there are
// [Credentials] (credentials.go), then one opening frame each way. After that
// [Conn.Call] (call.go) gives the request a number, puts its frame (frame.go)
// behind those that wait to be written, and waits. Frames of all callers leave
// together, in one system call as far as they can (write.go). The reader at
// the other end (read.go) hands each request to the handler, which answers on
// the spot or later, from any goroutine, with [Conn.Reply] or [Conn.Fail]. The
// reply finds its caller by its number; a caller that has given up is no longer
// there, and the reply is dropped.
//
// # What is bounded
//
// Nobody waits for the peer to read: a frame that does not fit into the bytes
// that may wait ([Config.MaxQueue]) is refused with [ErrOverloaded], and a
// connection on which nothing can be written for [Config.WriteTimeout], or from
// which nothing comes for [Config.MaxSilence], ends (silence.go). A
// read buffer grows only with bytes that have come. A stranger on the port costs
// one goroutine until [Config.HandshakeTimeout]; of more than
// [Config.MaxHandshakes] the oldest is cut off. Log lines that strangers can
// cause are limited.
//
// # The bytes
//
// All numbers are big endian. Each side begins with one opening frame, the
// dialing side first:
//
//	magic    8  "peerwire"
//	length   2  of what follows; at most 4096
//	major    1  protocol version: the same on both sides, else the connection ends
//	minor    1  may differ
//	refusal  1  0: welcome; 1: other major version; 2: TLS is wanted;
//	            3: TLS is not spoken; 4: too many connections. Not 0: the end.
//	maxframe 4  the greatest frame length that the sender takes
//	hello    2  its length, then that many bytes for the layer above
//	flags    1  1: keep-alives are answered. It may be missing, and is where the
//	            dialing side has sent none: 0
//	...         what a later minor version may add is passed over
//
// Magic, length, major, minor and refusal stay as they are in all versions.
// Then come frames:
//
//	length   4  of what follows; from 6 to the receiver's maxframe
//	id       4  a number of the asking side's choice, not in use; 0 for one-way
//	            and keep-alives
//	type     1  1: request; 2: one-way; 3: reply; 4: failure; 5: keep-alive;
//	            6: the answer to one
//	kind     1  of a request or one-way: what it is; of a failure: its code;
//	            of a reply: 0
//	timeout  4  of a request only: microseconds that the asker waits from when
//	            it sent this; all ones: that many or more
//	body     .. of a failure: a text in UTF-8
//
// Each direction has its own numbers. Codes from 240 on are this package's own:
// [CodeUnknownKind] and [CodeTooLong]. A frame that breaks these rules ends the
// connection; a later minor version sends a new type only to a peer whose
// opening frame says that it knows it.
//
// Who closes a connection first ends its own half (the TCP FIN); the other then
// closes too. There is no frame for it.
//
// Inside TLS the same bytes are sent. A server with a secret answers a plain
// opening frame with a plain one of refusal 2, and a server without one answers
// a TLS ClientHello with a plain one of refusal 3, so that each side can say
// what is wrong.
package wire
