//go:build !fewslots

package cache

// Slots is the number of slots. An entry's slot is its hash modulo Slots.
const Slots = 1 << 15
