package main

import (
	"net/http"

	"github.com/peercache/peercache/cluster"
	"github.com/peercache/peercache/session"
)

// fromHeader says in an answer to GET where the value came from.
const fromHeader = "Peercache-From"

// The sessions' handlers use Store and Lookup, not Set and Get: who asks over
// HTTP is told when the cache fails.

func (a *api) putSession(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(r, cluster.DefaultMaxValue)
	if err != nil {
		return err
	}
	var s session.CachedSession
	if err := s.UnmarshalJSON(body); err != nil {
		return badRequest(err.Error())
	}
	return done(w, a.sessions.Store(r.Context(), s))
}

func (a *api) getSession(w http.ResponseWriter, r *http.Request, token string) error {
	s, from, err := a.sessions.Lookup(r.Context(), token)
	if err != nil {
		return err
	}
	body, err := s.MarshalJSON()
	if err != nil {
		return err
	}
	w.Header().Set(fromHeader, from)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // to a client that may be gone
	return nil
}

func (a *api) deleteSession(w http.ResponseWriter, r *http.Request, token string) error {
	return done(w, a.sessions.Delete(r.Context(), token))
}

func (a *api) clearSessions(w http.ResponseWriter, r *http.Request) error {
	return done(w, a.sessions.Clear(r.Context()))
}

// done answers that a call that ended with err is done.
func done(w http.ResponseWriter, err error) error {
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
