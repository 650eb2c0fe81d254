package cache_test

import (
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/peercache/peercache/cache"
)

func Example() {
	store, err := cache.New(cache.Config{Budget: 64 << 20, MaxValue: 64 << 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	const users = 0 // the number of a cache
	key := "user/7"
	ref := cache.Ref{Hash: xxhash.Sum64String(key), Cache: users, Key: key}
	if _, err := store.Put(ref, cache.Entry{Version: 1, Value: []byte("Ada")}); err != nil {
		fmt.Println(err)
	}
	if hit, ok := store.Get(cache.Owned, ref.Hash, users, key); ok {
		fmt.Printf("%s, version %d\n", hit.Value, hit.Version)
	}

	store.RaiseGeneration(users, 1) // clears the cache
	store.Forget(users, 1)          // there is nobody else who has to
	_, ok := store.Get(cache.Owned, ref.Hash, users, key)
	fmt.Println(ok)
	// Output:
	// Ada, version 1
	// false
}

func ExampleStore_Put() {
	store, err := cache.New(cache.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	ref := cache.Ref{Hash: 42, Key: "key"}
	for _, version := range []uint64{2, 1, 3} {
		result, err := store.Put(ref, cache.Entry{Version: version, Value: []byte("value")})
		fmt.Println(version, result == cache.Stored, err)
	}
	// Output:
	// 2 true <nil>
	// 1 false <nil>
	// 3 true <nil>
}

func ExampleStore_Promote() {
	store, err := cache.New(cache.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	ref := cache.Ref{Hash: 42, Key: "key"}
	if _, err := store.Put(ref, cache.Entry{Kind: cache.Staged, Version: 1, Value: []byte("value")}); err != nil {
		fmt.Println(err)
	}
	_, before := store.Get(cache.Owned, 42, 0, "key")
	store.Promote(42)
	_, after := store.Get(cache.Owned, 42, 0, "key")
	fmt.Println(before, after)
	// Output: false true
}
