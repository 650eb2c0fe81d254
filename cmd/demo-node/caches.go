package main

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/peercache/peercache/cluster"
)

// cache opens the cache of that name.
func (a *api) cache(name string) (*cluster.Cache[[]byte], error) {
	return cluster.NewCache(a.node, name, cluster.Options[[]byte]{})
}

func (a *api) put(w http.ResponseWriter, r *http.Request, name, key string) error {
	ttl, err := ttlOf(r.URL)
	if err != nil {
		return err
	}
	body, err := readBody(r, cluster.DefaultMaxValue)
	if err != nil {
		return err
	}
	c, err := a.cache(name)
	if err != nil {
		return err
	}
	if ttl > 0 {
		return done(w, c.SetTTL(r.Context(), key, body, ttl))
	}
	return done(w, c.Set(r.Context(), key, body))
}

// ttlOf returns the time to live that the query gives, or zero.
func ttlOf(u *url.URL) (time.Duration, error) {
	value, given, err := parameter(u, "ttl")
	if err != nil || !given {
		return 0, err
	}
	ttl, err := time.ParseDuration(value)
	if err != nil || ttl <= 0 {
		return 0, badRequest(fmt.Sprintf("ttl is %.40q: want a duration above zero, like 30s", value))
	}
	return ttl, nil
}

// parameter returns a parameter of the query.
func parameter(u *url.URL, name string) (value string, given bool, err error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", false, badRequest("the query is not escaped as it should be: " + err.Error())
	}
	switch values := query[name]; len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	}
	return "", false, badRequest(name + " is given more than once")
}

func (a *api) get(w http.ResponseWriter, r *http.Request, name, key string) error {
	c, err := a.cache(name)
	if err != nil {
		return err
	}
	value, from, err := c.Lookup(r.Context(), key)
	if err != nil {
		return err
	}
	w.Header().Set(fromHeader, from.String())
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(value) // to a client that may be gone
	return nil
}

func (a *api) delete(w http.ResponseWriter, r *http.Request, name, key string) error {
	c, err := a.cache(name)
	if err != nil {
		return err
	}
	return done(w, c.Delete(r.Context(), key))
}

func (a *api) clearCache(w http.ResponseWriter, r *http.Request, name string) error {
	c, err := a.cache(name)
	if err != nil {
		return err
	}
	return done(w, c.Clear(r.Context()))
}
