//go:build !faults

package cluster

import (
	"time"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/gossip"
	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// faulty is empty, and its methods say that nothing is wrong: the compiler
// leaves out what depends on them.
type faulty struct{}

func (faulty) has(fault) bool                                                     { return false }
func (faulty) now(fault, uint64) bool                                             { return false }
func (faulty) timer(d time.Duration, _ *clock) time.Duration                      { return d }
func (faulty) id(string) protocol.Member                                          { return 0 }
func (faulty) message(*Node, protocol.Member, *wire.Conn, *protocol.Message) bool { return false }
func (faulty) event(*Node, gossip.Event) bool                                     { return false }
func (faulty) staged(*Node, cache.Ref, *cache.Hit) bool                           { return false }
func (faulty) wire(*wire.Config)                                                  {}
