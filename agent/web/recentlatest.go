package web

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// latest is the newest result of a check, without what its kind says. Its texts
// came in headers, and kept as they are they would keep those: they are copied
// one after another into memory that is used again.
type latest struct {
	started   int64 // ms since 1970
	phases    [numPhases]checks.Micros
	took      checks.Micros
	origin    checks.Micros // what the origin took
	redirects int32
	body      int64
	url       string // the check's own
	text      []byte
	tls       *checks.TLS
	diagnosis *catalog.Diagnosis
}

// texts are the texts of a result that are kept in latest.text.
func texts(r *checks.Result) [12]*string {
	e := &r.Edge
	return [...]*string{&r.RedirectedTo, &r.Location, &r.Method, &r.HTTPVersion, &r.RemoteAddress,
		&e.ViaESA, &e.RequestID, &e.NodeIP, &e.POP, &e.CacheStatus, &e.ErrorToken, &e.ProxyStatus}
}

func (l *latest) set(r *checks.Result, site *recentSite) {
	l.started = r.StartedAt.UnixMilli()
	l.took = checks.MicrosOf(r.DurationSeconds)
	l.phases = r.PhasesSeconds.Micros()
	l.origin = 0
	if r.Origin != nil {
		l.origin = checks.MicrosOf(r.Origin.DurationSeconds)
	}
	l.redirects, l.body, l.url, l.diagnosis = int32(r.Redirects), r.BodyBytes, r.URL, r.Diagnosis
	l.tls = sharedTLS(r.TLS, l.tls, site)
	all, size := texts(r), 0
	for _, s := range all {
		size += 1 + len(*s)/128 + len(*s) // a length of 128 and more has two bytes
	}
	l.text = slices.Grow(l.text[:0], size)
	for _, s := range all {
		l.text = binary.AppendUvarint(l.text, uint64(len(*s)))
		l.text = append(l.text, *s...)
	}
}

// sharedTLS is t, or one that says the same and is there already.
func sharedTLS(t, last *checks.TLS, site *recentSite) *checks.TLS {
	if t == nil {
		return nil
	}
	if s := site.tls.Load(); s != nil && *s == *t {
		return s
	}
	if last != nil && *last == *t {
		return last
	}
	site.tls.Store(t)
	return t
}

// result is the whole result again.
func (l *latest) result(site, check string, k *kind) checks.Result {
	r := checks.Result{
		Site: site, Check: check, URL: l.url,
		StartedAt: time.UnixMilli(l.started).UTC(), DurationSeconds: l.took.Seconds(),
		Outcome: k.outcome.outcome(), Success: k.outcome != failed, StatusCode: k.status,
		Redirects: int(l.redirects), BodyBytes: l.body,
		PhasesSeconds: checks.Phases{Resolve: l.phases[0].Seconds(), Connect: l.phases[1].Seconds(),
			TLS: l.phases[2].Seconds(), Processing: l.phases[3].Seconds(), Transfer: l.phases[4].Seconds()},
		TLS: l.tls, Diagnosis: l.diagnosis,
	}
	if k.hasOrigin {
		r.Origin = &checks.Origin{Success: k.originSuccess, StatusCode: k.originStatus,
			DurationSeconds: l.origin.Seconds(), Condition: k.originCondition}
	}
	if len(l.text) == 0 {
		return r // from before a restart
	}
	text := string(l.text)
	for _, s := range texts(&r) {
		n, size := binary.Uvarint([]byte(text[:min(len(text), binary.MaxVarintLen32)]))
		*s, text = text[size:size+int(n)], text[size+int(n):]
	}
	return r
}
