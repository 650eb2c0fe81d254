package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// drainLimit is how much of a body that is too long is still read, so that a
// client that sends all of it before it reads gets its answer and not a
// connection that is cut.
const drainLimit = 16 << 20

// readBody returns a request's body of up to limit bytes.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	over := tooLarge(fmt.Sprintf("the body is over the limit of %d bytes", limit))
	if r.ContentLength > limit {
		if !strings.EqualFold(r.Header.Get("Expect"), "100-continue") { // else it waits for the answer first
			drain(r)
		}
		return nil, over
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	var netErr interface{ Timeout() bool }
	switch {
	case errors.As(err, &netErr) && netErr.Timeout():
		return nil, &problem{status: http.StatusRequestTimeout, Code: "timeout", Sentence: "the body did not come in time"}
	case err != nil:
		return nil, badRequest("the body cannot be read: " + err.Error())
	case int64(len(b)) > limit:
		drain(r)
		return nil, over
	}
	return b, nil
}

func drain(r *http.Request) {
	_, _ = io.CopyN(io.Discard, r.Body, drainLimit)
}
