package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// node is a running node as its first line describes it.
type node struct {
	Name    string   `json:"name"`
	Gossip  string   `json:"gossip"`
	Peer    string   `json:"peer"`
	HTTP    string   `json:"http"`
	URL     string   `json:"-"`
	process *process // nil in tests
}

// requestFor is more than a node takes for any call.
const requestFor = 10 * time.Second

// client calls nodes over HTTP. It counts nothing and retries nothing.
type client struct{ http *http.Client }

func newClient() *client {
	return &client{&http.Client{Timeout: requestFor, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

// close ends the connections that are kept.
func (c *client) close() { c.http.CloseIdleConnections() }

// reply is what a node answered.
type reply struct {
	status int
	from   string // Peercache-From
	body   []byte
	took   time.Duration
}

func (c *client) call(ctx context.Context, n *node, method, path string, body []byte) (reply, error) {
	begun := time.Now()
	req, err := http.NewRequestWithContext(ctx, method, n.URL+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return reply{}, fmt.Errorf("%s: %w", n.Name, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, fmt.Errorf("%s: %s %s: %w", n.Name, method, path, err)
	}
	return reply{res.StatusCode, res.Header.Get("Peercache-From"), b, time.Since(begun)}, nil
}

// want is call with the status that there must be.
func (c *client) want(ctx context.Context, status int, n *node, method, path string, body []byte) (reply, error) {
	r, err := c.call(ctx, n, method, path, body)
	if err == nil && r.status != status {
		err = fmt.Errorf("%s: %s %s: answered %d, want %d: %.200s", n.Name, method, path, r.status, status, bytes.TrimSpace(r.body))
	}
	return r, err
}

// read wants JSON.
func (c *client) read(ctx context.Context, n *node, path string, into any) error {
	r, err := c.want(ctx, http.StatusOK, n, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		return fmt.Errorf("%s: GET %s: %w", n.Name, path, err)
	}
	return nil
}

// owner asks a node who owns a key.
func (c *client) owner(ctx context.Context, n *node, cache, key string) (string, error) {
	var w struct {
		Owner string `json:"owner"`
	}
	err := c.read(ctx, n, "/v1/where?"+url.Values{"cache": {cache}, "key": {key}}.Encode(), &w)
	return w.Owner, err
}

// ready tells whether a node is active and sees exactly these alive.
func (c *client) ready(ctx context.Context, n *node, all []*node) (bool, error) {
	r, err := c.call(ctx, n, http.MethodGet, "/readyz", nil)
	if err != nil || r.status != http.StatusOK {
		return false, err
	}
	var members []struct {
		Name  string `json:"name"`
		State string `json:"state"`
	}
	if err := c.read(ctx, n, "/v1/members", &members); err != nil {
		return false, err
	}
	alive := make(map[string]bool)
	for _, m := range members {
		if m.State == "alive" {
			alive[m.Name] = true
		}
	}
	for _, o := range all {
		if !alive[o.Name] {
			return false, nil
		}
	}
	return len(alive) == len(all), nil
}

// settle waits until all are active and see each other.
func (c *client) settle(ctx context.Context, all []*node) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for _, n := range all {
		for {
			ok, err := c.ready(ctx, n, all)
			if err != nil {
				return err
			}
			if ok {
				break
			}
			select {
			case <-look.C:
			case <-ctx.Done():
				return fmt.Errorf("%s does not see all others active after 30 s: %w", n.Name, ctx.Err())
			}
		}
	}
	return nil
}
