package catalog

import (
	"cmp"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// Query is one run of a check, as far as explaining it needs to know. All of
// it but the legs may be empty. Values from servers must be bounded and
// printable; what they may not do in a sentence or a command, Explain sees to.
type Query struct {
	Edge   Leg
	Origin *Leg // nil with no origin leg

	Lang string // "zh", or English

	Host       string // of the site, with no port; "" = the URL's
	URL        string // that was asked, with no credentials
	OriginAddr string // HOST:PORT
	OriginURL  string // where it differs from URL, as in its scheme or host

	Asked       *Asked // how URL was asked for, or RedirectedFrom if there is one; nil = by a plain GET
	OriginAsked *Asked // how OriginURL was

	// RedirectedFrom is the URL of the check where a redirect led to URL at
	// another host or port; "" = it did not.
	RedirectedFrom string

	ViaESA      string // "yes", "possible" or "no", as probe.Edge has it; "" = not known
	RequestID   string // EagleId
	POP         string
	NodeIP      string
	CacheStatus string // as probe.Edge has it
	Age         string // the Age header
	ErrorToken  string // of X-Tengine-Error, without "denied by "
	ProxyStatus string // the Proxy-Status header, as sent

	// Page is Challenge or WaitingRoom where the answer to another condition is such
	// a page of ESA's, too; else "".
	Page Condition
	// Phase is the one in which the edge's leg got no further: "resolve", "connect",
	// "tls", "processing" or "transfer"; "" with a whole answer.
	Phase string

	// OriginMade says that the edge's error bears the marks of a web server or of
	// an application: ESA got it from its origin and passed it on.
	OriginMade bool
}

// Explain says what broke, where, whose it is and what to do, in the light of
// both legs and of what the edge said of itself. Evidence is left to the
// caller, who has seen it. ok is false when nothing is wrong.
//
// A failing origin behind an edge that answers well is OriginDown, also when the
// edge is only slow or its certificate about to expire: what the cache hides
// matters more than either. An origin that gives no answer in time behind a slow
// edge is only slow itself.
func (c *Catalog) Explain(q Query) (d Diagnosis, ok bool) {
	q.OriginURL = cmp.Or(q.OriginURL, q.URL)
	switch c := q.Edge.Condition; {
	case hidden(q.Origin) != OriginDown:
	case c == TLSExpiring, c == Slow && q.Origin.Condition != Timeout:
		q.Edge.Condition = ""
	}
	condition := q.Edge.Condition
	if condition == "" {
		condition = hidden(q.Origin)
	}
	if condition == "" {
		return Diagnosis{}, false
	}

	l := langOf(q.Lang)
	e := c.find(condition)
	class := q.class()
	proxyError := edgeError(q.ProxyStatus)
	f := c.facts(q, condition, proxyError, l)
	w := &c.built.words

	d = Diagnosis{
		Condition:  condition,
		Title:      e.Title.in(l),
		Fault:      e.Fault,
		Owner:      e.Owner.in(l),
		Severity:   e.Severity,
		Summary:    e.summary[l].fill(&f, w, l),
		Evidence:   []string{},
		DocURL:     e.DocURL.in(l),
		RunbookURL: e.RunbookURL,
	}

	steps := e.steps[l]
	var first []template
	follow := func(a *advice) {
		if a.summary != nil && !e.userSummary {
			d.Summary = a.summary[l].fill(&f, w, l)
		}
		if a.fault != "" {
			d.Fault = a.fault
		}
		if a.owner != nil && !e.userOwner {
			d.Owner = a.owner.in(l)
		}
		if a.severity != "" && !e.userSeverity {
			d.Severity = a.severity
		}
		if e.userSteps {
			return
		}
		first = append(first, a.stepsFirst[l]...)
		if a.steps[l] != nil {
			steps = a.steps[l]
		}
	}
	if class == edgeSecurity {
		follow(c.ownPage(q))
	}
	var said []string // behind the summary that they leave
	for _, s := range signs(q, class, proxyError) {
		a := c.built.evidence[s]
		follow(a)
		said = append(said, a.says[l].fill(&f, w, l))
	}
	for _, sentence := range said {
		d.Summary = join(d.Summary, sentence, l)
	}
	if a := c.verdict(q, class); a != nil {
		follow(a)
		d.Verdict = a.says[l].fill(&f, w, l)
	}
	// The edge's own word of now outranks what the two legs only make likely.
	fault := edgeErrorFault(proxyError)
	if fault != "" && fault != d.Fault && classOf(q.Edge.Condition) == edgeServer && class != edgeSecurity && freshnessOf(q.CacheStatus) != freshCached {
		d.Fault = fault
		if !e.userOwner {
			d.Owner = w.faultOwner(fault).in(l)
		}
	}
	d.Steps = fillAll(&f, w, l, e.before, first, steps, e.after)
	return d, true
}

// ownPage is what to do about an error that is a page of ESA's protection: as with
// that page, whatever its status.
func (c *Catalog) ownPage(q Query) *advice {
	if q.Page == "" || q.Edge.Condition == q.Page {
		return &advice{}
	}
	page := c.find(q.Page)
	return &advice{fault: page.Fault, owner: &page.Owner, steps: page.steps}
}

// hidden is what a run is called whose edge leg passed: OriginDown when the
// origin fails, InternalError when it could not be asked.
func hidden(origin *Leg) Condition {
	switch {
	case origin == nil, origin.Condition == "", origin.Condition.Degrades():
		return ""
	case origin.Condition == InternalError, origin.Condition == AgentOffline:
		return origin.Condition
	}
	return OriginDown
}

// verdict is what the two legs mean together, nil when there is nothing to compare.
func (c *Catalog) verdict(q Query, class edgeClass) *advice {
	if q.Origin == nil || class == edgeUnjudged || classOf(q.Origin.Condition) == edgeUnjudged {
		return nil
	}
	s := situation{
		edge:      class,
		origin:    q.originClass(),
		edgeIs:    q.Edge.Condition,
		originIs:  q.Origin.Condition,
		freshness: freshnessOf(q.CacheStatus),
		phase:     q.Phase,

		passedOn: q.passedOn(),
		notESA:   q.notESA(),
	}
	s.scheme, _, _ = strings.Cut(q.OriginURL, ":")
	for i := range c.built.verdicts {
		if r := &c.built.verdicts[i]; r.fits(s) {
			return &r.advice
		}
	}
	return nil
}

// facts gathers what the sentences may name.
func (c *Catalog) facts(q Query, condition Condition, proxyError string, l lang) facts {
	known := [numFacts]string{
		factHost:          q.Host,
		factURL:           q.URL,
		factFromURL:       q.RedirectedFrom,
		factOriginURL:     q.OriginURL,
		factRequestID:     q.RequestID,
		factPOP:           q.POP,
		factNodeIP:        q.NodeIP,
		factCacheStatus:   q.CacheStatus,
		factAge:           ageSeconds(q.Age, l),
		factErrorToken:    plainWord(q.ErrorToken),
		factProxyError:    plainWord(proxyError),
		factEdgeCondition: c.called(condition, l),
	}
	if u, err := url.Parse(q.URL); err == nil && u.Host != "" {
		host, port := splitAddr(u.Host, u.Scheme)
		known[factHostPort] = net.JoinHostPort(host, port)
		if known[factHost] == "" {
			known[factHost] = host
		}
	}
	if q.OriginAddr != "" {
		scheme, _, _ := strings.Cut(known[factOriginURL], ":")
		host, port := splitAddr(q.OriginAddr, scheme)
		known[factOrigin], known[factOriginHost], known[factOriginPort] = net.JoinHostPort(host, port), host, port
	}
	if q.Origin != nil {
		known[factOriginCondition] = c.called(q.Origin.Condition, l)
		if q.Origin.StatusCode != 0 {
			known[factOriginStatus] = strconv.Itoa(q.Origin.StatusCode)
		}
		known[factOriginMs] = strconv.FormatInt(max(q.Origin.Duration.Milliseconds(), 1), 10)
	}
	f := facts{known: known, inCommand: c.guessOrigin(known[factOriginURL])}
	f.ask(&q)
	return f
}

// ask has the commands repeat what was asked, and not a plain GET of the URL.
func (f *facts) ask(q *Query) {
	f.known[factServerName] = f.known[factHost]
	f.known[factOriginServerName] = hostOf(f.known[factOriginURL])
	origin := q.OriginAsked
	if origin == nil && q.OriginAddr == "" && q.RedirectedFrom == "" {
		origin = q.Asked // an origin that nobody named most likely wants the same
	}
	if origin != nil {
		f.known[factOriginServerName] = cmp.Or(origin.ServerName, f.known[factOriginServerName])
		var asked *Asked
		f.curled[factOriginURL], asked = origin.atServer(f.known[factOriginURL])
		there := *asked
		there.ConnectTo = "" // the steps name the address
		f.asked[factOriginURL] = &there
	}
	switch {
	case q.Asked == nil:
	case q.RedirectedFrom != "":
		f.curled[factFromURL], f.asked[factFromURL] = q.Asked.atServer(q.RedirectedFrom)
	default:
		f.curled[factURL], f.asked[factURL] = q.Asked.atServer(f.known[factURL])
		f.known[factServerName] = cmp.Or(q.Asked.ServerName, f.known[factServerName])
		f.known[factHostPort] = cmp.Or(q.Asked.ConnectTo, f.known[factHostPort])
	}
}

// plainWord is a word or a few of a server's without what could be a link or a mention.
func plainWord(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("_-:. ", c) {
			return c
		}
		return '.'
	}, s)
}

func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// guessOrigin is what stands in commands for an origin that is not known: its
// port follows what the origin is asked, so that no plain HTTP goes to a TLS port.
func (c *Catalog) guessOrigin(originURL string) (guess [numFacts]string) {
	u, err := url.Parse(originURL)
	if err != nil || u.Host == "" {
		return guess
	}
	_, port := splitAddr(u.Host, u.Scheme)
	guess[factOriginPort] = port
	guess[factOrigin] = c.built.words.unknownInCommand[factOriginHost] + ":" + port
	return guess
}

// splitAddr is the host and the port of addr, which may leave out the port
// that is normal for the scheme.
func splitAddr(addr, scheme string) (host, port string) {
	if host, port, err := net.SplitHostPort(addr); err == nil {
		return host, port
	}
	port = "443"
	if scheme == "http" {
		port = "80"
	}
	return strings.Trim(addr, "[]"), port
}

// called is a condition as a sentence names it: "522 Connection timed out".
func (c *Catalog) called(condition Condition, l lang) string {
	if condition == "" {
		return ""
	}
	e, exact := c.exact(condition)
	switch {
	case condition.StatusCode() == 0 && exact:
		return e.Title.in(l)
	case exact:
		return string(condition) + " " + e.Title.in(l)
	}
	return string(condition)
}

// join puts a second sentence after the first.
func join(first, second string, l lang) string {
	if l == chinese {
		return first + second
	}
	return first + " " + second
}
