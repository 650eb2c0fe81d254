package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/peercache/peercache/cluster"
	"github.com/peercache/peercache/session"
)

func ExampleNewInMemory() {
	ctx := context.Background()
	sessions, err := session.NewInMemory(session.DefaultSize)
	if err != nil {
		log.Fatal(err)
	}
	err = sessions.Set(ctx, session.CachedSession{
		ID:      session.NumberID(353),
		Token:   "c7c6749e",
		Expires: time.Now().Add(time.Hour),
		User:    &session.CachedSessionUser{ID: session.NumberID(1), Identifier: "superadmin"},
	})
	if err != nil {
		log.Fatal(err)
	}
	s, err := sessions.Get(ctx, "c7c6749e")
	fmt.Println(s.User.Identifier, err)

	if err := sessions.Delete(ctx, "c7c6749e"); err != nil { // signs out
		log.Fatal(err)
	}
	_, err = sessions.Get(ctx, "c7c6749e")
	fmt.Println(errors.Is(err, session.ErrNotFound))
	// Output:
	// superadmin <nil>
	// true
}

func ExampleNew() {
	ctx := context.Background()
	node, err := cluster.Start(ctx, cluster.Config{}) // alone; Join names the other replicas
	if err != nil {
		log.Fatal(err)
	}
	defer node.Leave(ctx)
	sessions, err := session.New(node, session.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := sessions.Set(ctx, session.CachedSession{ID: session.StringID("353"), Token: "c7c6749e"}); err != nil {
		log.Fatal(err)
	}
	s, err := sessions.Get(ctx, "c7c6749e")
	fmt.Println(s.ID, err)

	if err := sessions.Clear(ctx); err != nil { // a role has changed
		log.Fatal(err)
	}
	_, err = sessions.Get(ctx, "c7c6749e")
	fmt.Println(errors.Is(err, session.ErrNotFound))
	// Output:
	// 353 <nil>
	// true
}

// What this package does not know is kept where it was.
func ExampleCachedSession() {
	const doc = `{"cacheExpiry":1795465536.685,"id":"s1","token":"c7c6749e","expires":"2027-11-24T02:20:36.684Z","activeOrderId":null,"cart":{"lines":[7]}}`
	var s session.CachedSession
	if err := json.Unmarshal([]byte(doc), &s); err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.ID, s.Expires.Year(), s.ActiveOrderID.IsNull())

	s.ActiveOrderID = session.NumberID(51)
	b, err := json.Marshal(s)
	fmt.Println(string(b), err)
	// Output:
	// s1 2027 true
	// {"cacheExpiry":1795465536.685,"id":"s1","token":"c7c6749e","expires":"2027-11-24T02:20:36.684Z","activeOrderId":51,"cart":{"lines":[7]}} <nil>
}
