package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// beatEvery is the pause between two beats.
	beatEvery = 2 * time.Second
	// beatLasts is for how long a beat is believed: two may get lost.
	beatLasts = 6500 * time.Millisecond
	// TakeOver is how long it takes at most until the neighbours of an agent that
	// was killed know that its checks are theirs.
	TakeOver = beatLasts + time.Second
	// HearTime is how long a member listens after a hello: those that are there
	// answer it. Without a connection a new one waits a little longer for one.
	HearTime    = time.Second
	connectTime = 4 * time.Second
	// watchedFor is for how long a check is not taken for removed after the last
	// member that has it was heard of: a restart, or that of its machine, is over by
	// then.
	watchedFor = 10 * time.Minute
	// turnWait is what lies between the turns of two members.
	turnWait = 3 * time.Second
	// farTurn is the longest wait of who stands far behind.
	farTurn = 15 * time.Second
	// maxPeers bounds those that are remembered, goneFor for how long one is that
	// is not heard of any more.
	maxPeers = 1000
	goneFor  = 24 * time.Hour
)

// Options are what a Member is made with.
type Options struct {
	Server   Server
	Name     string // of the cluster: the first part of every subject
	Location string
	Region   string // "" = none
	Version  string // of the program
	Log      *slog.Logger
}

// Member is this agent, as one of several.
type Member struct {
	opts    Options
	id      string
	log     *slog.Logger
	nc      *nats.Conn
	changed chan struct{}
	heard   chan struct{} // closed when it is known who is there
	hello   chan struct{} // holds one when a beat is due at once

	wrote   func() uint64 // see Relay
	heardOf func(uint64)

	mu      sync.Mutex
	url     string
	own     names
	digest  uint64
	offline bool
	peers   map[string]*peer
	sets    map[uint64]names // of other configurations, as far as they are known
}

// peer is another member.
type peer struct {
	beat
	last time.Time // when it was heard, by our clock
	gone bool      // it left, or has been silent for too long; its vote may last
	// behind is how far its clock is behind ours; below 0 it is ahead. The way of
	// the beat is part of it.
	behind time.Duration
}

// live tells whether the peer is there.
func (p *peer) live(now time.Time) bool { return !p.gone && now.Sub(p.last) < beatLasts }

// Join makes a member. It waits for no server; Run does the rest. The caller
// ends it with Close.
func Join(o Options) (*Member, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	m := &Member{
		opts: o, id: o.Location + "-" + strings.ToLower(rand.Text()[:10]), log: o.Log.With("component", "cluster"),
		changed: make(chan struct{}, 1), heard: make(chan struct{}), hello: make(chan struct{}, 1),
		peers: make(map[string]*peer), sets: make(map[uint64]names),
		wrote: func() uint64 { return 0 }, heardOf: func(uint64) {},
	}
	m.digest = m.own.digest()
	var err error
	if m.nc, err = o.Server.connect(m.id, m.log); err != nil {
		return nil, err
	}
	return m, nil
}

// Conn is the connection, which the member closes.
func (m *Member) Conn() *nats.Conn { return m.nc }

// Close ends the connection.
func (m *Member) Close() { m.nc.Close() }

// ID names this process among all, and is another one after each start.
func (m *Member) ID() string { return m.id }

// Changed holds one when a member came or went. It is for one reader.
func (m *Member) Changed() <-chan struct{} { return m.changed }

// Heard is closed once it is known who is there, as far as anybody answers.
func (m *Member) Heard() <-chan struct{} { return m.heard }

// Connected tells whether there is a connection to a server.
func (m *Member) Connected() bool { return m.nc.IsConnected() }

// SetChecks tells the others which checks the configuration has, by full name,
// and where this agent's page is.
func (m *Member) SetChecks(checks []string, url string) {
	own := namesOf(checks)
	m.mu.Lock()
	m.own, m.digest, m.url = own, own.digest(), url
	m.mu.Unlock()
	m.beatSoon()
}

// SetOffline tells the others whether this machine's own network is down: it has
// no vote then.
func (m *Member) SetOffline(offline bool) {
	m.mu.Lock()
	was := m.offline
	m.offline = offline
	m.mu.Unlock()
	if was != offline {
		m.beatSoon()
	}
}

// Relay has the others told what this member wrote to the store that they share,
// as a revision, and heard called with what they wrote. It is called before Run.
func (m *Member) Relay(wrote func() uint64, heard func(uint64)) { m.wrote, m.heardOf = wrote, heard }

// Hello asks the others to tell of themselves: they may have been out of reach.
// Those that are there have answered HearTime later.
func (m *Member) Hello() { m.beat(true, false) }

func (m *Member) beatSoon() { signal(m.hello) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run beats and listens until ctx is done, then says that it leaves. It returns
// an error only when the connection cannot be used at all.
func (m *Member) Run(ctx context.Context) error {
	beats, err := m.nc.Subscribe(subject(m.opts.Name, "members"), m.hear)
	if err != nil {
		return err
	}
	asked, err := m.nc.Subscribe(subject(m.opts.Name, "checks", m.id), m.tellChecks)
	if err != nil {
		return err
	}
	defer func() {
		_, _ = beats.Unsubscribe(), asked.Unsubscribe() // they end with the connection, if not now
	}()
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	expire := time.NewTicker(beatEvery / 4)
	defer expire.Stop()
	m.listen(ctx)
	m.beat(false, false)
	connected := m.Connected()
	for {
		select {
		case <-ctx.Done():
			m.beat(false, true)
			_ = m.nc.FlushTimeout(time.Second) // the others find out without it
			return nil
		case <-ticker.C:
			m.beat(false, false)
		case <-m.hello:
			m.beat(false, false)
		case <-expire.C:
			if now := m.Connected(); now != connected {
				connected = now
				m.beat(true, false)
				signal(m.changed)
			}
			m.expire(time.Now())
		}
	}
}

// listen waits until it is known who is there.
func (m *Member) listen(ctx context.Context) {
	defer close(m.heard)
	limit := time.NewTimer(connectTime)
	defer limit.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	var hearing <-chan time.Time
	for {
		if hearing == nil && m.Connected() {
			m.beat(true, false)
			hearing = time.After(HearTime)
		}
		select {
		case <-ctx.Done():
			return
		case <-hearing:
			return
		case <-limit.C:
			return
		case <-look.C:
		}
	}
}

// beat tells the others of this member. Without a connection nobody hears it.
func (m *Member) beat(hello, leaving bool) {
	wrote := m.wrote()
	m.mu.Lock()
	b := beat{
		Version: beatVersion, ID: m.id, Location: m.opts.Location, Region: m.opts.Region, Program: m.opts.Version,
		At: time.Now().UnixMilli(), URL: m.url, Checks: m.digest, Wrote: wrote, Offline: m.offline, Hello: hello, Leaving: leaving,
	}
	m.mu.Unlock()
	raw, err := json.Marshal(b)
	if err == nil {
		err = m.nc.Publish(subject(m.opts.Name, "members"), raw)
	}
	if err != nil {
		m.log.Debug("beat not sent", "err", err)
	}
}

// hear takes in a beat.
func (m *Member) hear(msg *nats.Msg) {
	b, err := parseBeat(msg.Data)
	if err != nil {
		m.log.Debug("beat not understood", "err", err)
		return
	}
	if b.ID == m.id {
		return
	}
	if b.Hello {
		m.beatSoon()
	}
	m.heardOf(b.Wrote)
	now := time.Now()
	m.mu.Lock()
	p := m.peers[b.ID]
	was := p != nil && p.live(now)
	moved := p != nil && p.Offline != b.Offline
	if p == nil {
		if b.Leaving || len(m.peers) >= maxPeers && !m.makeRoom() {
			m.mu.Unlock()
			return
		}
		p = &peer{}
		m.peers[b.ID] = p
	}
	p.beat, p.last, p.gone, p.behind = b, now, b.Leaving, b.behind(now)
	_, known := m.sets[b.Checks]
	known = known || b.Checks == m.digest || b.Leaving
	m.mu.Unlock()
	if was == b.Leaving || moved { // it came, went, or lost its network
		if was == b.Leaving {
			m.log.Info("member "+map[bool]string{true: "left", false: "joined"}[b.Leaving], "location", b.Location, "target", b.ID)
		}
		signal(m.changed)
	}
	if !known {
		m.ask(b)
	}
}

// makeRoom forgets the member that has been silent for longest, so that agents
// which started again and again do not keep out one that lives. The bool is false
// when all are there. The caller holds m.mu.
func (m *Member) makeRoom() bool {
	oldest := ""
	for id, p := range m.peers {
		if p.gone && (oldest == "" || p.last.Before(m.peers[oldest].last)) {
			oldest = id
		}
	}
	delete(m.peers, oldest)
	return oldest != ""
}

// expire marks those that were not heard of for too long.
func (m *Member) expire(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, p := range m.peers {
		switch silent := now.Sub(p.last); {
		case silent > goneFor:
			delete(m.peers, id)
		case silent >= beatLasts && !p.gone:
			p.gone = true
			m.log.Warn("member is silent", "location", p.Location, "target", id)
			signal(m.changed)
		}
	}
}

// ask asks a peer for its checks, which are others than ours. The answer comes
// by itself; until then the peer counts as one that has every check.
func (m *Member) ask(b beat) {
	inbox := m.nc.NewRespInbox()
	sub, err := m.nc.Subscribe(inbox, func(msg *nats.Msg) {
		set, ok := decodeNames(msg.Data)
		if !ok || set.digest() != b.Checks {
			m.log.Debug("checks of a member not understood", "target", b.ID)
			return
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.forgetSets()
		m.sets[b.Checks] = set
		signal(m.changed)
	})
	if err != nil {
		return
	}
	if sub.AutoUnsubscribe(1) != nil || m.nc.PublishRequest(subject(m.opts.Name, "checks", b.ID), inbox, nil) != nil {
		_ = sub.Unsubscribe() // the next beat asks again
	}
	time.AfterFunc(beatEvery, func() { _ = sub.Unsubscribe() }) // no answer came, or it is over already
}

// forgetSets drops those that no peer has any more. The caller holds m.mu.
func (m *Member) forgetSets() {
	used := make(map[uint64]bool)
	for _, p := range m.peers {
		used[p.Checks] = true
	}
	for digest := range m.sets {
		if !used[digest] {
			delete(m.sets, digest)
		}
	}
}

// tellChecks answers who asks which checks our configuration has.
func (m *Member) tellChecks(msg *nats.Msg) {
	m.mu.Lock()
	raw := m.own.encode()
	m.mu.Unlock()
	if err := msg.Respond(raw); err != nil {
		m.log.Debug("checks not told", "err", err)
	}
}

// Peer is a member as others see it.
type Peer struct {
	ID, Location, Region, Version, URL string
	Self, Offline                      bool
	LastSeen                           time.Time
	Live                               bool
}

// Peers are all members that are known but those that left, this one first, then
// by location.
func (m *Member) Peers() []Peer {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Peer
	for _, p := range m.peers {
		if p.Leaving {
			continue // nothing is wrong with it, and after a restart it has another ID
		}
		all = append(all, Peer{ID: p.ID, Location: p.Location, Region: p.Region, Version: p.Program, URL: p.URL,
			Offline: p.Offline, LastSeen: p.last, Live: p.live(now)})
	}
	slices.SortFunc(all, func(a, b Peer) int {
		return cmp.Or(cmp.Compare(a.Location, b.Location), cmp.Compare(a.ID, b.ID))
	})
	self := Peer{ID: m.id, Location: m.opts.Location, Region: m.opts.Region, Version: m.opts.Version, URL: m.url,
		Self: true, Offline: m.offline, LastSeen: now, Live: true}
	return append([]Peer{self}, all...)
}
