package product

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/olric-data/olric"
	"github.com/olric-data/olric/config"
	"github.com/olric-data/olric/hasher"
)

const dmapName = "bench"

// openOlric starts an embedded member with the settings for one machine.
func openOlric(ctx context.Context, p Place, others []json.RawMessage) (*Part, error) {
	cfg := config.New("local")
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	cfg.BindAddr, cfg.BindPort = "127.0.0.1", ports[0]
	cfg.MemberlistConfig.BindAddr, cfg.MemberlistConfig.BindPort = "127.0.0.1", ports[1]
	cfg.MemberlistConfig.AdvertiseAddr, cfg.MemberlistConfig.AdvertisePort = "127.0.0.1", ports[1]
	cfg.LogLevel, cfg.LogOutput = config.LogLevelError, io.Discard
	cfg.ReplicaCount = 1 + p.Backups
	cfg.WriteQuorum = cfg.ReplicaCount
	cfg.TriggerBalancerInterval = time.Second
	for _, raw := range others {
		addr, err := decode[string](raw)
		if err != nil {
			return nil, err
		}
		cfg.Peers = append(cfg.Peers, addr)
	}
	started := make(chan struct{})
	cfg.Started = func() { close(started) }
	db, err := olric.New(cfg)
	if err != nil {
		return nil, err
	}
	failed := make(chan error, 1)
	go func() { failed <- db.Start() }() // ends with Shutdown
	shut := func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = db.Shutdown(ctx)
	}
	select {
	case <-started:
	case err := <-failed:
		return nil, err
	case <-time.After(readyFor):
		shut()
		return nil, fmt.Errorf("not started after %v", readyFor)
	}
	client := db.NewEmbeddedClient()
	dm, err := client.NewDMap(dmapName)
	if err != nil {
		shut()
		return nil, err
	}
	o := &olricPart{client: client, self: net.JoinHostPort(cfg.BindAddr, strconv.Itoa(cfg.BindPort)), partitions: cfg.PartitionCount}
	return &Part{
		Where: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[1])),
		Meet:  func(ctx context.Context, all []json.RawMessage) error { return o.meet(ctx, len(all), p.Backups) },
		Get: func(ctx context.Context, key string) ([]byte, error) {
			r, err := dm.Get(ctx, key)
			if err != nil {
				return nil, missing(err, olric.ErrKeyNotFound)
			}
			return r.Byte()
		},
		Set:    func(ctx context.Context, key string, v []byte) error { return dm.Put(ctx, key, v) },
		Delete: func(ctx context.Context, key string) error { _, err := dm.Delete(ctx, key); return err },
		Remote: o.remote,
		Close:  shut,
	}, nil
}

type olricPart struct {
	client     *olric.EmbeddedClient
	self       string
	partitions uint64
	table      olric.RoutingTable // since meet
}

// meet waits until the partitions are shared out over all members.
func (o *olricPart) meet(ctx context.Context, members, backups int) error {
	return poll(ctx, func() error {
		table, err := o.client.RoutingTable(ctx)
		if err != nil {
			return err
		}
		owners := make(map[string]bool)
		for id, r := range table {
			if len(r.PrimaryOwners) != 1 || len(r.ReplicaOwners) != min(backups, members-1) {
				return fmt.Errorf("partition %d has %d owners and %d copies", id, len(r.PrimaryOwners), len(r.ReplicaOwners))
			}
			owners[r.PrimaryOwners[0]] = true
		}
		if len(owners) != members {
			return fmt.Errorf("%d of %d members own partitions", len(owners), members)
		}
		o.table = table
		return nil
	})
}

// remote tells where a key's partition is, as Olric does it: the hash of the
// names one after the other.
func (o *olricPart) remote(key string) bool {
	id := hasher.NewDefaultHasher().Sum64([]byte(dmapName+key)) % o.partitions
	return o.table[id].PrimaryOwners[0] != o.self
}
