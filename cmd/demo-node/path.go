package main

import (
	"net/http"
	"net/url"
	"strings"
)

// A path is split before it is unescaped, so that a key may hold any byte: a
// '/' in it is written %2F, and "." and ".." mean nothing. That is why
// http.ServeMux, which cleans paths and redirects, is not used.

// splitPath returns the unescaped segments of a request's path.
func splitPath(u *url.URL) ([]string, error) {
	raw := u.RawPath // the path as it was sent, or
	if raw == "" {
		raw = u.EscapedPath() // the same, as the ordinary escaping has it
	}
	if !strings.HasPrefix(raw, "/") {
		return nil, errNothing
	}
	segments := strings.Split(raw[1:], "/")
	for i, s := range segments {
		var err error
		if segments[i], err = url.PathUnescape(s); err != nil { // a server's URL has been through this
			return nil, badRequest("the path is not escaped as it should be: " + err.Error())
		}
	}
	return segments, nil
}

// A route is what there is at a path, by method.
type route map[string]handler

// A handler answers a request, or returns what is wrong with it.
type handler func(w http.ResponseWriter, r *http.Request) error

// find returns what there is at a path.
func (a *api) find(segments []string) (route, error) {
	if len(segments) == 1 {
		switch segments[0] {
		case "healthz":
			return get(a.health), nil
		case "readyz":
			return get(a.ready), nil
		}
		return nil, errNothing
	}
	if segments[0] != "v1" {
		return nil, errNothing
	}
	args := segments[2:]
	switch segments[1] {
	case "sessions":
		return a.findSessions(args)
	case "caches":
		return a.findCaches(args)
	case "members", "stats", "where":
		if len(args) > 0 {
			break
		}
		return get(map[string]handler{
			"members": a.members, "stats": a.stats, "where": a.where,
		}[segments[1]]), nil
	}
	return nil, errNothing
}

func (a *api) findSessions(args []string) (route, error) {
	switch len(args) {
	case 0:
		return route{http.MethodPut: a.putSession, http.MethodDelete: a.clearSessions}, nil
	case 1:
		if args[0] == "" {
			return nil, badRequest("the token is empty")
		}
		return route{
			http.MethodGet:    with(a.getSession, args[0]),
			http.MethodHead:   with(a.getSession, args[0]),
			http.MethodDelete: with(a.deleteSession, args[0]),
		}, nil
	}
	return nil, errNothing
}

func (a *api) findCaches(args []string) (route, error) {
	if len(args) > 2 {
		return nil, errNothing
	}
	if len(args) == 0 {
		return nil, errNothing
	}
	if args[0] == "" {
		return nil, badRequest("the name of the cache is empty")
	}
	if len(args) == 1 {
		return route{
			http.MethodPost:   with(a.getMany, args[0]),
			http.MethodDelete: with(a.clearCache, args[0]),
		}, nil
	}
	if args[1] == "" { // never the whole cache
		return nil, badRequest("the key is empty")
	}
	return route{
		http.MethodPut:    with2(a.put, args[0], args[1]),
		http.MethodGet:    with2(a.get, args[0], args[1]),
		http.MethodHead:   with2(a.get, args[0], args[1]),
		http.MethodDelete: with2(a.delete, args[0], args[1]),
	}, nil
}

func get(h handler) route { return route{http.MethodGet: h, http.MethodHead: h} }

func with(h func(http.ResponseWriter, *http.Request, string) error, arg string) handler {
	return func(w http.ResponseWriter, r *http.Request) error { return h(w, r, arg) }
}

func with2(h func(http.ResponseWriter, *http.Request, string, string) error, arg, arg2 string) handler {
	return func(w http.ResponseWriter, r *http.Request) error { return h(w, r, arg, arg2) }
}
