package session

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Dates are written as JavaScript's Date.toISOString does: with milliseconds
// and Z, and where the year is not of four digits with a sign and six.

const (
	isoTail = "-01-02T15:04:05.000Z"
	anyTail = "-01-02T15:04:05Z07:00" // Parse takes a fraction as well
)

func appendDate(dst []byte, t time.Time) ([]byte, error) {
	t = t.UTC()
	switch year := t.Year(); {
	case year >= 0 && year <= 9999:
		dst = fmt.Appendf(dst, `"%04d`, year)
	case year >= -999_999 && year <= 999_999:
		dst = fmt.Appendf(dst, `"%+07d`, year)
	default:
		return dst, fmt.Errorf("year %d has more than six digits", year)
	}
	dst = t.AppendFormat(dst, isoTail)
	return append(dst, '"'), nil
}

// parseDate reads ISO 8601 with any fraction and any zone. It never returns
// the zero Time, which stands for a session without a date: the very moment
// that this is comes back a nanosecond later, which is not written.
func parseDate(s string) (time.Time, error) {
	t, err := parseYear(s)
	if err != nil {
		if len(s) > 40 {
			s = s[:40] + "..."
		}
		return time.Time{}, fmt.Errorf("%q is no date like 2006-01-02T15:04:05.000Z", s)
	}
	if t.IsZero() {
		t = t.Add(time.Nanosecond)
	}
	return t.UTC(), nil
}

func parseYear(s string) (time.Time, error) {
	if !strings.HasPrefix(s, "+") && !strings.HasPrefix(s, "-") || len(s) < 7 {
		return time.Parse("2006"+anyTail, s)
	}
	year, err := strconv.Atoi(s[:7])
	if err != nil {
		return time.Time{}, err
	}
	// The calendar repeats every 400 years, so a year that time.Parse knows
	// has the same days as this one.
	const era = 400
	stand := 2000 + (year%era+era)%era
	t, err := time.Parse("2006"+anyTail, strconv.Itoa(stand)+s[7:])
	if err != nil {
		return time.Time{}, err
	}
	return t.AddDate(year-stand, 0, 0), nil
}
