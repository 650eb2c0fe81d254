// Package session is the session cache of a web shop, shared by all of the
// shop's replicas: who signs in on one replica is known on the others, and who
// signs out on one is unknown to all of them when Delete has returned.
//
// The sessions are those that a Vendure shop writes. A [CachedSession] reads
// their JSON and writes it back as it was: the same fields in the same order,
// numbers as they were written, null where null was and nothing where nothing
// was, and fields that this package does not know, at every level.
//
// A [Strategy] has the four calls that the shop makes. There are two:
//
//   - [InMemory] holds the sessions of one process, the most recently used
//     ones. It is for tests and for a shop with a single replica.
//   - [Cluster] holds them in the memory of all replicas, with package
//     cluster, and promises what that promises: once Set, Delete or Clear has
//     returned nil on any replica, no replica serves an older session (P1).
//
// A cache that fails must not fail the request it serves. So a Strategy's Get
// and Set log what goes wrong and carry on as if the session were not there; the
// shop then reads its database. Delete and Clear return the error as well: that
// somebody is still signed in is something the caller has to know. Every call
// ends with its context, and on a Cluster after the node's request timeout at
// the latest; a shop that gives its cache 50 ms says so with the context.
//
// A session whose Expires is in the past is not found. One whose CacheExpiry is
// in the past is found: the shop sees that it is stale and sets it again.
//
// What Get returns is shared with other callers and with the cache itself, and
// must only be read. To change a session, change a [CachedSession.Clone].
//
// A session's token is as good as a password, so it is never logged here.
package session
