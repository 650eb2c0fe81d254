package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/peercache/peercache/cluster"
	"github.com/peercache/peercache/session"
)

// problem is an answer that says what is wrong. Its code is stable; its
// sentence is for people.
type problem struct {
	status   int
	Code     string   `json:"code"`
	Sentence string   `json:"error"`
	Members  []string `json:"members,omitempty"` // those that have not confirmed
}

func (p *problem) Error() string { return p.Sentence }

func badRequest(sentence string) *problem {
	return &problem{status: http.StatusBadRequest, Code: "bad_request", Sentence: sentence}
}

func tooLarge(sentence string) *problem {
	return &problem{status: http.StatusRequestEntityTooLarge, Code: "too_large", Sentence: sentence}
}

var errNothing = &problem{
	status: http.StatusNotFound, Code: "no_such_path",
	Sentence: "there is nothing at this path; a '/' in a key or token is written %2F",
}

// problemOf says what an error of a call means to the client.
func problemOf(err error) *problem {
	var p *problem
	var partial *cluster.PartialError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &partial):
		return &problem{http.StatusServiceUnavailable, "partial", err.Error(), partial.Members}
	case errors.Is(err, cluster.ErrNotFound), errors.Is(err, session.ErrNotFound):
		return &problem{http.StatusNotFound, "not_found", "it is not in the cache", nil}
	case errors.Is(err, session.ErrNoToken):
		return badRequest(err.Error())
	case errors.Is(err, cluster.ErrTooLarge):
		return tooLarge(err.Error())
	case errors.Is(err, cluster.ErrClosed):
		return &problem{http.StatusServiceUnavailable, "closed", err.Error(), nil}
	case errors.Is(err, cluster.ErrOverloaded):
		return &problem{http.StatusServiceUnavailable, "overloaded", err.Error(), nil}
	case errors.Is(err, context.DeadlineExceeded):
		return &problem{http.StatusGatewayTimeout, "timeout", err.Error(), nil}
	case errors.Is(err, cluster.ErrTooManyCaches):
		return &problem{http.StatusServiceUnavailable, "too_many_caches", err.Error(), nil}
	case errors.Is(err, cluster.ErrUnavailable):
		return &problem{http.StatusServiceUnavailable, "unavailable", err.Error(), nil}
	}
	return &problem{http.StatusInternalServerError, "internal", err.Error(), nil}
}

// fail answers with what is wrong.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.status >= http.StatusInternalServerError && r.Context().Err() == nil {
		a.log.Warn("a request failed", "method", r.Method, "status", p.status, "code", p.Code, "err", p.Sentence)
	}
	answer(w, p.status, p)
}

// answer writes JSON.
func answer(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"code":"internal","error":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // to a client that may be gone
}
