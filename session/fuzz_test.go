package session

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzJSON: whatever is read is written as equal JSON, and reads again as the
// same session.
func FuzzJSON(f *testing.F) {
	for _, line := range samples(f) {
		f.Add(line)
	}
	for _, doc := range []string{
		`{}`, `null`, `{"user":null}`, `{"x":{"y":[1,"]",{}]},"token":"\ud800","id":1e99}`,
		`{"user":{"channelPermissions":[null,{"permissions":[null,"\u0041"],"q":1}]}}`,
		`{"expires":"+012345-02-29T01:02:03.004+05:00","cacheExpiry":-0.0}`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var first, second CachedSession
		if json.Unmarshal(doc, &first) != nil {
			return
		}
		b := written(t, first)
		if string(bytes.TrimSpace(doc)) != "null" && !reflect.DeepEqual(generic(t, []byte(b)), generic(t, doc)) {
			t.Fatalf("read  %s\nwrote %s", doc, b)
		}
		if err := json.Unmarshal([]byte(b), &second); err != nil {
			t.Fatalf("cannot read %s: %v", b, err)
		}
		if string(bytes.TrimSpace(doc)) != "null" && !reflect.DeepEqual(first, second) {
			t.Fatalf("first  %#v\nsecond %#v", first, second)
		}
		if again := written(t, second.Clone()); again != b {
			t.Fatalf("wrote %s\nthen  %s", b, again)
		}
	})
}

func generic(t *testing.T, doc []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return v
}
