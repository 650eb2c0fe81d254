// Package gossip says who is in the cluster. It is memberlist behind a small
// interface: nodes find each other, notice who comes, leaves in order or fails,
// carry a few bytes about themselves (Config.Meta), exchange state now and then
// (Config.LocalState and MergeState), and can say something to everybody
// (Broadcast). It knows nothing of what the cluster is for.
//
// # The life of a node
//
// Start (gossip.go) binds one port for TCP and UDP, and returns. From then on
// the node looks for others by itself (join.go): the names in Config.Join are
// resolved to all their addresses, and tried with growing pauses until somebody
// answers. It goes on looking afterwards, for memberlist forgets the dead after
// a while and so does not reunite two halves of a network that was cut apart,
// or two nodes that each started alone: seeds that are not members, and members
// that failed (reconnect.go), are tried again and again, with pauses of at most
// 15 seconds.
//
// A member that stops answering is noticed within two or three seconds; how
// that is tuned, and why, is in tuning.go. Leave says goodbye and waits until
// that has spread; Close stops everything at once and says nothing.
//
// # Events
//
// memberlist tells what happens while it holds its lock. Here that is only
// noted (events.go), and a goroutine of the package delivers it to
// Config.OnEvent, one event at a time and in order for each member. What a slow
// receiver has not been told yet is kept per member, newest state only, so it
// is never lost and never more than there are members.
//
// # Broadcasts
//
// Broadcast (broadcast.go) is quick and likely, not certain: a message that
// fits into a packet travels with the gossip and is passed on once by everybody
// who hears it; a larger one is sent to each member by itself. What must be
// known by all belongs into Config.LocalState, which makes knowledge complete.
//
// # Strangers
//
// With Config.Keys set, everything is encrypted and authenticated (AES-256-GCM),
// and what does not decrypt is dropped with a line in the log, at most one every
// ten seconds for each kind. memberlist reads up to 20 MiB of an encrypted stream
// before it can tell, so the number of streams and the bytes in all of them are
// bounded (transport.go).
package gossip
