//go:build !linux

package proc

import "errors"

func pin(cpu string) error {
	if cpu == "" {
		return nil
	}
	return errors.New("proc: binding to a processor is only known on Linux")
}
