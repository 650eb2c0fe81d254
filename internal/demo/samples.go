package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"
	"time"
)

// sample is a session as the shop wrote it, with a date to come.
type sample struct {
	token string
	who   string // for the screen
	doc   []byte
}

// readSamples reads the shop's sessions. They end at a fixed date, so every
// expires and cacheExpiry is moved by the same whole number of days, such that
// the first of them ends tomorrow or later; everything else stays as it is.
func readSamples(path string, now time.Time) ([]sample, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	docs := make([]shopSession, len(lines))
	shift := time.Duration(0)
	for i, line := range lines {
		if err := json.Unmarshal(line, &docs[i]); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, i+1, err)
		}
		const day = 24 * time.Hour
		if late := now.Add(day).Sub(docs[i].Expires); late > shift {
			shift = (late + day - 1).Truncate(day)
		}
	}
	list := make([]sample, len(lines))
	for i, d := range docs {
		list[i] = sample{token: d.Token, who: "a guest", doc: moved(lines[i], d, shift)}
		if d.User.Identifier != "" {
			list[i].who = d.User.Identifier
		}
	}
	return list, nil
}

// shopSession is the part of a session that the demo looks at.
type shopSession struct {
	Token       string      `json:"token"`
	Expires     time.Time   `json:"expires"`
	CacheExpiry json.Number `json:"cacheExpiry"`
	User        struct {
		Identifier string `json:"identifier"`
	} `json:"user"`
}

// moved replaces the two times in the text.
func moved(line []byte, d shopSession, shift time.Duration) []byte {
	const iso = "2006-01-02T15:04:05.000Z"
	expiry, _ := d.CacheExpiry.Float64() // it was read as a number
	line = bytes.Replace(line, fmt.Appendf(nil, `"expires":%q`, d.Expires.UTC().Format(iso)),
		fmt.Appendf(nil, `"expires":%q`, d.Expires.Add(shift).UTC().Format(iso)), 1)
	return bytes.Replace(line, []byte(`"cacheExpiry":`+d.CacheExpiry.String()),
		append([]byte(`"cacheExpiry":`), strconv.FormatFloat(math.Round((expiry+shift.Seconds())*1e3)/1e3, 'f', -1, 64)...), 1)
}

// same tells whether two texts are equal JSON: numbers as they are written,
// null and absent apart.
func same(a, b []byte) bool {
	var x, y any
	for doc, v := range map[*[]byte]*any{&a: &x, &b: &y} {
		d := json.NewDecoder(bytes.NewReader(*doc))
		d.UseNumber()
		if d.Decode(v) != nil || d.More() {
			return false
		}
	}
	return reflect.DeepEqual(x, y)
}
