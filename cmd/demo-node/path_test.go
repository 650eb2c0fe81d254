package main

import (
	"net/url"
	"reflect"
	"testing"
)

// The path is taken as it was sent, whatever a URL makes of it.
func TestSplitPath(t *testing.T) {
	for path, want := range map[string][]string{
		"/v1/sessions":                      {"v1", "sessions"},
		"/v1/caches/c/x%2Fy":                {"v1", "caches", "c", "x/y"},
		"/v1/caches/c/x%2fy|z":              {"v1", "caches", "c", "x/y|z"},
		"/v1/caches/c/x%2Fy\"<ü>^":          {"v1", "caches", "c", "x/y\"<ü>^"},
		"/v1/caches/c/..":                   {"v1", "caches", "c", ".."},
		"/v1/caches/c/%2E%2E":               {"v1", "caches", "c", ".."},
		"/v1/caches/c/a+b%2Bc%20d;e=f":      {"v1", "caches", "c", "a+b+c d;e=f"},
		"/v1/caches/c/":                     {"v1", "caches", "c", ""},
		"//v1//":                            {"", "v1", "", ""},
		"/v1/caches/c/k?ttl=1s":             {"v1", "caches", "c", "k"},
		"/v1/caches/c/k%3Fttl=1s":           {"v1", "caches", "c", "k?ttl=1s"},
		"http://host/v1/caches/c/x%2Fy|%00": {"v1", "caches", "c", "x/y|\x00"},
	} {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := splitPath(u); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, error %v, want %q", path, got, err, want)
		}
	}
	for _, u := range []*url.URL{{Path: "*"}, {Path: ""}, {Opaque: "x"}} { // OPTIONS *, CONNECT
		if got, err := splitPath(u); err == nil {
			t.Errorf("%+v: %q", u, got)
		}
	}
}
