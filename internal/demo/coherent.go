package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// The steps in which one node changes something and all must see it at once.

func (st *story) logout(ctx context.Context) error {
	gone := st.sessions[len(st.sessions)/2]
	for _, n := range st.nodes[:2] { // so that each has a copy to lose
		if _, err := st.find(ctx, n, gone); err != nil {
			return err
		}
	}
	st.s.line("n1", "GET "+gone.who+"'s session", "200, here and on n2", 0)
	r, err := st.remove(ctx, st.nodes[2], sessionsPath+"/"+gone.token)
	if err != nil {
		return err
	}
	st.s.line("n3", "DELETE it", "204", r.Took)
	for _, n := range st.nodes {
		r, err := st.miss(ctx, n, sessionsPath+"/"+gone.token)
		if err != nil {
			return fmt.Errorf("after a logout on n3: %w", err)
		}
		st.s.line(n.Name, "GET it", "404", r.Took)
	}
	for _, s := range st.sessions {
		if s.token == gone.token {
			continue
		}
		if _, err := st.find(ctx, st.nodes[0], s); err != nil {
			return fmt.Errorf("after the logout of another: %w", err)
		}
	}
	return nil
}

var orderField = regexp.MustCompile(`"activeOrderId":(null|[0-9]+)`)

func (st *story) overwrite(ctx context.Context) error {
	s := st.sessions[0]
	for _, n := range st.nodes {
		if _, err := st.find(ctx, n, s); err != nil {
			return err
		}
	}
	const order = `"activeOrderId":4711`
	changed := s
	changed.doc = orderField.ReplaceAll(s.doc, []byte(order))
	if bytes.Equal(changed.doc, s.doc) {
		return errors.New("the first session has no activeOrderId to change")
	}
	begun := time.Now()
	if err := st.put(ctx, st.nodes[1], sessionsPath, changed.doc); err != nil {
		return err
	}
	st.s.line("n2", "PUT "+s.who+"'s session", "204, now with "+order, time.Since(begun))
	for _, n := range st.nodes {
		r, err := st.find(ctx, n, changed)
		if err != nil {
			return fmt.Errorf("after an overwrite on n2: %w", err)
		}
		st.s.line(n.Name, "GET it", "200, "+order+", "+r.From, r.Took)
	}
	return nil
}

// expire tries again where the machine was too slow to see the entry in time.
func (st *story) expire(ctx context.Context) error {
	const path = demoPath + "offer"
	for range 5 {
		begun := time.Now()
		if err := st.put(ctx, st.nodes[0], path+"?ttl="+st.ttl.String(), []byte("today only")); err != nil {
			return err
		}
		put := time.Now()
		var early error
		for _, n := range st.nodes {
			if _, early = st.get(ctx, n, path, []byte("today only")); early != nil {
				break
			}
		}
		switch found := time.Since(begun); {
		case early != nil && found < st.ttl:
			return fmt.Errorf("%v after it was written to live for %v: %w", found, st.ttl, early)
		case early != nil:
			continue
		}
		st.s.line("n1", "PUT an entry with ?ttl="+st.ttl.String(), "204, and 200 on all three", put.Sub(begun))
		select {
		case <-time.After(time.Until(put.Add(st.ttl + 20*time.Millisecond))):
		case <-ctx.Done():
			return ctx.Err()
		}
		for _, n := range st.nodes {
			if _, err := st.miss(ctx, n, path); err != nil {
				return fmt.Errorf("%v after an entry was written to live for %v: %w", time.Since(put), st.ttl, err)
			}
		}
		st.s.line("", "GET it on all three", "404 each", time.Since(put))
		return nil
	}
	return fmt.Errorf("this machine does not manage a write and three reads in %v", st.ttl)
}

func (st *story) clear(ctx context.Context) error {
	const kept = demoPath + "kept"
	if err := st.put(ctx, st.nodes[0], kept, []byte("another cache")); err != nil {
		return err
	}
	for _, n := range st.nodes {
		for _, s := range st.sessions[1:3] { // so that there are near copies
			if _, err := st.find(ctx, n, s); err != nil {
				return err
			}
		}
	}
	r, err := st.remove(ctx, st.nodes[1], sessionsPath)
	if err != nil {
		return err
	}
	st.s.line("n2", "DELETE all sessions", "204", r.Took)
	for _, n := range st.nodes {
		begun := time.Now()
		for _, s := range st.sessions {
			if _, err := st.miss(ctx, n, sessionsPath+"/"+s.token); err != nil {
				return fmt.Errorf("after a clear on n2: %w", err)
			}
		}
		took := time.Since(begun)
		if _, err := st.get(ctx, n, kept, []byte("another cache")); err != nil {
			return fmt.Errorf("after the clear of another cache: %w", err)
		}
		st.s.line(n.Name, fmt.Sprintf("GET %d sessions", len(st.sessions)), "404 each; another cache is kept", took)
	}
	return nil
}
