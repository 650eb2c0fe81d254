package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Node is a running node as its first line describes it.
type Node struct {
	Name    string   `json:"name"`
	Gossip  string   `json:"gossip"`
	Peer    string   `json:"peer"`
	HTTP    string   `json:"http"`
	URL     string   `json:"-"`
	Process *Process `json:"-"` // nil in tests
}

// requestFor is more than a node takes for any call.
const requestFor = 10 * time.Second

// Client calls nodes over HTTP. It counts nothing and retries nothing.
type Client struct{ http *http.Client }

// NewClient returns a client, which Close ends.
func NewClient() *Client {
	return &Client{&http.Client{Timeout: requestFor, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

// Close ends the connections that are kept.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Reply is what a node answered.
type Reply struct {
	Status int
	From   string // Peercache-From
	Body   []byte
	Took   time.Duration
}

// Call makes one request. An answer of any status is no error.
func (c *Client) Call(ctx context.Context, n *Node, method, path string, body []byte) (Reply, error) {
	begun := time.Now()
	req, err := http.NewRequestWithContext(ctx, method, n.URL+path, bytes.NewReader(body))
	if err != nil {
		return Reply{}, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return Reply{}, fmt.Errorf("%s: %w", n.Name, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return Reply{}, fmt.Errorf("%s: %s %s: %w", n.Name, method, path, err)
	}
	return Reply{res.StatusCode, res.Header.Get("Peercache-From"), b, time.Since(begun)}, nil
}

// ErrUnavailable is in the error of an answer that says that the call may be
// made again: 503 and 504.
var ErrUnavailable = errors.New("unavailable")

// Want is Call with the status that there must be.
func (c *Client) Want(ctx context.Context, status int, n *Node, method, path string, body []byte) (Reply, error) {
	r, err := c.Call(ctx, n, method, path, body)
	if err == nil && r.Status != status {
		err = fmt.Errorf("%s: %s %s: answered %d, want %d: %.200s", n.Name, method, path, r.Status, status, bytes.TrimSpace(r.Body))
		if r.Status == http.StatusServiceUnavailable || r.Status == http.StatusGatewayTimeout {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	return r, err
}

// Read wants JSON.
func (c *Client) Read(ctx context.Context, n *Node, path string, into any) error {
	r, err := c.Want(ctx, http.StatusOK, n, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(r.Body, into); err != nil {
		return fmt.Errorf("%s: GET %s: %w", n.Name, path, err)
	}
	return nil
}

// Owner asks a node who owns a key.
func (c *Client) Owner(ctx context.Context, n *Node, cache, key string) (string, error) {
	var w struct {
		Owner string `json:"owner"`
	}
	err := c.Read(ctx, n, "/v1/where?"+url.Values{"cache": {cache}, "key": {key}}.Encode(), &w)
	return w.Owner, err
}

// Ready tells whether a node is active and sees exactly these alive.
func (c *Client) Ready(ctx context.Context, n *Node, all []*Node) (bool, error) {
	r, err := c.Call(ctx, n, http.MethodGet, "/readyz", nil)
	if err != nil || r.Status != http.StatusOK {
		return false, err
	}
	var members []struct {
		Name  string `json:"name"`
		State string `json:"state"`
	}
	if err := c.Read(ctx, n, "/v1/members", &members); err != nil {
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

// Settle waits until all are active and see each other.
func (c *Client) Settle(ctx context.Context, all []*Node) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for _, n := range all {
		for {
			ok, err := c.Ready(ctx, n, all)
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
