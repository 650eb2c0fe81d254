package load

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Samples is where the sessions that a real shop wrote are, seen from the folder
// that the program runs in.
const Samples = "../testdata/vendure-sessions.jsonl"

// Session is what a shop keeps of who is signed in, as an application declares
// it.
type Session struct {
	CacheExpiry            float64         `json:"cacheExpiry"`
	ID                     json.RawMessage `json:"id"`
	Token                  string          `json:"token"`
	Expires                time.Time       `json:"expires"`
	ActiveOrderID          json.RawMessage `json:"activeOrderId,omitempty"`
	ActiveChannelID        json.RawMessage `json:"activeChannelId,omitempty"`
	AuthenticationStrategy string          `json:"authenticationStrategy,omitempty"`
	User                   *User           `json:"user,omitempty"`
}

// User is who is signed in.
type User struct {
	ID                 json.RawMessage `json:"id"`
	Identifier         string          `json:"identifier"`
	Verified           bool            `json:"verified"`
	ChannelPermissions []Permissions   `json:"channelPermissions"`
}

// Permissions are what a user may do in a channel.
type Permissions struct {
	ID          json.RawMessage `json:"id"`
	Token       string          `json:"token"`
	Code        string          `json:"code"`
	Permissions []string        `json:"permissions"`
}

// Shop makes sessions like those that a real shop wrote.
type Shop struct {
	samples []Session
	sizes   []int
}

// NewShop reads the samples.
func NewShop(path string) (*Shop, error) {
	samples, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	var shop Shop
	for line := range strings.Lines(string(samples)) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		var s Session
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			return nil, fmt.Errorf("load: a sample: %w", err)
		}
		shop.samples = append(shop.samples, s)
		shop.sizes = append(shop.sizes, len(strings.TrimSpace(line)))
	}
	if len(shop.samples) == 0 {
		return nil, fmt.Errorf("load: no samples in %s", path)
	}
	return &shop, nil
}

// Session makes the session of a number. Its token is Key's.
func (s *Shop) Session(i int) *Session {
	made := s.samples[s.sample(i)]
	made.Token = Key(i)
	made.ID = json.RawMessage(fmt.Sprint(i))
	if made.User != nil {
		u := *made.User
		u.Identifier = fmt.Sprintf("user%d@example.com", i)
		u.ChannelPermissions = slices.Clone(u.ChannelPermissions)
		made.User = &u
	}
	return &made
}

// Size returns about how many bytes the session of a number is as JSON.
func (s *Shop) Size(i int) int { return s.sizes[s.sample(i)] }

func (s *Shop) sample(i int) int { return int(Mix(uint64(i)+99) % uint64(len(s.samples))) }
