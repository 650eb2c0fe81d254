//go:build !race

package protocol

// shortLimit is how many states of each scenario a short search visits.
const shortLimit = 30_000

// raced tells whether the race detector is on.
const raced = false
