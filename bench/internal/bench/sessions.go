package bench

import (
	"context"
	"time"

	"github.com/peercache/peercache/bench/internal/member"
	"github.com/peercache/peercache/bench/internal/product"
	"github.com/peercache/peercache/bench/internal/report"
)

// slow is what the reference user takes for a miss.
const slow = 50 * time.Millisecond

// sessions measures three processes of a shop that share sessions. All
// processors are for all of them, and are saturated.
func sessions(ctx context.Context, r *Run) error {
	count, perClient := 100_000, 22
	if r.Quick {
		count = 10_000
	}
	backups := 0
	kase := noBackup
	if r.canBackup(ctx) {
		backups, kase = 1, oneBackup
	}
	work := member.Work{Name: "sessions", Kind: member.Sessions, Keys: count}
	var field []*entrant
	var placed []*deployment
	for _, name := range []string{product.Peercache, product.RedisRueidis, product.GroupcacheGo, product.Olric} {
		p := rival(name, false)
		l := layout{clients: 3, near: true, sessions: count, callers: perClient}
		own := ""
		if !p.Embedded {
			l.servers = 1
		}
		if name == product.Peercache {
			l.backups, own = backups, kase
		}
		d := r.deployed(ctx, p, l)
		if d == nil {
			continue
		}
		if e := r.entrant(ctx, d, own, work); e != nil {
			field, placed = append(field, e), append(placed, d)
		}
	}
	r.Time *= 4
	r.Warm = r.Time // near copies of the last round have ended, and are fetched anew
	callers := []int{perClient}
	if err := r.contest(ctx, field, callers); err != nil {
		return err
	}
	base := find(field, product.RedisRueidis, "", false)
	for i, e := range field {
		if e.gone || len(e.got[perClient]) == 0 {
			continue
		}
		row := e.row(perClient, base)
		row.Callers *= len(placed[i].clients)
		row.Figures = sessionFigures(e, base, perClient)
		r.Add(row)
	}
	return nil
}

func sessionFigures(e, base *entrant, callers int) map[string]float64 {
	var rss, missed, perCPU, times []float64
	over, total := uint64(0), uint64(0)
	for i, m := range e.got[callers] {
		rss = append(rss, float64(m.RSS)/1e6)
		missed = append(missed, m.Missed)
		perCPU = append(perCPU, opsPerCPU(&m))
		if base != nil && i < len(base.got[callers]) {
			times = append(times, opsPerCPU(&m)/opsPerCPU(&base.got[callers][i]))
		}
		over += m.Hist.Histogram().Over(slow)
		total += m.Ops
	}
	f := map[string]float64{
		"rss_mb": report.Median(rss), "misses_percent": 100 * report.Median(missed),
		"cpu_s_per_million": 1e6 / report.Median(perCPU), "under_50ms_percent": 100 * (1 - float64(over)/float64(max(total, 1))),
	}
	if len(times) > 0 {
		f["ops_per_cpu_s_ratio"] = report.Median(times)
	}
	return f
}

func opsPerCPU(m *measured) float64 { return float64(m.Ops) / (m.CPU + m.ServerCPU).Seconds() }
