package wire_test

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/peercache/peercache/internal/wire"
)

func Example() {
	cred, err := wire.NewCredentials("known to all the nodes", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := wire.Config{Protocol: wire.Version{Major: 1}, Credentials: cred}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := wire.Serve(ln, cfg, func(c *wire.Conn, r wire.Request) {
		_ = c.Reply(r.ID, append([]byte("hello, "), r.Body...))
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	c, err := wire.Dial(context.Background(), server.Addr().String(), cfg, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	reply, err := c.Call(context.Background(), 1, []byte("peer"), time.Second)
	fmt.Println(string(reply), err)
	// Output: hello, peer <nil>
}
