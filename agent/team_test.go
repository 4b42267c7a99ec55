package agent

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/esawatch/esawatch/agent/cluster"
	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/schedule"
	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/agent/store/natsstore/natstest"
)

// waitLong is how long something may take that a crowded machine does late.
const waitLong = time.Minute

// herald is a log that tells when it says some words.
type herald struct {
	words []byte
	once  sync.Once
	said  chan struct{}
}

func (h *herald) Write(line []byte) (int, error) {
	if bytes.Contains(line, h.words) {
		h.once.Do(func() { close(h.said) })
	}
	return len(line), nil
}

// TestTeamRelays holds that an agent tells the others what it wrote, and does not
// trust a watch that is silent about what the others say that they wrote.
func TestTeamRelays(t *testing.T) {
	server := natstest.Start(t, 1)
	log := &herald{words: []byte("watch of the shared store begins anew"), said: make(chan struct{})}
	cfg := &config.Config{}
	cfg.Agent.Location = "fra"
	cfg.Cluster = config.Cluster{URLs: []string{server.URL(0)}, Bucket: "esawatch", Replicas: 1}
	own := incident.NewKeeper(memstore.New(), incident.Options{Location: "fra"})
	team, err := newTeam(cfg, "test", slog.New(slog.NewTextHandler(log, nil)), own, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}

	// The other one says that it wrote what nobody did.
	other, err := cluster.Join(cluster.Options{Server: cluster.Server{URLs: cfg.Cluster.URLs}, Name: "esawatch", Location: "lon",
		Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	wrote := make(chan uint64, 100)
	other.Relay(func() uint64 { return 1 << 40 }, func(rev uint64) {
		select {
		case wrote <- rev:
		default:
		}
	})

	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() {
		stop()
		running.Wait()
		other.Close()
		team.close()
	})
	for _, run := range []func(context.Context) error{team.store.Run, team.member.Run, team.follow, other.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	select {
	case <-team.synced:
	case <-time.After(waitLong):
		t.Fatal("the shared records are not read")
	}
	rev, err := team.store.Put(ctx, store.Entry{Key: incident.FollowPrefixes()[0] + "shop", Value: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.After(waitLong); ; {
		select {
		case got := <-wrote:
			if got != uint64(rev) {
				continue // of before
			}
		case <-deadline:
			t.Fatalf("the other was not told that revision %d was written", rev)
		}
		break
	}
	select {
	case <-log.said:
	case <-time.After(waitLong):
		t.Error("the watch did not begin anew, though it did not tell what the other says that it wrote")
	}
}

// TestReadyNamesWhatCannotBeRead: an agent that cannot read a record of all says of
// which site, since nobody is told of that site's outages.
func TestReadyNamesWhatCannotBeRead(t *testing.T) {
	tm, _ := teamOf(t)
	a := &Agent{schedule: schedule.New(schedule.Options{}), keeper: tm.own, team: tm}
	said := func() bool { return strings.Contains(a.Ready().Error(), `site "shop"`) } // it is not ready in any case: nothing runs
	if said() {
		t.Errorf("with nothing wrong: %v", a.Ready())
	}
	tm.shared.Follower().Broken("site/shop", 7, store.ErrCorrupt)
	if !said() {
		t.Errorf("it says %v, and not which site", a.Ready())
	}
}
