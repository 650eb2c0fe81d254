//go:build !linux

package growth

import "errors"

func loopbackUp() error { return errors.New("growth: a network of its own is only known on Linux") }
