package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/esawatch/esawatch/agent/store/natsstore/natstest"
)

// member is one that runs until stop or the end of the test.
type member struct {
	*Member
	stop func()
}

func join(t *testing.T, url, location, region string, checks ...string) *member {
	t.Helper()
	return begin(t, made(t, url, location, region), checks...)
}

// made is a member that does not run yet.
func made(t *testing.T, url, location, region string) *Member {
	t.Helper()
	m, err := Join(Options{Server: Server{URLs: []string{url}}, Name: "esawatch", Location: location, Region: region, Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// begin runs a member.
func begin(t *testing.T, m *Member, checks ...string) *member {
	t.Helper()
	m.SetChecks(checks, "https://"+m.opts.Location+".example.com")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := m.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	ended := false
	stop := func() {
		if !ended {
			ended = true
			cancel()
			<-done
			m.Close()
		}
	}
	t.Cleanup(stop)
	select {
	case <-m.Heard():
	case <-time.After(10 * time.Second):
		t.Fatal("it does not hear who is there")
	}
	return &member{m, stop}
}

// What a member wrote to the store is known to the others with its next beat.
func TestRelay(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, 1)
	var wrote, heard atomic.Uint64
	fra, lon := made(t, server.URL(0), "fra", ""), made(t, server.URL(0), "lon", "")
	fra.Relay(wrote.Load, func(rev uint64) {
		if rev != 0 {
			t.Errorf("heard of %d, which nobody wrote", rev)
		}
	})
	lon.Relay(func() uint64 { return 0 }, heard.Store)
	begin(t, fra)
	begin(t, lon)
	wrote.Store(1<<60 + 1) // more than JSON's numbers carry everywhere
	until(t, "it is known", func() bool { return heard.Load() == 1<<60+1 })
}

func until(t *testing.T, what string, come func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !come(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// voters are the locations that vote on shop/home, with their regions.
func (m *member) voters(stale time.Duration) string {
	locations, regions := m.Voters("shop/home", stale)
	var all []string
	for _, l := range locations {
		all = append(all, strings.TrimSuffix(l+"/"+regions[l], "/"))
	}
	return strings.Join(all, " ")
}

// A new member knows who is there when it begins, who comes, who leaves, and
// after some seconds who is gone without a word.
func TestMembers(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, 1)
	fra := join(t, server.URL(0), "fra", "eu", "shop/home")
	lon := join(t, server.URL(0), "lon", "eu", "shop/home")
	two := join(t, server.URL(0), "fra", "eu", "shop/home")
	if got := len(two.Peers()); got != 3 || len(two.Neighbours()) != 2 {
		t.Errorf("the last one knows of %d members and %d neighbours when it begins, want 3 and 2", got, len(two.Neighbours()))
	}
	until(t, "the first knows of all", func() bool { return len(fra.Peers()) == 3 })
	if p := fra.Peers()[2]; p.Location != "lon" || p.Region != "eu" || p.Version != "1.2.3" || p.URL != "https://lon.example.com" || !p.Live {
		t.Errorf("the first sees %+v", p)
	}
	for _, check := range []string{"a/1", "a/2", "a/3"} {
		if n := fra.Neighbours(); !slices.Equal(n, two.Neighbours()) || fra.Share(n, check) == two.Share(n, check) {
			t.Errorf("%s is run by both or by none of %v", check, n)
		}
	}
	waits := map[time.Duration]bool{fra.Wait("oncall"): true, lon.Wait("oncall"): true, two.Wait("oncall"): true}
	if len(waits) != 3 || !waits[0] || !waits[turnWait] || !waits[2*turnWait] {
		t.Errorf("the turns of three members: %v", waits)
	}

	for len(fra.changed) > 0 {
		<-fra.changed
	}
	left := time.Now()
	two.stop()
	until(t, "it is known that one has left", func() bool { return len(fra.Neighbours()) == 1 })
	if took := time.Since(left); took >= beatLasts || !fra.Alive(lon.ID()) || fra.Alive(two.ID()) {
		t.Errorf("known after %v", took)
	}
	select {
	case <-fra.Changed():
	default:
		t.Error("nobody was told of the change")
	}
	lon.nc.Close() // as kill -9 does: no last word
	lost := time.Now()
	until(t, "it is known that one is gone", func() bool { return !fra.Alive(lon.ID()) })
	if took := time.Since(lost); took < beatEvery || took > beatLasts+6*time.Second {
		t.Errorf("known after %v, want it once its beats are missing for %v", took, beatLasts)
	}
	if got := fra.voters(time.Minute); got != "fra/eu lon/eu" {
		t.Errorf("who has been silent for less than stale votes: got %q", got)
	}
	if got := fra.voters(time.Second); got != "fra/eu" {
		t.Errorf("who has been silent for longer does not: got %q", got)
	}
}

// A member that says that it leaves may be restarting: its location keeps its vote
// for as long as that of one that was killed, so that an outage does not end and
// begin again with each deploy. In all else it is gone at once.
func TestVoteOutlastsACleanStop(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, 1)
	fra := join(t, server.URL(0), "fra", "", "shop/home")
	lon := join(t, server.URL(0), "lon", "eu", "shop/home", "blog/home") // other checks, which are to be remembered
	votes := func(check string) int { locations, _ := fra.Voters(check, time.Minute); return len(locations) }
	until(t, "it is known who has what", func() bool { return votes("shop/home") == 2 && votes("shop/login") == 1 })
	lon.stop()
	until(t, "it is known that one has left", func() bool { return !fra.Alive(lon.ID()) })
	if got := fra.voters(time.Minute); got != "fra lon/eu" {
		t.Errorf("who left votes until stale: got %q", got)
	}
	if votes("shop/login") != 1 {
		t.Error("who left votes on a check that it did not have")
	}
	if got := fra.voters(0); got != "fra" {
		t.Errorf("who left longer ago does not: got %q", got)
	}
	if got := fra.Peers(); len(got) != 1 {
		t.Errorf("who left is still shown: %+v", got)
	}
	if fra.Wait("oncall") != 0 {
		t.Error("who left still has its turn to tell")
	}
	again := join(t, server.URL(0), "lon", "eu", "shop/home")
	until(t, "it is back", func() bool { return fra.Alive(again.ID()) })
	if got := fra.voters(time.Minute); got != "fra lon/eu" || len(fra.Peers()) != 2 {
		t.Errorf("back again: voters %q, %d members", got, len(fra.Peers()))
	}
}

// A location whose configuration does not have a check has no vote on it, and one
// without a network has none at all.
func TestWhoVotes(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, 1)
	fra := join(t, server.URL(0), "fra", "", "shop/home")
	lon := join(t, server.URL(0), "lon", "", "shop/home", "shop/login")
	sin := join(t, server.URL(0), "sin", "", "blog/home")
	until(t, "it is known who has the check", func() bool { return fra.voters(time.Minute) == "fra lon" })
	until(t, "it is known elsewhere too", func() bool { return sin.voters(time.Minute) == "fra lon sin" })
	if !sin.Watched("shop/home") || !sin.Watched("shop/login") || sin.Watched("blog/home") || sin.Watched("x/y") {
		t.Error("what others watch is not what they have")
	}
	sin.SetChecks([]string{"shop/home"}, "")
	until(t, "a reload is heard of", func() bool { return fra.voters(time.Minute) == "fra lon sin" })
	lon.SetOffline(true)
	until(t, "one without a network has no vote", func() bool { return fra.voters(time.Minute) == "fra sin" })
	lon.SetOffline(false)
	until(t, "it has one again", func() bool { return fra.voters(time.Minute) == "fra lon sin" })
}

// What strangers send changes nothing, and too many of them are not remembered.
func TestStrangers(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, 1)
	m := join(t, server.URL(0), "fra", "", "shop/home")
	nc, err := nats.Connect(server.URL(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	send := func(raw string) {
		if err := nc.Publish("esawatch.members", []byte(raw)); err != nil {
			t.Fatal(err)
		}
	}
	send("no beat")
	send(`{"id":"x","location":"../.."}`)
	send(fmt.Sprintf(`{"id":%q,"location":"lon"}`, m.ID())) // its own name
	for i := range maxPeers + 500 {
		send(fmt.Sprintf(`{"id":"stranger-%d","location":"lon"}`, i))
	}
	until(t, "it has heard enough", func() bool { return len(m.Peers()) == maxPeers+1 })
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := len(m.Peers()); n != maxPeers+1 {
		t.Errorf("%d members are remembered, want at most %d", n, maxPeers+1)
	}
}

// Without a server a member begins all the same, after a while, and is found once
// there is one.
func TestNoServerYet(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, 1)
	other := join(t, server.URL(0), "lon", "", "shop/home")
	server.Kill(0)
	began := time.Now()
	fra := join(t, server.URL(0), "fra", "", "shop/home")
	if took := time.Since(began); took < connectTime || took > connectTime+10*time.Second || fra.Connected() {
		t.Errorf("it began after %v, connected %t", took, fra.Connected())
	}
	server.Restart(0)
	until(t, "they know of each other", func() bool { return fra.Alive(other.ID()) && other.Alive(fra.ID()) })
}
