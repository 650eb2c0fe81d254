package wire

import (
	"crypto/hmac"
	"crypto/sha256"
)

// independentHKDF is RFC 5869 by its text, for 32 bytes.
func independentHKDF(secret, label string) []byte {
	extract := hmac.New(sha256.New, make([]byte, sha256.Size))
	extract.Write([]byte(secret))
	expand := hmac.New(sha256.New, extract.Sum(nil))
	expand.Write([]byte(label))
	expand.Write([]byte{1})
	return expand.Sum(nil)
}
