package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/peercache/peercache/internal/fleet"
)

// errNoNetworks is why a split is left out.
var errNoNetworks = errors.New("network namespaces cannot be made here (needs root and the ip command)")

const (
	prefix = "pcchaos"
	// Addresses of 198.18.0.0/15 are for tests of networks (RFC 2544).
	subnet = "198.18.77."
	// nowhere is a hardware address that nobody has. What is sent to it is lost
	// without a word.
	nowhere = "02:00:00:00:00:fe"
)

// networks is a network namespace for each node and a bridge between them, on
// which this process has an address as well. It is used by one goroutine.
type networks struct {
	count  int
	broken [][2]int // namespace, and whom it does not reach
}

// newNetworks makes the namespaces, or returns errNoNetworks.
func newNetworks(ctx context.Context, count int) (*networks, error) {
	if _, err := exec.LookPath("ip"); err != nil || os.Geteuid() != 0 {
		return nil, errNoNetworks
	}
	n := &networks{count: count}
	_ = n.close() // what an earlier run may have left
	if err := ip(ctx, "netns", "add", prefix+"1"); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoNetworks, err)
	}
	err := all(ctx,
		"link add "+prefix+" type bridge",
		"addr add "+subnet+"254/24 dev "+prefix,
		"link set "+prefix+" up")
	for i := 1; i <= count && err == nil; i++ {
		ns, port := fmt.Sprint(prefix, i), fmt.Sprint(prefix, "-", i)
		if i > 1 {
			err = ip(ctx, "netns", "add", ns)
		}
		if err == nil {
			err = all(ctx,
				fmt.Sprintf("link add %s type veth peer name eth0 netns %s", port, ns),
				fmt.Sprintf("link set %s master %s up", port, prefix),
				fmt.Sprintf("-n %s addr add %s%d/24 dev eth0", ns, subnet, i),
				fmt.Sprintf("-n %s link set eth0 up", ns),
				fmt.Sprintf("-n %s link set lo up", ns))
		}
	}
	if err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

// wrap runs node "n3" in the third namespace.
func (n *networks) wrap(name string) (command []string, bind string) {
	number := strings.TrimPrefix(name, "n")
	return []string{"ip", "netns", "exec", prefix + number}, subnet + number
}

// cut lets nothing pass between two sides, without a word to either.
func (n *networks) cut(ctx context.Context, a, b []*fleet.Node) error {
	for _, x := range a {
		for _, y := range b {
			i, j := numberOf(x), numberOf(y)
			n.broken = append(n.broken, [2]int{i, j}, [2]int{j, i})
		}
	}
	return n.each(ctx, "replace", " lladdr "+nowhere+" nud permanent")
}

// heal ends the cut.
func (n *networks) heal(ctx context.Context) error {
	err := n.each(ctx, "del", "")
	n.broken = nil
	return err
}

func (n *networks) each(ctx context.Context, what, how string) error {
	for _, p := range n.broken {
		if err := all(ctx, fmt.Sprintf("-n %s%d neigh %s %s%d dev eth0%s", prefix, p[0], what, subnet, p[1], how)); err != nil {
			return err
		}
	}
	return nil
}

func numberOf(x *fleet.Node) int {
	var i int
	_, _ = fmt.Sscanf(x.Name, "n%d", &i) // 0 is nobody's
	return i
}

// close removes all there is.
func (n *networks) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var err error
	for i := range n.count {
		if port := fmt.Sprint(prefix, "-", i+1); exec.CommandContext(ctx, "ip", "link", "show", port).Run() == nil {
			err = errors.Join(err, ip(ctx, "link", "del", port)) // with the namespace it would go some time later
		}
	}
	list, listErr := exec.CommandContext(ctx, "ip", "netns", "list").Output()
	err = errors.Join(err, listErr)
	for _, line := range strings.Split(string(list), "\n") {
		if name, _, _ := strings.Cut(line, " "); strings.HasPrefix(name, prefix) {
			err = errors.Join(err, ip(ctx, "netns", "del", name))
		}
	}
	if exec.CommandContext(ctx, "ip", "link", "show", prefix).Run() == nil {
		err = errors.Join(err, ip(ctx, "link", "del", prefix))
	}
	return err
}

func all(ctx context.Context, commands ...string) error {
	for _, c := range commands {
		if err := ip(ctx, strings.Fields(c)...); err != nil {
			return err
		}
	}
	return nil
}

func ip(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
