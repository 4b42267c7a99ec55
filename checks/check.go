package checks

import (
	"context"
	"fmt"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// Check is one scheduled HTTP request of a site with what is expected of the
// answer. It is safe for concurrent use and remembers nothing between runs.
type Check struct {
	Site, Name, Location string
	URL, Method          string         // for the result
	Asked                *catalog.Asked // for the remediation

	Edge   Prober
	Expect assert.List

	Origin *OriginLeg // nil with no origin

	Catalog    *catalog.Catalog
	Severity   catalog.Severity // in place of the catalog's; "" = the catalog's
	RunbookURL string           // in place of the catalog's; "" = the catalog's
}

// OriginLeg asks a check's origin directly, at the same moment as the edge is asked.
type OriginLeg struct {
	Prober
	Expect assert.List
	Addr   string // as configured, for the remediation
	URL    string // what it is asked, where it differs from the check's URL
	Asked  *catalog.Asked
}

// Prober makes one request. *probe.Probe is one.
type Prober interface {
	Do(ctx context.Context) *probe.Response
}

// Name of the whole configuration: SITE/CHECK.
func (c *Check) FullName() string { return FullName(c.Site, c.Name) }

// Run asks the edge, and the origin at the same moment where there is one, and
// explains what it saw. It never fails: a failure is a result. It returns when
// both answers are in or ctx or their own timeouts have ended them.
func (c *Check) Run(ctx context.Context) (result Result) {
	started := time.Now()
	defer func() {
		if p := recover(); p != nil {
			result = c.internal(started, fmt.Sprintf("panic: %v", p), debug.Stack())
		}
	}()
	edge, origin := c.ask(ctx)
	return c.judge(edge, origin)
}

// ask runs both legs at the same moment.
func (c *Check) ask(ctx context.Context) (edge, origin *probe.Response) {
	if c.Origin == nil {
		return c.Edge.Do(ctx), nil
	}
	return c.askBoth(ctx)
}

// askBoth is ask where there is an origin. A panic in its leg is carried over to
// the caller's goroutine.
func (c *Check) askBoth(ctx context.Context) (edge, origin *probe.Response) {
	var (
		wg       sync.WaitGroup
		panicked any
	)
	wg.Go(func() {
		defer func() { panicked = recover() }()
		origin = c.Origin.Do(ctx)
	})
	defer func() {
		wg.Wait()
		if panicked != nil {
			panic(panicked)
		}
	}()
	edge = c.Edge.Do(ctx)
	return edge, origin
}

// internal is the result of a run that esawatch itself could not do.
func (c *Check) internal(started time.Time, detail string, stack []byte) Result {
	resp := &probe.Response{
		StartedAt: started,
		Duration:  time.Since(started),
		Condition: catalog.InternalError,
		Detail:    detail,
		Edge:      probe.Edge{ViaESA: "no"},
	}
	if frame := panicFrame(stack); frame != "" {
		resp.Notes = []string{"at: " + frame}
	}
	return c.judge(resp, nil)
}

// judge turns what was seen into a result.
func (c *Check) judge(edge, origin *probe.Response) Result {
	failures := judgeLeg(edge, c.Expect)
	var originFailures []assert.Failure
	if origin != nil {
		originFailures = judgeLeg(origin, c.Origin.Expect)
	}
	r := c.describe(edge)
	if origin != nil {
		r.Origin = describeOrigin(origin, originFailures)
	}
	c.explain(&r, edge, failures, origin, originFailures)
	return r
}

// judgeLeg returns all that is wrong with one leg, the finding that names the
// result first.
func judgeLeg(resp *probe.Response, expect assert.List) []assert.Failure {
	if resp.Condition != "" {
		return []assert.Failure{{Condition: resp.Condition, Got: resp.Detail}}
	}
	if resp.LedAway {
		// An origin that sends elsewhere does answer; what is there is not its own,
		// and most likely the edge.
		return nil
	}
	return expect.Check(resp)
}

// describe fills in what the result says whatever its outcome.
func (c *Check) describe(edge *probe.Response) Result {
	r := Result{
		Site: c.Site, Check: c.Name, Location: c.Location,
		URL: c.URL, Method: c.Method,
		StartedAt:       edge.StartedAt.UTC().Truncate(time.Millisecond),
		DurationSeconds: seconds(edge.Duration),
		Outcome:         Pass,
		Success:         true,
		StatusCode:      edge.StatusCode,
		HTTPVersion:     edge.HTTPVersion,
		RemoteAddress:   edge.RemoteAddr,
		Redirects:       edge.Redirects,
		BodyBytes:       int64(len(edge.Body)),
		PhasesSeconds: Phases{
			Resolve:    seconds(edge.Phases.Resolve),
			Connect:    seconds(edge.Phases.Connect),
			TLS:        seconds(edge.Phases.TLS),
			Processing: seconds(edge.Phases.Processing),
			Transfer:   seconds(edge.Phases.Transfer),
		},
		Edge: edge.Edge,
	}
	if t := edge.TLS; t != nil {
		r.TLS = &TLS{Version: t.Version, Cipher: t.Cipher, NotAfter: t.NotAfter.UTC(), ValidUntil: t.ValidUntil.UTC(),
			Issuer: t.Issuer, Subject: t.Subject, Fingerprint: t.Fingerprint}
	}
	return r
}

func describeOrigin(resp *probe.Response, failures []assert.Failure) *Origin {
	o := &Origin{Success: true, StatusCode: resp.StatusCode, DurationSeconds: seconds(resp.Duration)}
	if len(failures) > 0 {
		o.Condition = failures[0].Condition
		o.Success = o.Condition.Degrades()
	}
	return o
}

// explain sets the outcome and, unless it is Pass, the diagnosis.
func (c *Check) explain(r *Result, edge *probe.Response, failures []assert.Failure,
	origin *probe.Response, originFailures []assert.Failure) {
	if len(failures) == 0 && len(originFailures) == 0 {
		return // nearly always: it shall cost nothing
	}
	if edge.Elsewhere && blamesAddress(firstOf(failures)) {
		r.RedirectedTo = probe.BareURL(edge.URL)
	}
	q := c.query(r, firstOf(failures))
	q.Age, q.OriginMade = edge.Header.Get("Age"), provesOrigin(author(edge))
	q.Page, q.Phase = pageOf(failures), edge.Phase
	if q.Origin != nil {
		q.Origin.ViaESA = throughESA(origin)
	}
	d, wrong := c.diagnose(q)
	if !wrong {
		return
	}
	d.Evidence = evidence(edge, failures, origin, originFailures)
	r.Diagnosis = &d
	r.Outcome, r.Success = Fail, false
	if d.Condition.Degrades() {
		r.Outcome, r.Success = Degraded, true
	}
}

// query asks the catalog about a result whose edge leg is in condition.
func (c *Check) query(r *Result, condition catalog.Condition) catalog.Query {
	address := probe.WireURL(c.URL) // steps are commands to paste
	q := catalog.Query{
		Edge:        catalog.Leg{Condition: condition, StatusCode: r.StatusCode, Duration: duration(r.DurationSeconds)},
		Host:        hostOf(address),
		URL:         address,
		ViaESA:      r.Edge.ViaESA,
		RequestID:   r.Edge.RequestID,
		POP:         r.Edge.POP,
		NodeIP:      r.Edge.NodeIP,
		CacheStatus: r.Edge.CacheStatus,
		ErrorToken:  r.Edge.ErrorToken,
		ProxyStatus: r.Edge.ProxyStatus,
		Asked:       c.Asked,
	}
	if r.RedirectedTo != "" {
		// Whatever the origin says, it was not asked for this.
		q.RedirectedFrom, q.URL, q.Host = q.URL, r.RedirectedTo, hostOf(r.RedirectedTo)
		return q
	}
	if leg := c.Origin; leg != nil {
		q.OriginAddr, q.OriginURL, q.OriginAsked = leg.Addr, probe.WireURL(leg.URL), leg.Asked
	}
	if o := r.Origin; o != nil {
		q.Origin = &catalog.Leg{Condition: o.Condition, StatusCode: o.StatusCode, Duration: duration(o.DurationSeconds)}
	}
	return q
}

// diagnose explains with the check's own severity and runbook.
func (c *Check) diagnose(q catalog.Query) (catalog.Diagnosis, bool) {
	d, wrong := c.Catalog.Explain(q)
	if c.Severity != "" {
		d.Severity = c.Severity
	}
	if c.RunbookURL != "" {
		d.RunbookURL = c.RunbookURL
	}
	return d, wrong
}

func firstOf(failures []assert.Failure) catalog.Condition {
	if len(failures) == 0 {
		return ""
	}
	return failures[0].Condition
}

// ownPages are the conditions by which an answer is a page of ESA's own.
var ownPages = []catalog.Condition{catalog.WaitingRoom, catalog.Challenge}

// pageOf is the one of ownPages that is among the failures, "" when none is.
func pageOf(failures []assert.Failure) (page catalog.Condition) {
	for _, f := range failures {
		if slices.Contains(ownPages, f.Condition) {
			page = f.Condition
		}
	}
	return page
}

// throughESA tells whether an answer of the origin certainly came through ESA.
func throughESA(origin *probe.Response) bool { return origin.Edge.ViaESA == probe.ViaYes }

// In returns a result of this check with its diagnosis in a language, "en" or
// "zh". What servers and the system said stays in the evidence as it was seen.
func (c *Check) In(lang string, r Result) Result {
	if r.Diagnosis == nil || lang != "zh" {
		return r
	}
	condition := r.Diagnosis.Condition
	if condition == catalog.OriginDown {
		condition = "" // the edge answered well
	}
	q := c.query(&r, condition)
	q.Lang = lang
	q.Age = strings.TrimSuffix(evidenceOf(r.Diagnosis, ageLabel), " s")
	q.OriginMade = provesOrigin(evidenceOf(r.Diagnosis, madeBy))
	q.Phase = evidenceOf(r.Diagnosis, phaseLabel)
	for _, page := range ownPages {
		if evidenceOf(r.Diagnosis, string(page)) != "" {
			q.Page = page
		}
	}
	if q.Origin != nil {
		q.Origin.ViaESA = evidenceOf(r.Diagnosis, originViaESA) != ""
	}
	d, wrong := c.diagnose(q)
	if !wrong {
		return r
	}
	d.Severity = r.Diagnosis.Severity
	d.Evidence = inChinese(r.Diagnosis.Evidence)
	r.Diagnosis = &d
	return r
}

// evidenceOf is what the evidence has under a label, "" when it has nothing.
func evidenceOf(d *catalog.Diagnosis, label string) string {
	for _, line := range d.Evidence {
		if text, ok := strings.CutPrefix(line, label+": "); ok {
			return text
		}
	}
	return ""
}

// blamesAddress tells whether a condition of a run says something of the address
// that it ended at: it fails, and not for the way there or for this agent.
func blamesAddress(c catalog.Condition) bool {
	switch c {
	case "", catalog.RedirectLoop, catalog.InternalError, catalog.AgentOffline:
		return false
	}
	return !c.Degrades()
}

// hostOf is the host of a URL without its port, "" when it has none.
func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
