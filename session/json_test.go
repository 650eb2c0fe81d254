package session

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// samples are the lines that a real shop wrote.
func samples(t testing.TB) [][]byte {
	t.Helper()
	b, err := os.ReadFile("../testdata/vendure-sessions.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	if len(lines) < 20 {
		t.Fatalf("%d samples", len(lines))
	}
	return lines
}

func read(t testing.TB, doc string) CachedSession {
	t.Helper()
	var s CachedSession
	if err := json.Unmarshal([]byte(doc), &s); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return s
}

func written(t testing.TB, s CachedSession) string {
	t.Helper()
	b, err := s.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSamplesComeBackByteForByte(t *testing.T) {
	for _, line := range samples(t) {
		s := read(t, string(line))
		if got := written(t, s); got != string(line) {
			t.Errorf("read  %s\nwrote %s", line, got)
		}
		if s.shape != nil || s.User != nil && s.User.shape != nil {
			t.Errorf("%s: what the shop writes needs a shape", line)
		}
		if len(s.Token) != 64 || s.Expires.Year() != 2027 || s.CacheExpiry < 1.7e9 || !s.ID.IsNumber() {
			t.Errorf("%s: read as %+v", line, s)
		}
	}
}

func TestSampleFields(t *testing.T) {
	s := read(t, string(samples(t)[9]))
	if s.ActiveOrderID != NumberID(51) || s.ActiveChannelID != NumberID(1) || s.AuthenticationStrategy != "native" {
		t.Errorf("read as %+v", s)
	}
	if want := time.Date(2027, 11, 24, 2, 20, 36, 915e6, time.UTC); !s.Expires.Equal(want) {
		t.Errorf("expires %v, want %v", s.Expires, want)
	}
	u := s.User
	if u == nil || u.ID != NumberID(5) || u.Identifier != "customer3@example.test" || !u.Verified || len(u.ChannelPermissions) != 1 {
		t.Fatalf("user %+v", u)
	}
	if c := u.ChannelPermissions[0]; c.Code != "__default_channel__" || c.Permissions[0] != "Authenticated" || c.Token == "" {
		t.Errorf("channel %+v", c)
	}
	if first := read(t, string(samples(t)[0])); !first.ActiveChannelID.IsNull() {
		t.Errorf("activeChannelId %v, want null", first.ActiveChannelID)
	}
	if guest := read(t, string(samples(t)[12])); guest.User != nil || guest.AuthenticationStrategy != "" {
		t.Errorf("guest %+v", guest)
	}
}

// Whatever is unusual about a document, it comes back as it was.
func TestUnusualJSONIsKept(t *testing.T) {
	for name, doc := range map[string]string{
		"empty":                     `{}`,
		"token alone":               `{"token":"t"}`,
		"all null":                  `{"cacheExpiry":null,"id":null,"token":null,"expires":null,"activeOrderId":null,"activeChannelId":null,"authenticationStrategy":null,"user":null}`,
		"empty strings":             `{"token":"","id":"","authenticationStrategy":""}`,
		"unknown fields":            `{"a":{"b":[1,{"c":null}]},"token":"t","z":[[],{},"]}",-1.50e+3,true]}`,
		"unknown fields below":      `{"user":{"x":1,"id":"u","channelPermissions":[{"y":[{}],"id":2,"permissions":["A"],"w":false}],"v":"\u2028"}}`,
		"case counts":               `{"Token":"T","token":"t","TOKEN":"X","activeOrderID":3}`,
		"order":                     `{"user":{"verified":false,"id":1},"token":"t","id":1,"cacheExpiry":5}`,
		"big IDs":                   `{"id":123456789012345678901234567890,"activeOrderId":-0.10,"activeChannelId":1E400,"user":{"id":1.0}}`,
		"string IDs":                `{"id":"1","activeOrderId":"00<&>é\u2028","user":{"id":"e3b0c442"}}`,
		"number as written":         `{"cacheExpiry":1795465536.6850,"token":"t"}`,
		"exponent":                  `{"cacheExpiry":1.5e3}`,
		"huge number":               `{"cacheExpiry":1e+21}`,
		"minus zero":                `{"cacheExpiry":-0}`,
		"escapes":                   `{"token":"\u0041\/\ud83d\ude00","authenticationStrategy":"a\"\\\b\f\n\r\t\u0001` + "\u007f" + `"}`,
		"lone surrogate":            `{"token":"\ud800","id":"\udc00x","user":{"identifier":"\ud800\ud800","channelPermissions":[{"permissions":["\udfff"]}]}}`,
		"lone surrogate in a name":  `{"\ud800":1,"\ud801":2}`,
		"zone":                      `{"expires":"2027-11-24T03:20:36.684+01:00"}`,
		"no fraction":               `{"expires":"2027-11-24T03:20:36Z"}`,
		"nanoseconds":               `{"expires":"2027-11-24T03:20:36.123456789Z"}`,
		"year 1":                    `{"expires":"0001-01-01T00:00:00.000Z"}`,
		"year 10000":                `{"expires":"+010000-01-01T00:00:00.000Z"}`,
		"last date":                 `{"expires":"+275760-09-13T00:00:00.000Z"}`,
		"first date":                `{"expires":"-271821-04-20T00:00:00.000Z"}`,
		"leap day in year -4":       `{"expires":"-000004-02-29T00:00:00.000Z"}`,
		"null in lists":             `{"user":{"channelPermissions":[null,{"permissions":[null,"A"]}]}}`,
		"null lists":                `{"user":{"channelPermissions":null}}`,
		"empty lists":               `{"user":{"channelPermissions":[{"permissions":[]}]}}`,
		"no lists":                  `{"user":{"id":1,"identifier":"","verified":false}}`,
		"deep unknown":              `{"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
		"unknown field given twice": `{"x":1,"x":2}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := read(t, doc)
			if got := written(t, s); got != doc {
				t.Errorf("read  %s\nwrote %s", doc, got)
			}
			if got := written(t, s.Clone()); got != doc {
				t.Errorf("the clone of %s\nwrote %s", doc, got)
			}
		})
	}
}

func TestWhiteSpaceGoes(t *testing.T) {
	s := read(t, " { \"id\" : 1 ,\n \"x\" : [ 1 , { } ] , \"token\" : \" t \" } ")
	if got, want := written(t, s), `{"id":1,"x":[1,{}],"token":" t "}`; got != want {
		t.Errorf("wrote %s, want %s", got, want)
	}
}

func TestChangesAreWrittenInPlace(t *testing.T) {
	const doc = `{"x":1,"expires":"2027-11-24T03:20:36.684+01:00","cacheExpiry":1.0,"id":1,"token":"\u0074","activeOrderId":null,"authenticationStrategy":null,"user":null,"y":2}`
	s := read(t, doc)
	s.Expires = s.Expires.Add(time.Second)
	s.CacheExpiry++
	s.ID = ID{}
	s.Token = "u"
	s.ActiveOrderID = StringID("o")
	s.ActiveChannelID = NumberID(7)
	s.AuthenticationStrategy = "native"
	s.User = &CachedSessionUser{ID: NumberID(1), ChannelPermissions: []ChannelPermissions{{Code: "c"}}}
	const want = `{"x":1,"expires":"2027-11-24T02:20:37.684Z","cacheExpiry":2,"token":"u","activeOrderId":"o","authenticationStrategy":"native",` +
		`"user":{"id":1,"identifier":"","verified":false,"channelPermissions":[{"token":"","code":"c","permissions":[]}]},"y":2,"activeChannelId":7}`
	if got := written(t, s); got != want {
		t.Errorf("wrote %s\nwant  %s", got, want)
	}
	if again := read(t, want); written(t, again) != want {
		t.Errorf("read and wrote %s", written(t, again))
	}
}

func TestMadeInGo(t *testing.T) {
	if got, want := written(t, CachedSession{}), `{"cacheExpiry":0,"token":""}`; got != want {
		t.Errorf("wrote %s, want %s", got, want)
	}
	s := CachedSession{Token: "t\xff\x00", Expires: time.Date(2027, 1, 2, 3, 4, 5, 6_999_999, time.FixedZone("", 3600)), ActiveOrderID: NullID()}
	want := `{"cacheExpiry":0,"token":"t` + "\ufffd" + `\u0000","expires":"2027-01-02T02:04:05.006Z","activeOrderId":null}`
	if got := written(t, s); got != want {
		t.Errorf("wrote %s, want %s", got, want)
	}
	for _, s := range []CachedSession{
		{CacheExpiry: math.NaN()},
		{CacheExpiry: math.Inf(-1)},
		{Expires: time.Unix(1<<55, 0)},
	} {
		if b, err := s.MarshalJSON(); err == nil || !strings.HasPrefix(err.Error(), "session: ") {
			t.Errorf("%+v: wrote %s, error %v", s, b, err)
		}
	}
}

func TestBadJSONIsRefused(t *testing.T) {
	for doc, want := range map[string]string{
		``:                              "not JSON",
		`{`:                             "not JSON",
		`{"token":"t"} x`:               "not JSON",
		"{\"token\":\"\xff\"}":          "not UTF-8",
		`[]`:                            "want an object, not a list",
		`5`:                             "want an object, not a number",
		`"x"`:                           "want an object, not a string",
		`{"token":5}`:                   "token: want a string, not a number",
		`{"token":"a","token":"b"}`:     "token is given twice",
		`{"token":"a","\u0074oken":""}`: "token is given twice",
		`{"id":true}`:                   "id: want a string or a number, not a boolean",
		`{"activeOrderId":{}}`:          "activeOrderId: want a string or a number, not an object",
		`{"cacheExpiry":"1"}`:           "cacheExpiry: want a number, not a string",
		`{"cacheExpiry":1e999}`:         "cacheExpiry: number is out of range",
		`{"expires":1}`:                 "expires: want a string, not a number",
		`{"expires":"tomorrow"}`:        `expires: "tomorrow" is no date`,
		`{"expires":"+1"}`:              `expires: "+1" is no date`,
		`{"expires":"+01000x-01-01T00:00:00.000Z"}`:       "is no date",
		`{"expires":"` + strings.Repeat("9", 1000) + `"}`: `9999..." is no date`,
		`{"user":[]}`:                        "user: want an object, not a list",
		`{"user":{"verified":1}}`:            "user: verified: want a boolean, not a number",
		`{"user":{"channelPermissions":{}}}`: "user: channelPermissions: want a list, not an object",
		`{"user":{"channelPermissions":[null,{"permissions":["",1]}]}}`:           "user: channelPermissions: 1: permissions: 1: want a string, not a number",
		`{"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`: "depth",
	} {
		s := CachedSession{Token: "before"}
		err := s.UnmarshalJSON([]byte(doc))
		if err == nil || !strings.HasPrefix(err.Error(), "session: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: error %v, want %q", doc, err, want)
		}
		if s.Token != "before" {
			t.Errorf("%.80s: half read", doc)
		}
	}
}

func TestNullDocumentIsNoSession(t *testing.T) {
	if s := read(t, `null`); !reflect.DeepEqual(s, CachedSession{}) {
		t.Errorf("read as %+v", s)
	}
}

func TestPartsAloneKeepTheirJSON(t *testing.T) {
	const user, channel = `{"x":1,"verified":true,"id":"u"}`, `{"code":"c","id":9e9,"x":[]}`
	var u CachedSessionUser
	var c ChannelPermissions
	for doc, v := range map[string]any{user: &u, channel: &c} {
		if err := json.Unmarshal([]byte(doc), v); err != nil {
			t.Fatal(err)
		}
		if b, err := json.Marshal(v); err != nil || string(b) != doc {
			t.Errorf("read %s, wrote %s, %v", doc, b, err)
		}
	}
	if !u.Verified || u.ID != StringID("u") || c.Code != "c" || c.ID.String() != "9e9" {
		t.Errorf("read as %+v and %+v", u, c)
	}
}
