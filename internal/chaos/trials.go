package main

import "fmt"

// trials lists what happens, each to a cluster of its own.
func trials(short bool) []trial {
	many, some := 100_000, 100_000
	restarts, most := 5, 7
	if short {
		many, some = 20_000, 5_000
		restarts, most = 3, 3
	}
	var list []trial
	for _, b := range []int{1, 2} {
		list = append(list, trial{
			name: fmt.Sprintf("kill %d of 7, backups %d", b, b), args: backups(b),
			nodes: 7, keys: many, play: killBackups(b),
		})
	}
	list = append(list,
		trial{
			name: fmt.Sprintf("rolling restart of %d", restarts), args: backups(1),
			nodes: restarts, keys: many, rate: 2000, play: rollingRestart,
		},
		trial{
			name: fmt.Sprintf("from 1 to %d and back to 1", most), args: backups(1),
			nodes: 1, keys: some, rate: 2000, play: scaleOutAndIn(most),
		},
		trial{name: "kill 1 of 5 under load", args: backups(1), nodes: 5, keys: many, rate: 2000, play: killUnderLoad},
		trial{name: "stop 1 of 5 and wake it", args: backups(1), nodes: 5, keys: some, rate: 1000, play: freeze(short)},
		trial{name: "busy machine, 5 nodes", args: backups(1), nodes: 5, keys: some, rate: 500, play: busy(short)},
		trial{name: "split 3:3", args: backups(1), nodes: 6, keys: some, rate: 500, split: true, play: splitAt(3, short)},
		trial{name: "split 5:1", args: backups(1), nodes: 6, keys: some, rate: 500, split: true, play: splitAt(5, short)},
	)
	return list
}

func backups(n int) []string { return []string{"-backups", fmt.Sprint(n)} }
