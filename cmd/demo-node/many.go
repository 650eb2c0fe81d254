package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"unicode/utf8"
)

// The limits of one list of keys.
const (
	maxListBody = 4 << 20 // bytes
	maxListKeys = 4096
	maxListSize = 64 << 20 // bytes of all values together
	listStep    = 256      // keys that are asked for together
)

// getMany answers with the values of those keys that are there.
func (a *api) getMany(w http.ResponseWriter, r *http.Request, name string) error {
	body, err := readBody(r, maxListBody)
	if err != nil {
		return err
	}
	keys, err := parseKeys(body)
	if err != nil {
		return err
	}
	c, err := a.cache(name)
	if err != nil {
		return err
	}
	all := make(map[string][]byte)
	size := 0
	for len(keys) > 0 {
		step := keys[:min(len(keys), listStep)]
		keys = keys[len(step):]
		got, err := c.GetMany(r.Context(), step)
		if err != nil {
			return err
		}
		for key, value := range got {
			if _, twice := all[key]; !twice {
				size += len(value)
			}
			if value == nil {
				value = []byte{} // an empty value is not null
			}
			all[key] = value
		}
		if size > maxListSize {
			return tooLarge(fmt.Sprintf("the values are together over the limit of %d bytes: ask for fewer", maxListSize))
		}
	}
	answer(w, http.StatusOK, all)
	return nil
}

var errKeys = badRequest(`the body is not what it should be: want a JSON list of keys, like ["a","b"]`)

// parseKeys reads a JSON list of keys. What JSON can write but is no text (half
// of a surrogate pair) is refused: it would be taken for another key.
func parseKeys(body []byte) ([]string, error) {
	var raw []json.RawMessage
	if !utf8.Valid(body) || json.Unmarshal(body, &raw) != nil || raw == nil {
		return nil, errKeys
	}
	if len(raw) > maxListKeys {
		return nil, tooLarge(fmt.Sprintf("a list of %d keys is over the limit of %d", len(raw), maxListKeys))
	}
	keys := make([]string, len(raw))
	for i, b := range raw {
		if b[0] != '"' || json.Unmarshal(b, &keys[i]) != nil {
			return nil, errKeys
		}
		if replaced(b, keys[i]) {
			return nil, badRequest(fmt.Sprintf("key %d of the list is no text", i+1))
		}
		if keys[i] == "" {
			return nil, badRequest("the key is empty")
		}
	}
	return keys, nil
}

// replaced tells whether decoding has put U+FFFD for something else.
func replaced(raw []byte, decoded string) bool {
	const r = "\uFFFD"
	return bytes.Count([]byte(decoded), []byte(r)) >
		bytes.Count(raw, []byte(r))+bytes.Count(bytes.ToLower(raw), []byte(`\ufffd`))
}
