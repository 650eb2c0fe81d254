// Demo-node is one peercache node as a process, with an HTTP interface to its
// sessions and caches. An application links package cluster in and needs no
// such process; this one is there to try a cluster and to test it.
//
//	demo-node -name n1 -bind 127.0.0.1:7946 -http 127.0.0.1:8080
//	demo-node -name n2 -bind 127.0.0.1:7956 -http 127.0.0.1:8081 -join 127.0.0.1:7946
//
// When it accepts on all its ports it prints one line on standard output,
//
//	{"name":"n1","gossip":"127.0.0.1:7946","peer":"127.0.0.1:7947","http":"127.0.0.1:8080"}
//
// with the addresses that it really has, and nothing more. It logs on standard
// error. The flags (-h lists them) can be given as environment variables too.
//
// SIGTERM and SIGINT let the node hand over what it owns and leave; HTTP is
// answered until that is done, while /readyz says that it leaves. A second
// signal ends the process at once.
//
// The exit status is 0 after a leave in order, 1 when the start or the leave
// failed or was cut short, and 2 for a flag that makes no sense.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 2) // the first leaves, the second ends
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr, signals))
}
