package session

import (
	"encoding/json"
	"testing"
)

func TestID(t *testing.T) {
	for _, c := range []struct {
		doc    string
		want   ID
		text   string
		number bool
	}{
		{`1`, NumberID(1), "1", true},
		{`-9223372036854775808`, NumberID(-1 << 63), "-9223372036854775808", true},
		{`123456789012345678901234567890.10`, ID{numberID, "123456789012345678901234567890.10"}, "123456789012345678901234567890.10", true},
		{`"1"`, StringID("1"), "1", false},
		{`""`, StringID(""), "", false},
		{`null`, NullID(), "", false},
	} {
		var got ID
		if err := json.Unmarshal([]byte(c.doc), &got); err != nil || got != c.want {
			t.Errorf("%s: read as %#v, %v, want %#v", c.doc, got, err, c.want)
		}
		if got.String() != c.text || got.IsNumber() != c.number || got.IsNull() != (c.doc == "null") || got.IsZero() {
			t.Errorf("%s: %q, number %v, null %v, zero %v", c.doc, got, got.IsNumber(), got.IsNull(), got.IsZero())
		}
		if b, err := json.Marshal(got); err != nil || string(b) != c.doc {
			t.Errorf("%s: wrote %s, %v", c.doc, b, err)
		}
	}
	if NumberID(1) == StringID("1") {
		t.Error("a number equals a string")
	}
	if !(ID{}).IsZero() || (ID{}).IsNull() {
		t.Error("the zero ID is not absent")
	}
	for _, doc := range []string{`true`, `{}`, `[1]`} {
		var id ID
		if err := json.Unmarshal([]byte(doc), &id); err == nil {
			t.Errorf("%s: read as %#v", doc, id)
		}
	}
}

func TestIDIsOmittedWhenAbsent(t *testing.T) {
	type product struct {
		ID     ID `json:"id"`
		Parent ID `json:"parent,omitzero"`
	}
	b, err := json.Marshal(product{})
	if err != nil || string(b) != `{"id":null}` {
		t.Errorf("wrote %s, %v", b, err)
	}
}
