package cluster

import (
	"fmt"
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
