package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
)

// ProfilesVar names the environment variable with the folder that each child
// writes a CPU profile of its whole life into. Without it there are none.
const ProfilesVar = "PEERCACHE_BENCH_PROFILES"

// profile starts this child's profile and returns what ends it.
func profile(dir, name string) (func(), error) {
	if dir == "" {
		return func() {}, nil
	}
	name = strings.Map(func(r rune) rune {
		if r == '/' || r <= ' ' {
			return '-'
		}
		return r
	}, name)
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d.prof", name, os.Getpid())))
	if err != nil {
		return nil, fmt.Errorf("proc: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("proc: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}
