//go:build race

package protocol

// shortLimit is how many states of each scenario a short search visits. The
// race detector makes it slow, and what it could find it finds soon.
const shortLimit = 500

// raced tells whether the race detector is on.
const raced = true
