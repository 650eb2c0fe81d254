package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/peercache/peercache/cluster"
	"github.com/peercache/peercache/session"
)

func badRequests(t *testing.T, n *served) {
	for _, c := range []struct{ method, path, body, sentence string }{
		{"PUT", "/v1/sessions", ``, "not JSON"},
		{"PUT", "/v1/sessions", `{`, "not JSON"},
		{"PUT", "/v1/sessions", `[]`, "want an object"},
		{"PUT", "/v1/sessions", "{\"token\":\"\xff\"}", "not UTF-8"},
		{"PUT", "/v1/sessions", `{"token":5}`, "want a string"},
		{"PUT", "/v1/sessions", `{"token":"t","expires":"soon"}`, "is no date"},
		{"PUT", "/v1/sessions", `{}`, "the token is empty"},
		{"PUT", "/v1/sessions", `null`, "the token is empty"},
		{"PUT", "/v1/sessions", `{"token":"","id":1}`, "the token is empty"},
		{"GET", "/v1/sessions/", ``, "the token is empty"},
		{"DELETE", "/v1/sessions/", ``, "the token is empty"},
		{"PUT", "/v1/caches/c/k?ttl=0", `v`, `ttl is "0"`},
		{"PUT", "/v1/caches/c/k?ttl=0s", `v`, `ttl is "0s"`},
		{"PUT", "/v1/caches/c/k?ttl=-1s", `v`, `ttl is "-1s"`},
		{"PUT", "/v1/caches/c/k?ttl=30", `v`, `ttl is "30"`},
		{"PUT", "/v1/caches/c/k?ttl=", `v`, `ttl is ""`},
		{"PUT", "/v1/caches/c/k?ttl=soon", `v`, `ttl is "soon"`},
		{"PUT", "/v1/caches/c/k?ttl=1e300h", `v`, `ttl is`},
		{"PUT", "/v1/caches/c/k?ttl=1s&ttl=2s", `v`, "more than once"},
		{"PUT", "/v1/caches/c/k?ttl=%zz", `v`, "query"},
		{"PUT", "/v1/caches/c/", `v`, "the key is empty"},
		{"GET", "/v1/caches/c/", ``, "the key is empty"},
		{"DELETE", "/v1/caches/c/", ``, "the key is empty"},
		{"DELETE", "/v1/caches/", ``, "the name of the cache is empty"},
		{"GET", "/v1/caches//k", ``, "the name of the cache is empty"},
		{"POST", "/v1/caches/c", ``, "want a JSON list"},
		{"POST", "/v1/caches/c", `null`, "want a JSON list"},
		{"POST", "/v1/caches/c", `{"a":1}`, "want a JSON list"},
		{"POST", "/v1/caches/c", `["a",1]`, "want a JSON list"},
		{"POST", "/v1/caches/c", `["a",null]`, "want a JSON list"},
		{"POST", "/v1/caches/c", `["a"] x`, "want a JSON list"},
		{"POST", "/v1/caches/c", "[\"\xff\"]", "want a JSON list"},
		{"POST", "/v1/caches/c", `["a",""]`, "the key is empty"},
		{"POST", "/v1/caches/c", `["a","\ud800"]`, "key 2 of the list is no text"},
		{"GET", "/v1/where", ``, "cache is not given"},
		{"GET", "/v1/where?cache=c", ``, "key is not given"},
		{"GET", "/v1/where?cache=c&key=", ``, "key is not given"},
		{"GET", "/v1/where?cache=c&key=a&key=b", ``, "more than once"},
	} {
		n.refused(400, "bad_request", c.sentence, c.method, c.path, c.body)
	}
	n.want(200, "POST", "/v1/caches/c", `["\ufffd","`+"\uFFFD"+`"]`)
}

func badPaths(t *testing.T, n *served) {
	n.want(204, "PUT", "/v1/caches/c/k", "v")
	for _, path := range []string{
		"/", "/v1", "/v1/", "/v2/sessions", "/healthz/", "/v1/members/", "/v1/stats/x", "/v1/caches", "//v1/caches/c/k",
		"/v1//caches/c/k", "/v1/../v1/caches/c/k", "/v1/caches/c/k/", "/v1/caches/c/a/b", "/v1/sessions/a/b", "/favicon.ico",
	} {
		n.refused(404, "no_such_path", "nothing at this path", "GET", path, "")
	}
	for _, c := range []struct{ method, path, allow string }{
		{"POST", "/v1/sessions", "DELETE, PUT"},
		{"PUT", "/v1/sessions/t", "DELETE, GET, HEAD"},
		{"BREW", "/v1/caches/c/k", "DELETE, GET, HEAD, PUT"},
		{"OPTIONS", "/v1/caches/c/k", "DELETE, GET, HEAD, PUT"},
		{"GET", "/v1/caches/c", "DELETE, POST"},
		{"DELETE", "/v1/members", "GET, HEAD"},
		{"POST", "/readyz", "GET, HEAD"},
	} {
		n.refused(405, "method_not_allowed", c.allow, c.method, c.path, "")
		if allow := n.do(c.method, c.path, "").header.Get("Allow"); allow != c.allow {
			t.Errorf("%s %s: Allow is %q", c.method, c.path, allow)
		}
	}
	n.want(200, "GET", "/v1/caches/c/k", "")
}

func largeRequests(t *testing.T, n *served) {
	const limit = cluster.DefaultMaxValue
	n.want(204, "PUT", "/v1/caches/c/large", strings.Repeat("x", limit))
	n.want(204, "PUT", "/v1/caches/c/"+strings.Repeat("k", cluster.MaxKey), "v")
	long := `["` + strings.Repeat(`a","`, maxListKeys) + `a"]`
	for _, c := range []struct{ method, path, body, sentence string }{
		{"PUT", "/v1/caches/c/large", strings.Repeat("x", limit+1), "over the limit of 1048576"},
		{"PUT", "/v1/caches/c/large", strings.Repeat("x", 10*limit), "over the limit of 1048576"},
		{"PUT", "/v1/sessions", strings.Repeat(" ", limit+1), "over the limit of 1048576"},
		{"PUT", "/v1/sessions", `{"token":"` + strings.Repeat("t", cluster.MaxKey+1) + `"}`, "over the limit of 4096"},
		{"PUT", "/v1/caches/c/" + strings.Repeat("k", cluster.MaxKey+1), "v", "over the limit of 4096"},
		{"GET", "/v1/caches/c/" + strings.Repeat("k", cluster.MaxKey+1), "", "over the limit of 4096"},
		{"DELETE", "/v1/sessions/" + strings.Repeat("k", cluster.MaxKey+1), "", "over the limit of 4096"},
		{"PUT", "/v1/caches/" + strings.Repeat("c", 256) + "/k", "v", "over the limit of 255"},
		{"DELETE", "/v1/caches/" + strings.Repeat("c", 256), "", "over the limit of 255"},
		{"POST", "/v1/caches/c", long, "over the limit of 4096"},
		{"POST", "/v1/caches/c", strings.Repeat(" ", maxListBody+1), "over the limit of 4194304"},
		{"POST", "/v1/caches/c", `["` + strings.Repeat("k", cluster.MaxKey+1) + `"]`, "over the limit of 4096"},
	} {
		n.refused(413, "too_large", c.sentence, c.method, c.path, c.body)
	}
	// Without a length that is known before, and by a client that reads late.
	req := strings.NewReader("PUT /v1/caches/c/large HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"500000\r\n" + strings.Repeat("x", 5<<20) + "\r\n0\r\n\r\n" + "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
	conn, err := net.Dial("tcp", n.srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := req.WriteTo(conn); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	for _, want := range []int{413, 200} {
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != want {
			t.Fatalf("a late reader: %+v, error %v, want %d", res, err, want)
		}
		var drop [4096]byte
		for err == nil {
			_, err = res.Body.Read(drop[:])
		}
	}
	if g := n.want(200, "GET", "/v1/caches/c/large", ""); g.body != strings.Repeat("x", limit) {
		t.Error("what was refused was stored")
	}
}

// A list whose values are too much together is refused.
func TestManyLargeValues(t *testing.T) {
	n := startServed(t, "n1")
	var keys []string
	for i := range maxListSize/cluster.DefaultMaxValue + 1 {
		key := fmt.Sprintf("k%d", i)
		n.want(204, "PUT", "/v1/caches/c/"+key, strings.Repeat("x", cluster.DefaultMaxValue))
		keys = append(keys, `"`+key+`"`)
	}
	n.refused(413, "too_large", "ask for fewer", "POST", "/v1/caches/c", "["+strings.Join(keys, ",")+"]")
}

func afterLeave(t *testing.T, n *served) {
	if err := n.node.Leave(context.Background()); err != nil {
		t.Fatal(err)
	}
	n.want(200, "GET", "/healthz", "")
	n.refused(503, "not_ready", "closed", "GET", "/readyz", "")
	for _, c := range []struct{ method, path, body string }{
		{"PUT", "/v1/sessions", `{"token":"t"}`},
		{"GET", "/v1/sessions/t", ""},
		{"DELETE", "/v1/sessions/t", ""},
		{"DELETE", "/v1/sessions", ""},
		{"PUT", "/v1/caches/c/k", "v"},
		{"GET", "/v1/caches/c/k", ""},
		{"DELETE", "/v1/caches/c/k", ""},
		{"DELETE", "/v1/caches/c", ""},
		{"POST", "/v1/caches/c", `["k"]`},
	} {
		n.refused(503, "closed", "closed", c.method, c.path, c.body)
	}
	n.want(200, "GET", "/v1/members", "")
	n.want(200, "GET", "/v1/stats", "")
	n.want(200, "GET", "/v1/where?cache=c&key=k", "")
}

// What the node's errors mean to a client.
func TestProblemOf(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("session: get: %w", err) }
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{wrap(cluster.ErrNotFound), 404, "not_found"},
		{session.ErrNotFound, 404, "not_found"},
		{session.ErrNoToken, 400, "bad_request"},
		{wrap(cluster.ErrTooLarge), 413, "too_large"},
		{wrap(cluster.ErrClosed), 503, "closed"},
		{wrap(cluster.ErrOverloaded), 503, "overloaded"},
		{wrap(cluster.ErrUnavailable), 503, "unavailable"},
		{wrap(cluster.ErrTooManyCaches), 503, "too_many_caches"},
		{fmt.Errorf("%w: %w", cluster.ErrUnavailable, context.DeadlineExceeded), 504, "timeout"},
		{wrap(&cluster.PartialError{Members: []string{"n2", "n3"}}), 503, "partial"},
		{errors.New("else"), 500, "internal"},
	} {
		p := problemOf(c.err)
		if p.status != c.status || p.Code != c.code || p.Sentence == "" {
			t.Errorf("%v: %+v", c.err, p)
		}
	}
	w := httptest.NewRecorder()
	answer(w, 503, problemOf(&cluster.PartialError{Members: []string{"n2", "n3"}}))
	const want = `{"code":"partial","error":"cluster: not yet confirmed by n2, n3","members":["n2","n3"]}` + "\n"
	if w.Body.String() != want {
		t.Errorf("partial: %s", w.Body.String())
	}
}
