package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A beat tells how far apart two clocks are, unless it says what cannot be.
func TestBehind(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		at   int64
		want time.Duration
	}{
		{0, 0}, {now.Add(-5 * time.Minute).UnixMilli(), 5 * time.Minute}, {now.Add(5 * time.Minute).UnixMilli(), -5 * time.Minute},
		{1, 0}, {-1 << 63, 0}, {1<<63 - 1, 0},
	} {
		b := beat{At: tt.at}
		if got := b.behind(now); (got - tt.want).Abs() > time.Millisecond {
			t.Errorf("at %d: %v behind, want %v", tt.at, got, tt.want)
		}
	}
}

// A thousand that are gone keep out none that lives.
func TestRoomForTheLiving(t *testing.T) {
	m := &Member{peers: make(map[string]*peer)}
	now := time.Now()
	for i := range maxPeers {
		m.peers[fmt.Sprint(i)] = &peer{last: now.Add(-time.Duration(i+10) * time.Second), gone: true}
	}
	if !m.makeRoom() || len(m.peers) != maxPeers-1 || m.peers[fmt.Sprint(maxPeers-1)] != nil {
		t.Errorf("%d members, want the one gone that has been silent for longest", len(m.peers))
	}
	for _, p := range m.peers {
		p.gone = false
	}
	if m.makeRoom() {
		t.Error("one that lives had to go")
	}
}

// The check of an agent that restarts is not taken for removed at once; that of
// one that came back without it is.
func TestWatchedDuringARestart(t *testing.T) {
	lon := namesOf([]string{"shop/home"})
	now := time.Now()
	for _, test := range []struct {
		name  string
		peers []*peer
		want  bool
	}{
		{"it is there", []*peer{{last: now}}, true},
		{"it has just left", []*peer{{last: now, gone: true}}, true},
		{"it was killed and its machine starts", []*peer{{last: now.Add(-watchedFor + time.Minute), gone: true}}, true},
		{"it does not come back", []*peer{{last: now.Add(-watchedFor), gone: true}}, false},
		{"it is back without the check", []*peer{{last: now, gone: true}, {last: now, beat: beat{Checks: namesOf(nil).digest()}}}, false},
		{"an earlier one without the check is gone too", []*peer{
			{last: now, gone: true}, {last: now.Add(-time.Hour), gone: true, beat: beat{Checks: namesOf(nil).digest()}}}, true},
	} {
		m := &Member{digest: namesOf(nil).digest(), peers: make(map[string]*peer), sets: map[uint64]names{lon.digest(): lon}}
		for i, p := range test.peers {
			p.Location = "lon"
			if p.Checks == 0 {
				p.Checks = lon.digest()
			}
			m.peers[fmt.Sprint(i)] = p
		}
		if got := m.Watched("shop/home"); got != test.want {
			t.Errorf("%s: watched %t, want %t", test.name, got, test.want)
		}
	}
}

// A location keeps the vote of its member that left while it may be restarting; once
// it is back, what it says now counts.
func TestVoteAfterARestart(t *testing.T) {
	with, without := namesOf([]string{"shop/home"}), namesOf([]string{"blog/home"})
	now := time.Now()
	left := func() *peer {
		return &peer{last: now, gone: true, beat: beat{Leaving: true, Checks: with.digest()}}
	}
	for _, test := range []struct {
		name  string
		peers []*peer
		want  string
	}{
		{"it has just left", []*peer{left()}, "fra lon"},
		{"it is back", []*peer{left(), {last: now, beat: beat{Checks: with.digest()}}}, "fra lon"},
		{"it is back without the check", []*peer{left(), {last: now, beat: beat{Checks: without.digest()}}}, "fra"},
		{"it is back without a network", []*peer{left(), {last: now, beat: beat{Checks: with.digest(), Offline: true}}}, "fra"},
		{"one was killed, another is there without the check",
			[]*peer{{last: now, gone: true, beat: beat{Checks: with.digest()}}, {last: now, beat: beat{Checks: without.digest()}}}, "fra lon"},
	} {
		m := &Member{peers: make(map[string]*peer), sets: map[uint64]names{with.digest(): with, without.digest(): without}}
		m.opts.Location = "fra"
		for i, p := range test.peers {
			p.Location = "lon"
			m.peers[fmt.Sprint(i)] = p
		}
		if got, _ := m.Voters("shop/home", time.Minute); strings.Join(got, " ") != test.want {
			t.Errorf("%s: voters %q, want %q", test.name, got, test.want)
		}
	}
}
