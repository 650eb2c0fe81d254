package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/peercache/peercache/cluster"
)

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

const (
	// startFor bounds the binding of ports and what a name's look-up takes.
	startFor = 30 * time.Second
	// drainFor is how long requests may still take when the node has left.
	drainFor = 2 * time.Second
	// abandonFor is how long a second signal waits for the node to close.
	abandonFor = 500 * time.Millisecond
)

// run is the whole program. It returns the exit status.
func run(args []string, env func(string) string, stdout, stderr io.Writer, signals <-chan os.Signal) int {
	cfg, err := parseConfig(args, env)
	switch {
	case errors.Is(err, errHelp):
		printUsage(stdout)
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "demo-node: %v\n", err)
		return exitUsage
	}
	log := cfg.logger(stderr)
	p, err := start(cfg, log)
	if err != nil {
		fmt.Fprintf(stderr, "demo-node: %v\n", err)
		return exitFailed
	}
	if err := p.announce(stdout); err != nil {
		log.Error("the first line cannot be written", "err", err)
		p.leave(signals, cfg.leaveTimeout)
		return exitFailed
	}
	failed := false
	select {
	case s := <-signals:
		log.Info("leaving", "signal", s.String())
	case err := <-p.served:
		p.served <- err
		log.Error("the HTTP server ended", "err", err)
		failed = true
	}
	if !p.leave(signals, cfg.leaveTimeout) || failed {
		return exitFailed
	}
	return exitOK
}

// process is the running node and its HTTP server.
type process struct {
	node     *cluster.Node
	server   *http.Server
	listener net.Listener
	served   chan error // how the server's goroutine ended, once
	log      *slog.Logger
}

func start(cfg config, log *slog.Logger) (*process, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startFor)
	defer cancel()
	secret, err := cfg.readSecret()
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", cfg.http)
	if err != nil {
		return nil, fmt.Errorf("-http %s: %w", cfg.http, err)
	}
	node, err := startNode(ctx, cfg, secret, log)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	a, err := newAPI(node, log)
	if err != nil {
		return nil, errors.Join(err, node.Close(), ln.Close())
	}
	if host, _, _ := net.SplitHostPort(ln.Addr().String()); !net.ParseIP(host).IsLoopback() {
		log.Warn("HTTP is open to whoever reaches it: it asks for no password", "http", ln.Addr().String())
	}
	p := &process{node: node, server: newServer(a, log), listener: ln, served: make(chan error, 1), log: log}
	go func() { p.served <- p.server.Serve(ln) }() // ended and awaited by stopHTTP
	return p, nil
}

// announce prints the addresses that the node really has.
func (p *process) announce(w io.Writer) error {
	line, err := json.Marshal(struct {
		Name   string `json:"name"`
		Gossip string `json:"gossip"`
		Peer   string `json:"peer"`
		HTTP   string `json:"http"`
	}{p.node.Name(), p.node.GossipAddr(), p.node.PeerAddr(), p.listener.Addr().String()})
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// leave lets the node leave the cluster and then ends the HTTP server. It
// tells whether that went in order; a signal cuts it short.
func (p *process) leave(signals <-chan os.Signal, timeout time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	left := make(chan error, 1)
	go func() { left <- p.node.Leave(ctx) }() // ends with ctx
	select {
	case err := <-left:
		if err != nil {
			p.log.Error("did not leave in order", "err", err)
		}
		return p.stopHTTP(drainFor) && err == nil
	case s := <-signals:
		p.log.Warn("ending at once", "signal", s.String())
		cancel()
		p.stopHTTP(0)
		select {
		case <-left:
		case <-time.After(abandonFor):
		}
		return false
	}
}

func (p *process) stopHTTP(drain time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	err := p.server.Shutdown(ctx)
	if err != nil {
		_ = p.server.Close() // the listener is closed by Shutdown
	}
	if s := <-p.served; !errors.Is(s, http.ErrServerClosed) {
		return false
	}
	if err != nil && drain > 0 {
		p.log.Warn("some requests were cut off", "err", err)
	}
	return true
}
