package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzSplitPath: whatever the key, its path names it and no other; whatever
// the path, splitting it does not fail in a bad way, and escaping what comes
// out gives a path that is split in the same way.
func FuzzSplitPath(f *testing.F) {
	for _, key := range []string{"k", "/", "..", "\x00", "\xff", "%2F", "a b+c?d#e", "|", "ü", ""} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		for _, escaped := range []string{percent(key), url.PathEscape(key)} {
			u, err := url.ParseRequestURI("/v1/caches/c/" + escaped)
			if err != nil {
				t.Fatalf("%q: %v", key, err)
			}
			segments, err := splitPath(u)
			if err != nil || len(segments) != 4 || segments[3] != key {
				t.Fatalf("%q as %s: %q, error %v", key, escaped, segments, err)
			}
		}
		u, err := url.ParseRequestURI(key)
		if err != nil {
			return
		}
		segments, err := splitPath(u)
		if err != nil {
			return
		}
		path := ""
		for _, s := range segments {
			path += "/" + percent(s)
		}
		u, err = url.ParseRequestURI(path)
		if err != nil {
			t.Fatalf("%q: %v", path, err)
		}
		again, err := splitPath(u)
		if err != nil || strings.Join(again, "\x00/") != strings.Join(segments, "\x00/") {
			t.Fatalf("%q, then %q, error %v", segments, again, err)
		}
	})
}

// FuzzPutSession: any body is stored and read back as equal JSON, or refused
// with a problem.
func FuzzPutSession(f *testing.F) {
	for _, doc := range []string{
		`{"token":"t"}`, `{"token":"t","expires":null,"x":[{}]}`, `{"token":"\ud800"}`, `{}`, `null`, `[`, `{"token":"t","user":{"id":1e99}}`,
	} {
		f.Add([]byte(doc))
	}
	n := startServed(f, "n1")
	h := n.srv.Config.Handler
	f.Fuzz(func(t *testing.T, doc []byte) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "/v1/sessions", bytes.NewReader(doc)))
		if w.Code != http.StatusNoContent {
			var p problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 400 && w.Code != 413 || p.Code == "" || p.Sentence == "" {
				t.Fatalf("%q: %d %s", doc, w.Code, w.Body)
			}
			return
		}
		var s struct {
			Token string `json:"token"`
		}
		// A field of another case is another field to the shop, but not to
		// encoding/json: ask by what the map says.
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(doc, &fields); err != nil {
			t.Fatalf("%q was taken: %v", doc, err)
		}
		if err := json.Unmarshal(fields["token"], &s.Token); err != nil {
			t.Fatalf("%q was taken: %v", doc, err)
		}
		w = httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/sessions/"+percent(s.Token), nil))
		var want bytes.Buffer
		if err := json.Compact(&want, doc); err != nil {
			t.Fatalf("%q was taken: %v", doc, err)
		}
		if w.Code == http.StatusNotFound && fields["expires"] != nil {
			return // it has ended
		}
		if w.Code != http.StatusOK || w.Body.String() != want.String() {
			t.Fatalf("%q: %d %s", doc, w.Code, w.Body)
		}
	})
}

// FuzzParseKeys: whatever the list, it is refused, or it is what it says.
func FuzzParseKeys(f *testing.F) {
	for _, list := range []string{`["a","b"]`, `[]`, `["\ud800"]`, `["\ufffd\ud83d\ude00"]`, `[null]`, `null`, `["` + "\xff" + `"]`} {
		f.Add([]byte(list))
	}
	f.Fuzz(func(t *testing.T, list []byte) {
		keys, err := parseKeys(list)
		if err != nil {
			return
		}
		var want []string
		if err := json.Unmarshal(list, &want); err != nil || strings.Join(keys, "\x00") != strings.Join(want, "\x00") {
			t.Fatalf("%q: %q, error %v", list, keys, err)
		}
	})
}
