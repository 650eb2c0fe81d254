//go:build faults

package wire

// Faults are mistakes that tests of the layers above let connections make.
type Faults struct {
	// SameNumbers gives the number of a call that is over to the next one.
	SameNumbers bool
}

func (f Faults) sameNumbers() bool { return f.SameNumbers }
