package protocol

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestZZ(t *testing.T) {
	for _, rule := range strings.Split(os.Getenv("RULES"), ",") {
		found := false
		for _, sc := range scenarios(allBut(rule)) {
			if !strings.Contains(sc.name, "backup") && !strings.Contains(sc.name, "another") {
				continue
			}
			if o := os.Getenv("ONLY"); o != "" && !strings.Contains(sc.name, o) {
				continue
			}
			lim := 150000
			fmt.Sscan(os.Getenv("LIM"), &lim)
			res := search(sc, lim)
			if res.why != "" {
				fmt.Printf("RULE %s: %s: %s (%d states, %d steps, %.1fs)\n", rule, sc.name, res.why, res.states, len(res.trace), res.took.Seconds())
				if os.Getenv("TR") != "" {
					fmt.Println(strings.Join(res.trace, "\n"))
				}
				found = true
				if os.Getenv("ALL") == "" {
					break
				}
			}
		}
		if !found {
			fmt.Println("RULE", rule, "NOTHING")
		}
	}
}
