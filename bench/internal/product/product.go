// Package product has the caches that are compared, each opened as its own
// documentation recommends, behind the same few functions.
package product

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// Product is one way to keep values outside of the process that asks for them.
type Product struct {
	Name string
	TLS  bool
	// Embedded: the processes of the application are the cache. Otherwise there
	// are servers, and processes that only ask.
	Embedded bool
	// Program is what has to be installed; Package is what has it.
	Program, Package string
	// Open opens the process's part in it. Others are what those opened before
	// it have told, in order.
	Open func(ctx context.Context, p Place, others []json.RawMessage) (*Part, error)
}

// ID names the product in the questions to a child.
func (p *Product) ID() string { return fmt.Sprintf("%s tls=%v", p.Name, p.TLS) }

// Missing tells what is not installed, and how to get it, or returns "".
func (p *Product) Missing() string {
	if p.Program == "" {
		return ""
	}
	if _, err := exec.LookPath(p.Program); err == nil {
		return ""
	}
	return fmt.Sprintf("%s is not installed: apt-get install %s", p.Program, p.Package)
}

// Place says which part of a deployment a process is.
type Place struct {
	Index int  `json:"index"` // in the order of opening
	Serve bool `json:"serve"` // it makes no calls
	TLS   bool `json:"tls"`
	// Backups is the number of copies besides the first.
	Backups int `json:"backups"`
	// Near lets the process keep copies of what it has read elsewhere.
	Near bool `json:"near"`
	// Sessions is how many sessions a loader can be asked for. 0: it is asked for
	// load's values.
	Sessions int `json:"sessions"`
	// Callers is the most that there will be at a time.
	Callers int `json:"callers"`
}

// Part is what Open has opened. A function is nil where there is no such thing.
type Part struct {
	// Where is what those opened later need to know.
	Where any
	// Meet tells the part of all others once they are open, and returns when they
	// are ready for calls.
	Meet func(ctx context.Context, all []json.RawMessage) error

	Get     func(ctx context.Context, key string) ([]byte, error)
	Set     func(ctx context.Context, key string, value []byte) error
	Delete  func(ctx context.Context, key string) error
	GetMany func(ctx context.Context, keys []string) (found int, err error)
	// Sessions, where not nil, are the same with decoded values, where that is
	// not a Get that is then decoded.
	Sessions *Sessions

	// Remote tells whether a key is kept by another process. Nil: all are.
	Remote func(key string) bool
	// Load is set where values come from a loader: what is asked for is there.
	Load bool
	// Program's usage, where the work is not done by this process.
	Usage func() (Usage, error)
	Close func()
}

// Usage is what a process has used.
type Usage struct {
	CPU    time.Duration `json:"cpu"`
	Allocs uint64        `json:"allocs,omitempty"` // 0 for programs not in Go
	RSS    int64         `json:"rss"`              // bytes, now
}

// ErrMissing says that there is no value.
var ErrMissing = errors.New("product: no value")

// Names of products, as results have them.
const (
	Floor         = "floor"
	FloorThrough  = "floor, through one"
	Wire          = "wire"
	Peercache     = "peercache"
	Groupcache    = "groupcache HTTPPool"
	GroupcacheGo  = "groupcache-go v3"
	Olric         = "Olric"
	RedisRueidis  = "Redis + rueidis"
	RedisGoRedis  = "Redis + go-redis"
	MemcachedGo   = "memcached + gomemcache"
	redisProgram  = "redis-server"
	memcachedProg = "memcached"
)

// All returns the products, ours first.
func All() []*Product {
	return []*Product{
		{Name: Floor, Open: openFloor},
		{Name: Floor, TLS: true, Open: openFloor},
		{Name: FloorThrough, Open: openFloorThrough},
		{Name: Wire, Open: openWire},
		{Name: Wire, TLS: true, Open: openWire},
		{Name: Peercache, Embedded: true, Open: openPeercache},
		{Name: Peercache, TLS: true, Embedded: true, Open: openPeercache},
		{Name: Groupcache, Embedded: true, Open: openGroupcache},
		{Name: GroupcacheGo, Embedded: true, Open: openGroupcacheGo},
		{Name: Olric, Embedded: true, Open: openOlric},
		{Name: RedisRueidis, Program: redisProgram, Package: "redis-server", Open: openRueidis},
		{Name: RedisGoRedis, Program: redisProgram, Package: "redis-server", Open: openGoRedis},
		{Name: MemcachedGo, Program: memcachedProg, Package: "memcached", Open: openMemcached},
	}
}

// Find returns the product of that ID.
func Find(id string) (*Product, error) {
	for _, p := range All() {
		if p.ID() == id {
			return p, nil
		}
	}
	return nil, fmt.Errorf("product: there is no %q", id)
}

func decode[T any](raw json.RawMessage) (T, error) {
	var v T
	err := json.Unmarshal(raw, &v)
	return v, err
}
