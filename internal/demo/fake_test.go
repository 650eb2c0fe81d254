package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/fleet"
)

// fakeCluster is nodes that share a map, and that can be told to be wrong.
type fakeCluster struct {
	t     *testing.T
	wrong string // which mistake it makes

	mu      sync.Mutex // guards what follows
	entries map[string]fakeEntry
	names   []string
	near    map[string]bool // node and path
	writes  int
	refuse  int // calls, until all know that somebody is gone
	stopped int
}

type fakeEntry struct {
	value  []byte
	before []byte
	owner  string
	until  time.Time
}

func (f *fakeCluster) Start(_ context.Context, name string, _ []*fleet.Node) (*fleet.Node, error) {
	if f.wrong == "start" && name == "n4" {
		return nil, fmt.Errorf("starting n4: it did not")
	}
	f.mu.Lock()
	f.names = append(f.names, name)
	f.mu.Unlock()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(name, w, r) }))
	f.t.Cleanup(srv.Close)
	return &fleet.Node{Name: name, Gossip: "127.0.0.1:1", Peer: "127.0.0.1:2", URL: srv.URL}, nil
}

func (f *fakeCluster) Stop(_ context.Context, n *fleet.Node) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names = slices.DeleteFunc(f.names, func(name string) bool { return name == n.Name })
	f.stopped++
	switch {
	case f.wrong == "refused in a restart" && f.stopped == 2:
		f.refuse = 1
	case f.wrong == "stop" && n.Name == "n3":
		return fmt.Errorf("stopping n3: it did not leave in order: exit status 1")
	case f.wrong == "lost on leave" && n.Name == "n3":
		for path := range f.entries {
			if strings.HasSuffix(path, "7") {
				delete(f.entries, path)
			}
		}
	}
	return nil
}

func (f *fakeCluster) Kill(n *fleet.Node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names = slices.DeleteFunc(f.names, func(name string) bool { return name == n.Name })
	if f.wrong == "lost in a crash" {
		for path := range f.entries {
			if strings.HasSuffix(path, "7") {
				delete(f.entries, path)
			}
		}
	}
	f.refuse = 20
}

func (f *fakeCluster) serve(name string, w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	path := r.URL.Path
	switch {
	case path == "/readyz":
	case path == "/v1/members":
		var list []map[string]string
		for _, n := range f.names {
			list = append(list, map[string]string{"name": n, "state": "alive"})
		}
		f.answer(w, list)
	case path == "/v1/where":
		f.answer(w, map[string]string{"owner": f.entries[sessionsPath+"/"+r.FormValue("key")].owner})
	case path == "/v1/stats":
		f.answer(w, map[string]int{"slots_active": 1, "slots_backed_up": f.backedUp(name)})
	case f.refuse > 0 && strings.HasPrefix(path, trafficPath):
		f.refuse--
		http.Error(w, `{"code":"unavailable"}`, http.StatusServiceUnavailable)
	case r.Method == http.MethodPost:
		var keys []string
		if err := json.Unmarshal(body, &keys); err != nil {
			f.t.Error(err)
		}
		got := make(map[string][]byte)
		for _, k := range keys {
			if e, ok := f.entries[path+"/"+k]; ok {
				got[k] = e.value
			}
		}
		f.answer(w, got)
	case r.Method == http.MethodPut:
		f.put(w, r, path, body)
	case r.Method == http.MethodDelete:
		for p := range f.entries {
			prefix := strings.HasPrefix(p, path+"/") && (f.wrong != "not all cleared" || !strings.Contains(p, "/c7c6"))
			if p == path && f.wrong != "logout not seen" || prefix || f.wrong == "cleared too much" && path == sessionsPath {
				delete(f.entries, p)
			}
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		f.get(w, name, path)
	}
}

// backedUp lets the first of the nodes have all slots.
func (f *fakeCluster) backedUp(name string) int {
	if name == f.names[0] {
		return slots
	}
	return 0
}

func (f *fakeCluster) put(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	if path == sessionsPath {
		var s struct {
			Token string `json:"token"`
		}
		if err := json.Unmarshal(body, &s); err != nil {
			f.t.Error(err)
		}
		path += "/" + s.Token
	}
	if f.writes++; f.wrong == "write refused" && f.writes > 150 {
		http.Error(w, `{"code":"unavailable"}`, http.StatusServiceUnavailable)
		return
	}
	e := fakeEntry{value: body, before: f.entries[path].value, owner: f.names[f.writes%len(f.names)]}
	if f.wrong == "null is dropped" {
		e.value = []byte(strings.ReplaceAll(string(body), `"activeOrderId":null,`, ""))
	}
	if ttl, err := time.ParseDuration(r.FormValue("ttl")); err == nil && f.wrong != "never expires" {
		e.until = time.Now().Add(ttl)
	}
	f.entries[path] = e
	w.WriteHeader(http.StatusNoContent)
}

func (f *fakeCluster) get(w http.ResponseWriter, name, path string) {
	e, ok := f.entries[path]
	if !ok || !e.until.IsZero() && time.Now().After(e.until) {
		http.Error(w, `{"code":"not_found"}`, http.StatusNotFound)
		return
	}
	at := name + path
	switch {
	case e.owner == name:
		w.Header().Set("Peercache-From", "owned")
	case f.near[at] && f.wrong != "no near copies":
		w.Header().Set("Peercache-From", "near")
	default:
		f.near[at] = true
		w.Header().Set("Peercache-From", "peer "+e.owner)
	}
	value := e.value
	if f.wrong == "stale" && e.before != nil && name == "n1" {
		value = e.before
	}
	_, _ = w.Write(value)
}

func (f *fakeCluster) answer(w http.ResponseWriter, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		f.t.Error(err)
	}
}
