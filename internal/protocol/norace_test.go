//go:build !race

package protocol

// shortLimit is how many states of each scenario a short search visits.
const shortLimit = 30_000
