//go:build !faults

package wire

// Faults is empty: there is no mistake to be made without the build tag
// "faults".
type Faults struct{}

func (Faults) sameNumbers() bool { return false }
