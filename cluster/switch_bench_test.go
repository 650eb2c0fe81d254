package cluster

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkJoinAndLeave is what a node costs that joins and leaves again, over
// all nodes of a cluster, with nothing stored.
func BenchmarkJoinAndLeave(b *testing.B) {
	for _, count := range []int{3, 7} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			nodes := startNodes(b, count, nil)
			all := func(n *Node) []*Node { return append(append([]*Node(nil), nodes...), n) }
			i := 0
			for b.Loop() {
				i++
				n := startNode(b, fmt.Sprint("late", i), nodes, nil)
				waitActive(b, n)
				waitAgreed(b, all(n)...)
				if err := n.Leave(context.Background()); err != nil {
					b.Fatal(err)
				}
				waitAgreed(b, nodes...)
			}
		})
	}
}
