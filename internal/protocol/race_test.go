//go:build race

package protocol

// shortLimit is how many states of each scenario a short search visits. The
// race detector makes it slow and has nothing to find in it.
const shortLimit = 10_000
