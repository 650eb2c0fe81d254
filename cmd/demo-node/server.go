package main

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/peercache/peercache/cluster"
	"github.com/peercache/peercache/session"
)

// api answers HTTP requests with a node.
type api struct {
	node     *cluster.Node
	sessions *session.Cluster
	log      *slog.Logger
}

func newAPI(node *cluster.Node, log *slog.Logger) (*api, error) {
	sessions, err := session.New(node, session.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	return &api{node: node, sessions: sessions, log: log}, nil
}

// newServer puts limits around an api: a client that is slow or greedy costs a
// connection for a while and no more.
func newServer(a *api, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           a,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10, // the longest key, escaped, is 12 KiB
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// ServeHTTP finds the handler for the path and the method.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff") // values are anybody's bytes
	segments, err := splitPath(r.URL)
	var found route
	if err == nil {
		found, err = a.find(segments)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	h := found[r.Method]
	if h == nil {
		allow := strings.Join(slices.Sorted(maps.Keys(found)), ", ")
		w.Header().Set("Allow", allow)
		a.fail(w, r, &problem{
			status: http.StatusMethodNotAllowed, Code: "method_not_allowed",
			Sentence: fmt.Sprintf("the method %.20q is not allowed here: want %s", r.Method, allow),
		})
		return
	}
	if err := h(w, r); err != nil {
		a.fail(w, r, err)
	}
}
