package fleet

import (
	"fmt"
	"os"
	"path/filepath"
)

// ModuleRoot is the directory of go.mod, at or above the current one.
func ModuleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod at or above %s: run this inside the module", start)
		}
	}
}
