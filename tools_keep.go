//go:build keep

package peercache

import (
	_ "github.com/anishathalye/porcupine"
	_ "github.com/cespare/xxhash/v2"
	_ "github.com/golang/groupcache/consistenthash"
	_ "github.com/hashicorp/golang-lru/v2"
	_ "github.com/hashicorp/memberlist"
	_ "go.uber.org/goleak"
)
