package outbox

import (
	"context"
	"slices"
	"sync"

	"github.com/esawatch/esawatch/agent/incident"
)

// member is one incident of a digest, as it is told in an attempt.
type member struct {
	attempt incident.Attempt
	site    string
	inc     incident.Incident // as receivers may see it
	owed    bool
}

// told is what the receiver has been told of the member.
func (m *member) told() incident.Delivery { return m.inc.Deliveries[m.attempt.Receiver] }

// others are the members of the digest that is to be told, but for the one that
// leads, as the records have them by now.
func (w *worker) others(ctx context.Context, t *telling) []member {
	var others []member
	moved := false
	for _, it := range t.members {
		if it.id == t.id {
			continue
		}
		rec, _ := w.out.opts.Records.Record(it.site)
		at := slices.IndexFunc(rec.Incidents, func(i incident.Incident) bool { return i.ID == it.id })
		if at < 0 {
			continue
		}
		inc := &rec.Incidents[at]
		a := t.attempt
		a.Incident, a.Seq = inc.ID, inc.Seq
		others = append(others, member{attempt: a, site: it.site, inc: inc.Told(), owed: w.now.receiver.owed(inc)})
		was := inc.Deliveries[w.name].Digest
		moved = moved || was != "" && was != t.id
	}
	if moved {
		// The record of the one that led is lost. All follow another one, before
		// anything is told, or they would part.
		t.others = others
		w.writeOthers(ctx, t, incident.Joined)
	}
	return others
}

// writeOthers saves how an attempt at a digest went with those members that it
// told something new; the one that leads comes last, so that a crash in between
// leaves an attempt that is not settled. It does so many at once, since each may wait for the disk and they
// can share that.
func (w *worker) writeOthers(ctx context.Context, t *telling, f func(incident.Record, incident.Attempt) (incident.Record, bool)) {
	const atOnce = 64
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		failed error
		turns  = make(chan struct{}, atOnce)
	)
	for _, m := range t.others {
		d := m.told()
		if !m.owed && d.Digest == t.id {
			continue
		}
		a := m.attempt
		a.At = t.attempt.At
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			err := w.save(ctx, m.site, func(rec incident.Record) (incident.Record, bool) { return f(rec, a) })
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = err
			}
		})
	}
	wg.Wait()
	if failed != nil {
		w.unsaved(t, failed)
	}
}
