package web

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// latest is the newest result of a check, without what its kind says. Its texts
// came in headers, and kept as they are they would keep those: they are copied
// one after another into memory that is used again.
type latest struct {
	started   int64             // ms since 1970
	micros    [numPhases]uint32 // of the phases
	took      uint32            // µs
	origin    uint32            // µs the origin took
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
	l.took = microsOf(r.DurationSeconds)
	p := r.PhasesSeconds
	for i, s := range [numPhases]float64{p.Resolve, p.Connect, p.TLS, p.Processing, p.Transfer} {
		l.micros[i] = microsOf(s)
	}
	l.origin = 0
	if r.Origin != nil {
		l.origin = microsOf(r.Origin.DurationSeconds)
	}
	l.redirects, l.body, l.url, l.diagnosis = int32(r.Redirects), r.BodyBytes, r.URL, r.Diagnosis
	l.tls = sharedTLS(r.TLS, l.tls, site)
	l.text = l.text[:0]
	for _, s := range texts(r) {
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
		StartedAt: time.UnixMilli(l.started).UTC(), DurationSeconds: secondsOf(l.took),
		Outcome: k.outcome.outcome(), Success: k.outcome != failed, StatusCode: k.status,
		Redirects: int(l.redirects), BodyBytes: l.body,
		PhasesSeconds: checks.Phases{Resolve: secondsOf(l.micros[0]), Connect: secondsOf(l.micros[1]),
			TLS: secondsOf(l.micros[2]), Processing: secondsOf(l.micros[3]), Transfer: secondsOf(l.micros[4])},
		TLS: l.tls, Diagnosis: l.diagnosis,
	}
	if k.hasOrigin {
		r.Origin = &checks.Origin{Success: k.originSuccess, StatusCode: k.originStatus,
			DurationSeconds: secondsOf(l.origin), Condition: k.originCondition}
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

// microsOf is exact for the seconds of a result, which are whole microseconds,
// up to an hour.
func microsOf(seconds float64) uint32 {
	if !(seconds > 0) { // nor is it a number otherwise
		return 0
	}
	return uint32(min(math.Round(seconds*1e6), math.MaxUint32))
}

func secondsOf(micros uint32) float64 { return float64(micros) / 1e6 }
