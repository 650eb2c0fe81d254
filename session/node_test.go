package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/peercache/peercache/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startNodes starts a cluster that ends with the test.
func startNodes(t testing.TB, count int) []*cluster.Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var nodes []*cluster.Node
	var join []string
	for i := range count {
		n, err := cluster.Start(ctx, cluster.Config{
			Name: fmt.Sprintf("n%d", i+1), Join: join, RequestTimeout: 20 * time.Second, NearTTL: cluster.MaxNearTTL,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		select {
		case <-n.Active():
		case <-ctx.Done():
			t.Fatalf("%s is not active: %v", n.Name(), n.Ready())
		}
		nodes, join = append(nodes, n), append(join, n.GossipAddr())
	}
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for served, slots := 0, nodes[0].Stats().Slots; served != slots; { // until they share all
		served = 0
		for _, n := range nodes {
			served += n.Stats().SlotsActive
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatalf("%d slots are served", served)
		}
	}
	return nodes
}

// open opens the session cache on every node.
func open(t testing.TB, nodes []*cluster.Node, o Options) []*Cluster {
	t.Helper()
	var list []*Cluster
	for _, n := range nodes {
		c, err := New(n, o)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// early is a clock at which no sample has ended.
func early() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// One cluster is enough for all tests here: starting nodes takes the time.
func TestOverThreeNodes(t *testing.T) {
	nodes := startNodes(t, 3)
	for _, c := range []struct {
		name string
		test func(*testing.T, []*cluster.Node)
	}{
		{"samples come back everywhere", samplesEverywhere},
		{"unusual JSON is kept", unusualEverywhere},
		{"delete, overwrite and clear hold everywhere", coherentEverywhere},
		{"names are apart", namesAreApart},
		{"what has ended is a miss everywhere", expiryEverywhere},
		{"a time to live runs out everywhere", timeToLiveEverywhere},
		{"New refuses", newRefuses},
		{"entries are the shop's JSON", entriesAreJSON},
		// This one lets a node leave.
		{"failures are logged or returned", failuresOverNodes},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, nodes) })
	}
}

func samplesEverywhere(t *testing.T, nodes []*cluster.Node) {
	ctx := context.Background()
	caches := open(t, nodes, Options{Name: t.Name(), Now: early})
	lines := samples(t)
	for _, line := range lines {
		if err := caches[0].Store(ctx, read(t, string(line))); err != nil {
			t.Fatal(err)
		}
	}
	fromPeers := 0
	for round := range 2 {
		for i, c := range caches {
			for _, line := range lines {
				want := read(t, string(line))
				s, from, err := c.Lookup(ctx, want.Token)
				if err != nil {
					t.Fatalf("%s: %v", nodes[i].Name(), err)
				}
				if got := written(t, s); got != string(line) || !reflect.DeepEqual(generic(t, []byte(got)), generic(t, line)) {
					t.Fatalf("%s: read  %s\nwrote %s", nodes[i].Name(), got, line)
				}
				// Null and absent are apart in the fields too.
				if s.ActiveOrderID != want.ActiveOrderID || bytes.Contains(line, []byte(`"activeOrderId":null`)) != s.ActiveOrderID.IsNull() ||
					bytes.Contains(line, []byte(`"user":`)) != (s.User != nil) {
					t.Fatalf("%s: %+v, want %+v", nodes[i].Name(), s, want)
				}
				owner := nodes[i].Where(t.Name(), want.Token).Owner
				wantFrom := "near"
				switch {
				case owner == nodes[i].Name():
					wantFrom = "owned"
				case round == 0:
					wantFrom = "peer " + owner
					fromPeers++
				}
				if from != wantFrom {
					t.Errorf("%s in round %d: from %q, want %q", nodes[i].Name(), round, from, wantFrom)
				}
			}
		}
	}
	if fromPeers == 0 {
		t.Error("no session was read from another node")
	}
}

// Unknown fields, null and absent survive the way over the wire.
func unusualEverywhere(t *testing.T, nodes []*cluster.Node) {
	caches := open(t, nodes, Options{Name: t.Name()})
	for i, doc := range []string{
		`{"token":"a"}`,
		`{"token":"b","id":null,"expires":null,"user":null,"activeOrderId":null}`,
		`{"x":{"y":[1,{"z":null}]},"token":"c","id":"1","activeOrderId":123456789012345678901234567890}`,
		`{"cacheExpiry":1.50,"token":"d","user":{"q":[],"verified":true,"channelPermissions":null}}`,
	} {
		s := read(t, doc)
		mustSet(t, caches[i%3], s)
		for _, c := range caches {
			if got := written(t, mustFind(t, c, s.Token)); got != doc {
				t.Errorf("set %s\ngot %s", doc, got)
			}
		}
	}
}

// What is deleted, overwritten or cleared on one node is so on all, when the
// call has returned, whatever copies they had.
func coherentEverywhere(t *testing.T, nodes []*cluster.Node) {
	ctx := context.Background()
	caches := open(t, nodes, Options{Name: t.Name()})
	token := func(i int) string { return fmt.Sprintf("token-%d", i) }
	const count = 300
	for i := range count {
		mustSet(t, caches[i%3], CachedSession{Token: token(i), AuthenticationStrategy: "old"})
		for _, c := range caches {
			mustFind(t, c, token(i))
		}
	}
	for i := range count {
		if i%2 == 0 {
			if err := caches[(i/2)%3].Delete(ctx, token(i)); err != nil {
				t.Fatal(err)
			}
			for _, c := range caches {
				mustMiss(t, c, token(i))
			}
			continue
		}
		mustSet(t, caches[(i/2)%3], CachedSession{Token: token(i), AuthenticationStrategy: "new"})
		for _, c := range caches {
			if s := mustFind(t, c, token(i)); s.AuthenticationStrategy != "new" {
				t.Fatalf("%s after an overwrite: %+v", token(i), s)
			}
		}
	}
	if err := caches[1].Clear(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		for _, c := range caches {
			mustMiss(t, c, token(i))
		}
	}
}

func namesAreApart(t *testing.T, nodes []*cluster.Node) {
	one, two := open(t, nodes, Options{Name: t.Name()}), open(t, nodes, Options{Name: "another shop"})
	mustSet(t, one[0], CachedSession{Token: "t", AuthenticationStrategy: "one"})
	mustMiss(t, two[1], "t")
	mustSet(t, two[0], CachedSession{Token: "t", AuthenticationStrategy: "two"})
	if err := two[1].Clear(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustMiss(t, two[0], "t")
	if s := mustFind(t, one[1], "t"); s.AuthenticationStrategy != "one" {
		t.Errorf("%+v", s)
	}
}

// A session that ends is a miss on every node, those with near copies too.
func expiryEverywhere(t *testing.T, nodes []*cluster.Node) {
	begun := time.Now()
	shop := begun // what the shop's clock says
	caches := open(t, nodes, Options{Name: t.Name(), Now: func() time.Time { return shop }})
	mustSet(t, caches[0], CachedSession{Token: "hour", Expires: shop.Add(time.Hour)})
	mustSet(t, caches[0], CachedSession{Token: "day", Expires: shop.AddDate(1, 0, 0)})
	mustSet(t, caches[0], CachedSession{Token: "over", Expires: shop.Add(time.Hour)})
	for _, c := range caches {
		mustFind(t, c, "hour")
		mustFind(t, c, "over")
	}
	mustSet(t, caches[1], CachedSession{Token: "over", Expires: shop.Add(-time.Millisecond)})
	for _, c := range caches {
		mustMiss(t, c, "over")
	}
	for i, n := range nodes {
		for token, most := range map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour} {
			mustFind(t, caches[i], token)
			left := time.Duration(n.Where(t.Name(), token).Held.Expires * float64(time.Second))
			if left > most || left < most-time.Since(begun)-time.Second {
				t.Errorf("%s: %s lives for another %v", n.Name(), token, left)
			}
		}
	}
	shop = shop.Add(time.Hour + time.Millisecond)
	for _, c := range caches {
		mustMiss(t, c, "hour")
		mustFind(t, c, "day")
	}
}

// A short time to live runs out in the cluster itself.
func timeToLiveEverywhere(t *testing.T, nodes []*cluster.Node) {
	caches := open(t, nodes, Options{Name: t.Name(), TTL: 200 * time.Millisecond})
	for i := range 10 {
		mustSet(t, caches[0], CachedSession{Token: fmt.Sprint(i)})
	}
	giveUp := time.After(20 * time.Second)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for i := range 10 {
		for _, c := range caches {
			for {
				_, err := c.Get(context.Background(), fmt.Sprint(i))
				if errors.Is(err, ErrNotFound) {
					break
				}
				select {
				case <-look.C:
				case <-giveUp:
					t.Fatal("a session does not end")
				}
			}
		}
	}
}

// A node that is closed fails every call. Get and Set log that and go on;
// Delete and Clear say so.
func failuresOverNodes(t *testing.T, nodes []*cluster.Node) {
	ctx := context.Background()
	var log bytes.Buffer
	c := open(t, nodes[2:], Options{Name: t.Name(), Logger: slog.New(slog.NewTextHandler(&log, nil))})[0]
	const token = "c7c6749edafb618fc53e24725781eb37"
	mustSet(t, c, CachedSession{Token: token})
	mustFind(t, c, token)
	big := CachedSession{Token: "big", AuthenticationStrategy: strings.Repeat("x", cluster.DefaultMaxValue)}
	mustSet(t, c, big)
	if err := c.Store(ctx, big); !errors.Is(err, cluster.ErrTooLarge) {
		t.Errorf("Store of what is too large: %v", err)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("logged %d failures: %s", n, log.String())
	}
	log.Reset()
	if err := nodes[2].Leave(ctx); err != nil {
		t.Fatal(err)
	}
	mustSet(t, c, CachedSession{Token: token})
	mustMiss(t, c, token)
	if n := strings.Count(log.String(), "level=WARN"); n != 2 || strings.Contains(log.String(), token) {
		t.Errorf("logged %d failures: %s", n, log.String())
	}
	log.Reset()
	_, _, lookup := c.Lookup(ctx, token)
	for call, err := range map[string]error{
		"set": c.Store(ctx, CachedSession{Token: token}), "get": lookup, "delete": c.Delete(ctx, token), "clear": c.Clear(ctx),
	} {
		if !errors.Is(err, cluster.ErrClosed) || !strings.HasPrefix(err.Error(), "session: "+call+": ") {
			t.Errorf("%s: error %v", call, err)
		}
	}
	if log.Len() > 0 {
		t.Errorf("logged though returned: %s", log.String())
	}
	// The other node has what was handed over.
	mustFind(t, open(t, nodes[:1], Options{Name: t.Name()})[0], token)
}

func newRefuses(t *testing.T, nodes []*cluster.Node) {
	if _, err := New(nil, Options{}); err == nil || !strings.HasPrefix(err.Error(), "session: ") {
		t.Errorf("no node: error %v", err)
	}
	if _, err := New(nodes[0], Options{Name: strings.Repeat("x", 256)}); !errors.Is(err, cluster.ErrTooLarge) {
		t.Errorf("a long name: error %v", err)
	}
}

// The raw bytes in the cluster are the shop's JSON, for whoever else reads it.
func entriesAreJSON(t *testing.T, nodes []*cluster.Node) {
	c := open(t, nodes, Options{Name: t.Name(), Now: early})[0]
	raw, err := cluster.NewCache(nodes[0], t.Name(), cluster.Options[json.RawMessage]{})
	if err != nil {
		t.Fatal(err)
	}
	line := samples(t)[0]
	s := read(t, string(line))
	mustSet(t, c, s)
	if b, err := raw.Get(context.Background(), s.Token); err != nil || !bytes.Equal(b, line) {
		t.Errorf("%s, error %v", b, err)
	}
	if err := raw.Set(context.Background(), "foreign", json.RawMessage(line)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Lookup(context.Background(), "foreign"); !errors.Is(err, errForeign) {
		t.Errorf("another token's session: error %v", err)
	}
}
