package outbox

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
)

// savePause is the time between two tries to save what could not be saved.
const savePause = 10 * time.Second

// unsaved is what a worker knows of its deliveries and the store would not
// take, as on a full disk. Until it does the worker goes by this: without it,
// it would tell the same again and again. It is bounded by the incidents.
type unsaved struct {
	deliveries map[string]map[string]incident.Delivery // by site and incident
	next       time.Time                               // to try again
}

// over is the record with the receiver's unsaved deliveries in the place of
// those that it has. The bool tells that there are any.
func (u *unsaved) over(rec incident.Record, receiver string) (incident.Record, bool) {
	deliveries := u.deliveries[rec.Site]
	changed := false
	for i := range rec.Incidents {
		d, ok := deliveries[rec.Incidents[i].ID]
		if !ok {
			continue
		}
		if !changed {
			rec.Incidents = slices.Clone(rec.Incidents)
			changed = true
		}
		inc := &rec.Incidents[i]
		inc.Deliveries = maps.Clone(inc.Deliveries)
		if inc.Deliveries == nil {
			inc.Deliveries = make(map[string]incident.Delivery, 1)
		}
		inc.Deliveries[receiver] = d
	}
	return rec, changed
}

// keep notes the receiver's deliveries as the record has them.
func (u *unsaved) keep(rec incident.Record, receiver string, now time.Time) {
	kept := make(map[string]incident.Delivery)
	for i := range rec.Incidents {
		if d, ok := rec.Incidents[i].Deliveries[receiver]; ok {
			kept[rec.Incidents[i].ID] = d
		}
	}
	if u.deliveries == nil {
		u.deliveries = make(map[string]map[string]incident.Delivery)
	}
	u.deliveries[rec.Site] = kept
	u.next = now.Add(savePause)
}

// record is the site's record as the worker knows it.
func (w *worker) record(site string) incident.Record {
	rec, _ := w.out.opts.Records.Record(site)
	rec, _ = w.unsaved.over(rec, w.name)
	return rec
}

// update changes a site's record by f and saves it. When it cannot be saved the
// worker keeps its part of it, and returns the error for the log.
func (w *worker) update(ctx context.Context, site string, f func(incident.Record) (incident.Record, bool)) error {
	whole := func(rec incident.Record) (incident.Record, bool) {
		rec, pending := w.unsaved.over(rec, w.name)
		rec, changed := f(rec)
		return rec, pending || changed
	}
	_, err := w.out.opts.Records.Update(context.WithoutCancel(ctx), site, whole)
	if err == nil {
		delete(w.unsaved.deliveries, site)
		return nil
	}
	rec, _ := w.out.opts.Records.Record(site)
	rec, _ = whole(rec)
	w.unsaved.keep(rec, w.name, time.Now())
	return err
}

// save tries once more to save what could not be saved.
func (w *worker) save(ctx context.Context, now time.Time) {
	if len(w.unsaved.deliveries) == 0 || now.Before(w.unsaved.next) {
		return
	}
	w.unsaved.next = now.Add(savePause)
	for _, site := range slices.Sorted(maps.Keys(w.unsaved.deliveries)) {
		err := w.update(ctx, site, func(rec incident.Record) (incident.Record, bool) { return rec, false })
		if err != nil {
			w.out.log.Warn("deliveries still cannot be saved", "site", site, "receiver", w.name,
				"next_try", w.unsaved.next.UTC(), "err", err)
			return // neither will the others
		}
	}
	w.out.log.Info("deliveries are saved again", "receiver", w.name)
}
