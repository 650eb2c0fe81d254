package report

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine describes the machine and how busy it is, in one line.
func Machine() string {
	s := fmt.Sprintf("%s, %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if model := field("/proc/cpuinfo", "model name"); model != "" {
		s += " (" + model + ")"
	}
	if mem := field("/proc/meminfo", "MemTotal"); mem != "" {
		s += ", memory " + mem
	}
	return s
}

// Load returns the machine's load averages, or "unknown".
func Load() string {
	b, err := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	if err != nil || len(f) < 3 {
		return "unknown"
	}
	return strings.Join(f[:3], " ")
}

func field(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
