package protocol

import "testing"

// A write that its backup has refused, since the slot is lost, is in the old owner's
// copy alone. If it is evicted there before the new owner has it, the value that it
// was to overwrite is served again, and so it must not be acknowledged.
func TestHandedWriteIsEvicted(t *testing.T) {
	trace := []string{
		"A: starts set 2",
		"B: switches to table 1 (ABC, owner C, backups A)",
		"C: switches to table 1 (ABC, owner C, backups A)",
		"B <- replicate 6 from A with 2 v2",
		"A <- replicated 6 from B",
		"B <- take 1 from C",
		"C <- grant 1 from B with 1 v1",
		"A: switches to table 1 (ABC, owner C, backups A)",
		"A: evicts what it has",
		"A <- take 1 from C",
		"C <- grant 1 from A",
		"A <- sync 2 from C with 1 v1",
		"C <- synced 2 from A",
		"A <- done 0 from C",
	}
	steps, why := replay(scenarioNamed(t, "eviction, A->C->B, backup", rules{}), trace)
	if steps != len(trace) {
		t.Fatalf("%d of %d steps are possible", steps, len(trace))
	}
	if why != "" {
		t.Error(why)
	}
}
