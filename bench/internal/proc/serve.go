package proc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// endFor is how long a child may take to clean up when its parent is gone.
const endFor = 10 * time.Second

// Handler answers one kind of question.
type Handler func(with json.RawMessage) (any, error)

// Handle makes a Handler of a function with a typed question.
func Handle[Q, A any](f func(Q) (A, error)) Handler {
	return func(with json.RawMessage) (any, error) {
		var q Q
		if len(with) > 0 {
			if err := json.Unmarshal(with, &q); err != nil {
				return nil, fmt.Errorf("the question is not understood: %w", err)
			}
		}
		return f(q)
	}
}

// Role is what a child does: it returns its handlers, and how it cleans up.
type Role func() (handlers map[string]Handler, end func())

// Serve runs the role that this process was started in, and does not return
// before its parent is gone or has had enough. It returns ErrNoRole when the
// process was started by a person.
func Serve(roles map[string]Role) error {
	name := os.Getenv(roleVar)
	if name == "" {
		return ErrNoRole
	}
	if err := pin(os.Getenv(cpuVar)); err != nil {
		return err
	}
	role, ok := roles[name]
	if !ok {
		return fmt.Errorf("proc: there is no role %q", name)
	}
	stop, err := profile(os.Getenv(ProfilesVar), os.Getenv(nameVar))
	if err != nil {
		return err
	}
	handlers, end := role()
	if end != nil {
		defer end()
	}
	defer stop() // before the end, which may take longer than the parent waits
	questions := make(chan []byte)
	var failed error // of reading; read when questions is closed
	go func() {      // ends with stdin
		defer close(questions)
		lines := bufio.NewScanner(os.Stdin)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			questions <- bytes.Clone(lines.Bytes())
		}
		failed = lines.Err()
		// Whatever hangs then, the process does not outlive its parent for long.
		time.AfterFunc(endFor, func() { os.Exit(1) })
	}()
	out := json.NewEncoder(os.Stdout)
	for q := range questions {
		answered := make(chan answer, 1)
		go func() { answered <- respond(handlers, q) }() // ends with the handler, or the process
		select {
		case a := <-answered:
			if err := out.Encode(a); err != nil {
				return fmt.Errorf("proc: answering: %w", err)
			}
		case <-questions: // nothing is asked before the answer: the parent is gone
			select {
			case <-answered:
			case <-time.After(stopFor / 4):
			}
			return errors.New("proc: the parent has not waited for an answer")
		}
	}
	return failed
}

func respond(handlers map[string]Handler, line []byte) answer {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return answer{Error: fmt.Sprintf("the line is not understood: %v", err)}
	}
	h := handlers[q.Do]
	if h == nil {
		return answer{Error: fmt.Sprintf("there is no %q", q.Do)}
	}
	result, err := h(q.With)
	if err != nil {
		return answer{Error: err.Error()}
	}
	b, err := json.Marshal(result)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Result: b}
}
