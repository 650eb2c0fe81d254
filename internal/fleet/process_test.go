package fleet

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script starts a shell script as if it were a node.
func script(t *testing.T, text string) *Process {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	p, err := StartProcess(filepath.Join(t.TempDir(), "log"), sh, "-c", text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if err := syscall.Kill(p.PID(), 0); !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
			t.Errorf("the process is still there: %v", err)
		}
	})
	return p
}

// Programs that are no node are refused and ended.
func TestProcessMistakes(t *testing.T) {
	ctx := context.Background()
	if _, err := script(t, "exit 1").FirstLine(ctx); err == nil {
		t.Error("no first line is fine")
	}
	if _, err := script(t, "echo hello").FirstLine(ctx); err == nil || !strings.Contains(err.Error(), "hello") {
		t.Errorf("error %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, err := script(t, "exec sleep 60").FirstLine(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	p := script(t, `trap 'exit 3' TERM; echo '{"name":"x"}'; while :; do sleep 0.01; done`)
	if n, err := p.FirstLine(ctx); err != nil || n.Name != "x" {
		t.Fatalf("%+v, error %v", n, err)
	}
	if err := p.Leave(ctx); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error %v", err)
	}
	if err := p.Leave(ctx); err == nil {
		t.Error("what has ended left in order")
	}
	p = script(t, `trap '' TERM; echo '{}'; while :; do sleep 0.01; done`)
	if _, err := p.FirstLine(ctx); err != nil {
		t.Fatal(err)
	}
	short, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := p.Leave(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}
