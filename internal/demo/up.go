package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/peercache/peercache/internal/fleet"
)

// keepUp starts three nodes and keeps them until ctx ends, or until whoever
// started this process is gone.
func keepUp(ctx context.Context, s *screen, f *fleet.Fleet) error {
	c := fleet.NewClient()
	defer c.Close()
	st := newStory(s, f, nil, 0)
	defer st.c.Close()
	s.step("Three nodes start")
	if err := st.begin(ctx); err != nil {
		return err
	}
	s.step("Try, in another terminal")
	for _, line := range hints(st.nodes, f) {
		s.text(line)
	}
	s.step("Running until Ctrl-C")
	parent := os.Getppid()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	ended := make(map[*fleet.Node]bool)
	for ctx.Err() == nil && os.Getppid() == parent && len(ended) < len(st.nodes) {
		select {
		case <-ctx.Done():
		case <-look.C:
		}
		for _, n := range st.nodes {
			select {
			case <-n.Process.Ended():
				if !ended[n] {
					s.text(n.Name + " has ended")
				}
				ended[n] = true
			default:
			}
		}
	}
	s.step("The nodes leave")
	ctx = context.WithoutCancel(ctx)
	for i := len(st.nodes) - 1; i >= 0; i-- {
		n := st.nodes[i]
		if ended[n] {
			continue
		}
		begun := time.Now()
		if err := f.Stop(ctx, n); err != nil {
			return err
		}
		s.line(n.Name, "SIGTERM: hands over and leaves", "exit status 0", time.Since(begun))
	}
	return nil
}

// hints are commands to try.
func hints(nodes []*fleet.Node, f *fleet.Fleet) []string {
	a, b, c := nodes[0].URL, nodes[1].URL, nodes[2].URL
	return []string{
		"# write through one node, read through another (twice: Peercache-From), delete through the third",
		"curl -i -X PUT --data hello " + a + "/v1/caches/demo/greeting",
		"curl -i " + b + "/v1/caches/demo/greeting",
		"curl -i -X DELETE " + c + "/v1/caches/demo/greeting",
		"curl -i " + b + "/v1/caches/demo/greeting",
		"",
		"# a session, as a shop writes it",
		"head -n 1 testdata/vendure-sessions.jsonl | curl -i -X PUT --data-binary @- " + a + "/v1/sessions",
		`curl -i ` + c + `/v1/sessions/$(head -n 1 testdata/vendure-sessions.jsonl | sed 's/.*"token":"\([0-9a-f]*\)","exp.*/\1/')`,
		"curl -i -X DELETE " + b + "/v1/sessions",
		"",
		"# who is there, where a key lives, what a node has counted",
		"curl " + a + "/v1/members",
		"curl '" + a + "/v1/where?cache=demo&key=greeting'",
		"curl " + a + "/v1/stats",
		"",
		"# a fourth node",
		fmt.Sprintf("%s -name n4 -bind 127.0.0.1:0 -http 127.0.0.1:0 -join %s -secret-file %s", f.Program(), nodes[0].Gossip, f.SecretFile()),
	}
}
