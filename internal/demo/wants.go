package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/peercache/peercache/internal/fleet"
)

// The calls of the story, each with the answer that there must be.

// put wants a 204.
func (st *story) put(ctx context.Context, n *fleet.Node, path string, body []byte) error {
	_, err := st.c.Want(ctx, http.StatusNoContent, n, http.MethodPut, path, body)
	if err == nil {
		st.writes.Add(1)
	}
	return err
}

// get wants just this value.
func (st *story) get(ctx context.Context, n *fleet.Node, path string, value []byte) (fleet.Reply, error) {
	r, err := st.c.Want(ctx, http.StatusOK, n, http.MethodGet, path, nil)
	if err == nil && !bytes.Equal(r.Body, value) {
		err = fmt.Errorf("%s: GET %s: read %.100q, want %.100q", n.Name, path, r.Body, value)
	}
	if err == nil {
		st.reads.Add(1)
	}
	return r, err
}

// find wants just this session.
func (st *story) find(ctx context.Context, n *fleet.Node, s sample) (fleet.Reply, error) {
	r, err := st.c.Want(ctx, http.StatusOK, n, http.MethodGet, sessionsPath+"/"+s.token, nil)
	if err == nil && !same(r.Body, s.doc) {
		err = fmt.Errorf("%s: the session of %s is not what was written:\nread  %s\nwrote %s", n.Name, s.who, r.Body, s.doc)
	}
	if err == nil {
		st.reads.Add(1)
	}
	return r, err
}

// miss wants a 404.
func (st *story) miss(ctx context.Context, n *fleet.Node, path string) (fleet.Reply, error) {
	r, err := st.c.Want(ctx, http.StatusNotFound, n, http.MethodGet, path, nil)
	if err == nil {
		st.reads.Add(1)
	}
	return r, err
}

// remove wants a 204.
func (st *story) remove(ctx context.Context, n *fleet.Node, path string) (fleet.Reply, error) {
	r, err := st.c.Want(ctx, http.StatusNoContent, n, http.MethodDelete, path, nil)
	if err == nil {
		st.deletes.Add(1)
	}
	return r, err
}
