package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/peercache/peercache/cluster"
)

// TestMain runs the program itself where a test wants it as a process.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

const asProgram = "DEMO_NODE_AS_PROGRAM"

// served is a node with its HTTP interface, in this process.
type served struct {
	t    testing.TB
	node *cluster.Node
	srv  *httptest.Server
}

func startServed(t testing.TB, name string, join ...*served) *served {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cfg := cluster.Config{Name: name, NearTTL: cluster.MaxNearTTL, RequestTimeout: 20 * time.Second}
	for _, s := range join {
		cfg.Join = append(cfg.Join, s.node.GossipAddr())
	}
	n, err := cluster.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-n.Active():
	case <-ctx.Done():
		t.Fatalf("%s is not active: %v", name, n.Ready())
	}
	log := slog.New(slog.DiscardHandler)
	a, err := newAPI(n, log)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, node: n, srv: httptest.NewUnstartedServer(nil)}
	s.srv.Config = newServer(a, log)
	s.srv.Start()
	t.Cleanup(s.srv.Close)
	return s
}

// settle waits until the nodes serve all slots between them.
func settle(t testing.TB, all ...*served) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	giveUp := time.After(2 * time.Minute)
	for {
		active, agreed := 0, true
		for _, n := range all {
			stats := n.node.Stats()
			active += stats.SlotsActive
			agreed = agreed && stats.Members == len(all)
		}
		if agreed && active == all[0].node.Stats().Slots {
			return
		}
		select {
		case <-look.C:
		case <-giveUp:
			t.Fatalf("%d slots are served, agreed: %v", active, agreed)
		}
	}
}

// got is an answer.
type got struct {
	status int
	header http.Header
	body   string
}

func (s *served) do(method, path, body string) got {
	s.t.Helper()
	req, err := http.NewRequest(method, s.srv.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := s.srv.Client().Do(req)
	if err != nil {
		s.t.Fatalf("%s %.80s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %.80s: %v", method, path, err)
	}
	return got{res.StatusCode, res.Header, string(b)}
}

func (s *served) want(status int, method, path, body string) got {
	s.t.Helper()
	g := s.do(method, path, body)
	if g.status != status {
		s.t.Fatalf("%s %.80s: %d, want %d: %.300s", method, path, g.status, status, g.body)
	}
	return g
}

// refused wants a problem in JSON with a sentence that contains a text.
func (s *served) refused(status int, code, sentence, method, path, body string) {
	s.t.Helper()
	g := s.do(method, path, body)
	var p problem
	if err := json.Unmarshal([]byte(g.body), &p); err != nil && method != http.MethodHead {
		s.t.Errorf("%s %.80s: %d, and no JSON: %.300s", method, path, g.status, g.body)
		return
	}
	if g.status != status || p.Code != code || !strings.Contains(p.Sentence, sentence) || g.header.Get("Content-Type") != "application/json" {
		s.t.Errorf("%s %.80s: %d %s %q, want %d %s %q", method, path, g.status, p.Code, p.Sentence, status, code, sentence)
	}
}

func TestRows(t *testing.T) {
	n1 := startServed(t, "n1")
	n2 := startServed(t, "n2", n1)
	n3 := startServed(t, "n3", n1, n2)
	all := []*served{n1, n2, n3}
	settle(t, all...)

	t.Run("sessions", func(t *testing.T) { sessionRows(t, all) })
	t.Run("caches", func(t *testing.T) { cacheRows(t, all) })
	t.Run("lists", func(t *testing.T) { listRows(t, all) })
	t.Run("status", func(t *testing.T) { statusRows(t, all) })
	t.Run("keys of any bytes", func(t *testing.T) { anyKeys(t, all) })
	t.Run("bad requests", func(t *testing.T) { badRequests(t, n1) })
	t.Run("bad paths", func(t *testing.T) { badPaths(t, n1) })
	t.Run("too large", func(t *testing.T) { largeRequests(t, n1) })
	t.Run("left", func(t *testing.T) { afterLeave(t, n3) })
}

func sessionRows(t *testing.T, all []*served) {
	const doc = `{"token":"a/b c","id":7,"x":{"<&>":null},"activeOrderId":null}`
	all[0].want(204, "PUT", "/v1/sessions", doc)
	for i, n := range all {
		g := n.want(200, "GET", "/v1/sessions/a%2Fb%20c", "")
		if g.body != doc || g.header.Get("Content-Type") != "application/json" {
			t.Errorf("n%d: %s", i+1, g.body)
		}
		owner := n.node.Where("vendure-session-cache", "a/b c").Owner
		want, again := "peer "+owner, "near"
		if owner == n.node.Name() {
			want, again = "owned", "owned"
		}
		g2 := n.want(200, "GET", "/v1/sessions/a%2Fb%20c", "")
		if from, from2 := g.header.Get(fromHeader), g2.header.Get(fromHeader); from != want || from2 != again {
			t.Errorf("n%d: from %q, then %q; want %q, then %q", i+1, from, from2, want, again)
		}
	}
	all[2].want(204, "DELETE", "/v1/sessions/a%2Fb%20c", "")
	for _, n := range all {
		n.refused(404, "not_found", "", "GET", "/v1/sessions/a%2Fb%20c", "")
	}
	all[0].want(204, "PUT", "/v1/sessions", doc)
	all[1].want(204, "PUT", "/v1/sessions", `{"token":"a/b c","expires":"2001-01-01T00:00:00.000Z"}`)
	all[2].want(404, "GET", "/v1/sessions/a%2Fb%20c", "")
	for i := range 10 {
		all[i%3].want(204, "PUT", "/v1/sessions", fmt.Sprintf(`{"token":"t%d"}`, i))
	}
	all[1].want(204, "DELETE", "/v1/sessions", "")
	for i := range 10 {
		all[i%3].want(404, "GET", fmt.Sprintf("/v1/sessions/t%d", i), "")
	}
}

func cacheRows(t *testing.T, all []*served) {
	all[0].want(204, "PUT", "/v1/caches/c/k?ttl=30s", "value\x00\xff")
	for i, n := range all {
		g := n.want(200, "GET", "/v1/caches/c/k", "")
		if g.body != "value\x00\xff" || g.header.Get("Content-Type") != "application/octet-stream" || g.header.Get(fromHeader) == "" {
			t.Errorf("n%d: %+v", i+1, g)
		}
		if left := n.node.Where("c", "k").Held.Expires; left <= 0 || left > 30 {
			t.Errorf("n%d: lives for another %v s", i+1, left)
		}
		h := n.want(200, "HEAD", "/v1/caches/c/k", "")
		if h.header.Get(fromHeader) == "" || h.header.Get("Content-Length") != "7" {
			t.Errorf("n%d: HEAD: %+v", i+1, h)
		}
	}
	all[1].want(204, "PUT", "/v1/caches/c/k", "")
	if g := all[2].want(200, "GET", "/v1/caches/c/k", ""); g.body != "" {
		t.Errorf("an empty value is %q", g.body)
	}
	all[2].want(204, "DELETE", "/v1/caches/c/k", "")
	all[2].want(204, "DELETE", "/v1/caches/c/k", "")
	for _, n := range all {
		n.refused(404, "not_found", "", "GET", "/v1/caches/c/k", "")
	}
	all[0].want(204, "PUT", "/v1/caches/c/k", "v")
	all[0].want(204, "PUT", "/v1/caches/d/k", "v")
	all[1].want(204, "DELETE", "/v1/caches/c", "")
	for _, n := range all {
		n.want(404, "GET", "/v1/caches/c/k", "")
		n.want(200, "GET", "/v1/caches/d/k", "")
	}
}

func listRows(t *testing.T, all []*served) {
	keys := []string{"missing", "<é>\u2028"}
	all[0].want(204, "PUT", "/v1/caches/l/%3C%C3%A9%3E%E2%80%A8", "")
	for i := range 600 {
		key := fmt.Sprintf("k%d", i)
		all[i%3].want(204, "PUT", "/v1/caches/l/"+key, "value "+key)
		keys = append(keys, key)
	}
	list, _ := json.Marshal(keys)
	for _, n := range all {
		var found map[string]*[]byte
		if err := json.Unmarshal([]byte(n.want(200, "POST", "/v1/caches/l", string(list)).body), &found); err != nil {
			t.Fatal(err)
		}
		if len(found) != 601 || found["missing"] != nil {
			t.Errorf("%d values", len(found))
		}
		for key, value := range found {
			if want := "value " + key; value == nil || string(*value) != want && key[0] == 'k' {
				t.Errorf("%q: %v", key, value)
			}
		}
	}
	if g := all[0].want(200, "POST", "/v1/caches/l", " [] "); strings.TrimSpace(g.body) != "{}" {
		t.Errorf("no keys: %s", g.body)
	}
	if g := all[0].want(200, "POST", "/v1/caches/l", `["k1","k1"]`); strings.TrimSpace(g.body) != `{"k1":"dmFsdWUgazE="}` {
		t.Errorf("a key twice: %s", g.body)
	}
}

func statusRows(t *testing.T, all []*served) {
	for i, n := range all {
		n.want(200, "GET", "/healthz", "")
		n.want(200, "GET", "/readyz", "")
		n.want(200, "HEAD", "/readyz", "")
		var members []map[string]any
		if err := json.Unmarshal([]byte(n.want(200, "GET", "/v1/members", "").body), &members); err != nil || len(members) != 3 {
			t.Fatalf("members %v, error %v", members, err)
		}
		for j, m := range members {
			o := all[j].node
			want := map[string]any{"name": o.Name(), "gossip": o.GossipAddr(), "peer": o.PeerAddr(), "state": "alive", "self": i == j}
			if fmt.Sprint(m) != fmt.Sprint(want) {
				t.Errorf("n%d: member %v, want %v", i+1, m, want)
			}
		}
		var stats map[string]any
		if err := json.Unmarshal([]byte(n.want(200, "GET", "/v1/stats", "").body), &stats); err != nil || stats["name"] != n.node.Name() {
			t.Errorf("n%d: stats %v, error %v", i+1, stats, err)
		}
	}
	all[0].want(204, "PUT", "/v1/caches/w/a%20%2B%2Fb", "12345")
	owners := 0
	for i, n := range all {
		var w map[string]any
		body := n.want(200, "GET", "/v1/where?cache=w&key=a+%2B%2Fb", "").body
		if err := json.Unmarshal([]byte(body), &w); err != nil {
			t.Fatal(err)
		}
		held, _ := w["held"].(map[string]any)
		backups, _ := w["backups"].([]any)
		if len(backups) != cluster.DefaultBackups || w["slot"] == nil {
			t.Errorf("n%d: %s", i+1, body)
		}
		if slices.Contains(backups, any(n.node.Name())) {
			if held["kind"] != "backup" || held["bytes"] != 5.0 {
				t.Errorf("n%d: %s", i+1, body)
			}
			continue
		}
		if w["owner"] == n.node.Name() {
			owners++
			if held["kind"] != "owned" || held["bytes"] != 5.0 {
				t.Errorf("n%d: %s", i+1, body)
			}
		} else if held != nil {
			t.Errorf("n%d: holds %s", i+1, body)
		}
	}
	if owners != 1 {
		t.Errorf("%d owners", owners)
	}
}

// Whatever bytes a key has, it is that key and no other.
func anyKeys(t *testing.T, all []*served) {
	keys := []string{
		"/", "//", "a/b", ".", "..", "../x", "\x00", "\xff\xfe", " ", "+", "%", "%2F", "%252F", "?", "?ttl=1s", "#", "&", ";", "ü", "\u2028",
		"|", "a\r\nb", strings.Repeat("\xff", cluster.MaxKey),
	}
	for i, key := range keys {
		path := "/v1/caches/any/" + percent(key)
		all[i%3].want(204, "PUT", path, key)
		for _, n := range all {
			if g := n.want(200, "GET", path, ""); g.body != key {
				t.Errorf("%q: read %q", key, g.body)
			}
		}
		if cased := all[0].want(200, "GET", strings.ReplaceAll(path, "%2F", "%2f"), ""); cased.body != key {
			t.Errorf("%q in lower case: read %q", key, cased.body)
		}
	}
	for i, key := range keys {
		all[i%3].want(204, "DELETE", "/v1/caches/any/"+percent(key), "")
		for j := i + 1; j < len(keys); j++ {
			all[0].want(200, "GET", "/v1/caches/any/"+percent(keys[j]), "")
		}
	}
}

// percent escapes every byte.
func percent(s string) string {
	var b bytes.Buffer
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}
