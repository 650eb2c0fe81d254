// Package sim is a network in memory, for tests that let whole nodes live in it
// in virtual time.
//
// A Network has hosts, each with a name and an IP address. On a host run
// processes, and a process listens, dials and sends packets as it would on a
// real one: Process.Listen and Process.Dial give net.Listener and net.Conn, and
// Process.Transport is what memberlist wants. Between every two hosts there are
// two ways, one in each direction, and each has its own latency, loss, bandwidth
// and cut (Link). A process can be killed, frozen and thawed; a host can lose its
// power, and come back under the same address or another.
//
// # What is as on a real network
//
// A stream keeps what was written until the other side has read it, up to a
// limit, and then Write waits. It can be closed by half. A lost or cut-off
// segment is sent again, after 200 ms and then twice as long each time, and
// nothing overtakes it; so a stream that a cut has stalled goes on some time
// after the cut has ended, two minutes at most. (No other segment tells of one that
// is lost: it always waits.) One that is idle and has lost its peer ends after 35 s
// (keep-alive), and one that has something to send after 15 minutes. Nobody who
// listens: the connection is refused. What comes for a process that is gone is
// answered with a reset, by a host that has power. Packets may be lost and may
// overtake each other, and are dropped where the receiver is behind.
//
// # What is not
//
// A frozen process is cut off from the network: it takes nothing in and brings
// nothing out until it is thawed, while its host goes on accepting for it. But
// its timers run on, as nothing can stop them in one program. Acknowledgements
// take no time and no bandwidth, there is no congestion control, and segments
// are as long as what was written, 64 KiB at most. A process that is killed
// takes with it what it has written and what has not arrived.
//
// # Time and chance
//
// Time is the time package's, so in a bubble of testing/synctest it is virtual:
// all that waits here waits on channels and timers. One goroutine lets things
// happen, in the order of their times and, at the same instant, in that in which
// they were brought about. It ends with Close, and nothing else runs in the
// background but one goroutine for each Transport. Chance comes from Config.Seed,
// one source for each way, so that what one way does has no influence on the
// others. With the same sends in the same order everything happens again; in
// what order two goroutines that run at the same instant send is up to the
// scheduler.
package sim
