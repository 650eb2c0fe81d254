//go:build !linux

package main

import (
	"context"
	"errors"

	"github.com/peercache/peercache/internal/fleet"
)

var errNoNetworks = errors.New("network namespaces are Linux's")

// networks is nothing here.
type networks struct{}

func newNetworks(context.Context, int) (*networks, error) { return nil, errNoNetworks }

func (*networks) wrap(string) (command []string, bind string) { return nil, "" }

func (*networks) cut(context.Context, []*fleet.Node, []*fleet.Node) error { return errNoNetworks }

func (*networks) heal(context.Context) error { return errNoNetworks }

func (*networks) close() error { return nil }
