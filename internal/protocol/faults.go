//go:build faults

package protocol

import (
	"reflect"
	"unsafe"
)

// Without leaves out a rule, by its name in rules, and tells whether there is
// one of that name. It is not there but with the build tag "faults", for tests
// of the layers above.
func (sh *Shared) Without(rule string) bool {
	f := reflect.ValueOf(&sh.off).Elem().FieldByName(rule)
	if f.IsValid() {
		*(*bool)(unsafe.Pointer(f.UnsafeAddr())) = true
	}
	return f.IsValid()
}
