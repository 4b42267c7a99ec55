package outbox

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
)

const (
	// scanPause is the least time between two looks at all records. The first
	// change is seen at once; of many the later ones wait for the next look.
	scanPause = 10 * time.Millisecond
	// scanEvery is the time after which all records are looked at even if
	// nobody said that one changed.
	scanEvery = time.Minute
	// maxPrunes bounds the writes of one look. They are made at once, since they
	// can share the wait for the disk.
	maxPrunes = 64
	// sharedStays is for how long what is over stays in records that others tell
	// from too.
	sharedStays = time.Minute
	// strangerOwed is for how long it stays while a receiver that only others know
	// of was begun to be told and does not know the end.
	strangerOwed = time.Hour
)

// Run tells the receivers what they are owed until ctx is done. Then it waits
// for the attempts under way, within Options.Grace, and cuts off the rest: what
// is not settled by then is in the records, and told by the next process. It
// always returns nil, and must be called once.
func (o *Outbox) Run(ctx context.Context) error {
	send, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var wg sync.WaitGroup
	crew := crew{working: make(map[string]running), leaving: make(map[string]<-chan struct{})}
	crew.start = func(w *worker, after <-chan struct{}) running {
		ctx, stop := context.WithCancel(ctx)
		send, cut := context.WithCancel(send)
		wg.Go(func() {
			defer stop()
			defer cut()
			w.run(ctx, send, after)
		})
		return running{w, func() { stop(); cut() }}
	}

	o.watch(ctx, &crew)

	wait := time.AfterFunc(o.opts.Grace, cut)
	defer wait.Stop()
	wg.Wait()
	return nil
}

// watch looks at the records whenever one has changed, until ctx is done.
func (o *Outbox) watch(ctx context.Context, crew *crew) {
	seen := make(map[string]story) // by site
	var unheard unheard
	next := time.NewTimer(scanEvery)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.replan:
			crew.assign(o, o.current())
			clear(seen) // all is looked at in the light of the new settings
		case <-o.opts.Records.Changed():
		case <-next.C:
		}
		begin := time.Now()
		unheard.warn(o.log, o.current(), o.scan(ctx, seen, crew))
		next.Reset(scanEvery)
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(scanPause, 4*time.Since(begin))): // a fifth of a core at most, however many records
		}
	}
}

// story is how far the incidents of a record have got. While it is the same
// nobody is owed anything new.
type story struct {
	incidents int
	last      string // the ID of the newest
	seq       int    // of the newest
	news      int    // of the newest
	held      bool   // the newest
	routes    uint64 // who wants to be told of the newest
	told      uint64 // how the telling goes, where others tell too
}

// storyOf is how far a record has got. Of records that others tell from, what
// they have told is part of that: this agent does not learn it by telling.
func (s *settings) storyOf(rec *incident.Record) story {
	st := story{incidents: len(rec.Incidents)}
	if s.shared {
		st.told = toldOf(rec)
	}
	if st.incidents > 0 {
		last := &rec.Incidents[st.incidents-1]
		st.last, st.seq, st.news, st.held = last.ID, last.Seq, last.News(), last.Held()
		st.routes = s.routesOf(last)
	}
	return st
}

// routesOf changes when a receiver comes to want an incident. That needs no event:
// the diagnosis may turn to another fault under the same condition, and a reload
// may give its check other labels or receivers.
func (s *settings) routesOf(inc *incident.Incident) (sum uint64) {
	told := inc.Told()
	for i := range s.receivers {
		sum *= 0x9e3779b97f4a7c15 // the receivers' order is part of the sum
		if s.receivers[i].wants(&told) {
			sum++
		}
	}
	return sum
}

// toldOf changes with every attempt to tell of a record, and with how it went.
func toldOf(rec *incident.Record) (sum uint64) {
	for i := range rec.Incidents {
		for _, d := range rec.Incidents[i].Deliveries { // in any order, so they are added
			h := uint64(d.Seq)<<32 ^ uint64(d.Sending)<<16 ^ uint64(d.Attempts)<<8
			for _, c := range []byte(d.Claim) {
				h = h*31 + uint64(c)
			}
			sum += h * 0x9e3779b97f4a7c15
		}
	}
	return sum
}

// scan finds the records whose stories went on since they were seen and has the
// workers look at them. Then it takes out of the records some of what is over
// and owed to nobody; that is a change itself, so the rest follows. It returns
// the records that had changed.
func (o *Outbox) scan(ctx context.Context, seen map[string]story, crew *crew) (news []*incident.Record) {
	settings := o.current()
	if !settings.ready {
		return nil
	}
	records := o.opts.Records.Records()
	var changed, settled []string
	live := settings.liveDigests(records)
	for i := range records {
		rec := &records[i]
		if s := settings.storyOf(rec); s != seen[rec.Site] {
			seen[rec.Site] = s
			changed, news = append(changed, rec.Site), append(news, rec)
		}
		if settings.over(rec, live) {
			settled = append(settled, rec.Site)
		}
	}
	crew.mark(changed)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, site := range settled[:min(len(settled), maxPrunes)] {
		wg.Go(func() {
			_, err := o.opts.Records.Update(ctx, site, func(rec incident.Record) (incident.Record, bool) {
				return settings.prune(rec, live)
			})
			if err != nil {
				o.log.Error("cannot save that an incident is settled", "site", site, "err", err)
			}
		})
	}
	return news
}

// digestOf names a digest: that of a receiver which an incident leads.
type digestOf struct{ receiver, lead string }

// liveDigests are the digests that go on. Their incidents stay in the records
// though they are over: the digest still shows them.
func (s *settings) liveDigests(records []incident.Record) map[digestOf]bool {
	live := make(map[digestOf]bool)
	for i := range records {
		for j := range records[i].Incidents {
			inc := &records[i].Incidents[j]
			for k := range s.receivers {
				r := &s.receivers[k]
				if d, told := inc.Deliveries[r.Name]; told && d.Digest != "" && (inc.Open() || r.owed(inc) || r.unsettled(inc)) {
					live[digestOf{r.Name, d.Digest}] = true
				}
			}
		}
	}
	return live
}

// settled tells whether nobody is owed anything of an incident. live are the
// digests that go on; nil means that any might. Where others tell from the same
// records, one of them may have a receiver that this one does not know of: what
// has just ended is left to it.
func (s *settings) settled(inc *incident.Incident, live map[digestOf]bool) bool {
	if s.shared && (time.Since(inc.ResolvedAt) < sharedStays || s.strangerOwed(inc)) {
		return false
	}
	for i := range s.receivers {
		r := &s.receivers[i]
		if r.owed(inc) {
			return false
		}
		if lead := inc.Deliveries[r.Name].Digest; lead != "" && (live == nil || live[digestOf{r.Name, lead}]) {
			return false
		}
	}
	return true
}

// strangerOwed tells whether a receiver that this agent does not have may be owed
// the end of an incident.
func (s *settings) strangerOwed(inc *incident.Incident) bool {
	if time.Since(inc.ResolvedAt) >= strangerOwed {
		return false
	}
	for name, d := range inc.Deliveries {
		ours := slices.ContainsFunc(s.receivers, func(r Receiver) bool { return r.Name == name })
		if !ours && !d.Dropped && d.Seq < inc.News() {
			return true
		}
	}
	return false
}

// over tells whether prune would take anything out of a record.
func (s *settings) over(rec *incident.Record, live map[digestOf]bool) bool {
	for i := range rec.Incidents {
		if inc := &rec.Incidents[i]; !inc.Open() && s.settled(inc, live) {
			return true
		}
	}
	return false
}

// prune takes out of a record what is over and settled.
func (s *settings) prune(rec incident.Record, live map[digestOf]bool) (incident.Record, bool) {
	rec, _, pruned := incident.Prune(rec, func(inc *incident.Incident) bool { return s.settled(inc, live) })
	return rec, pruned
}
