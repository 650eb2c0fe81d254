//go:build fewslots

package cache

// Slots is the number of slots, with the build tag "fewslots": simulations of
// whole clusters spend most of their time on slots that change hands, and see
// more faults in the same time where there are fewer. Nodes with different
// numbers of slots cannot be in one cluster.
const Slots = 1 << 10
