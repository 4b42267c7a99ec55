package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var known = Query{
	Host: "shop.example.com", URL: "https://shop.example.com/api/login?x=1&y=2", OriginAddr: "203.0.113.10:8443",
	RequestID: "a3b54e9817588532784852695e", POP: "de7", NodeIP: "163.181.78.152", CacheStatus: "MISS",
}

func leg(c Condition) *Leg {
	return &Leg{Condition: c, StatusCode: max(c.StatusCode(), 0), Duration: 34 * time.Millisecond}
}

// TestEveryPairHasAGeneralVerdict holds that no pair of classes depends on the
// special rows alone.
func TestEveryPairHasAGeneralVerdict(t *testing.T) {
	for _, edge := range edgeClasses {
		for _, origin := range originClasses {
			if edge == edgeOK && (origin == originOK || origin == originSame) {
				continue // nothing is wrong
			}
			if !slices.ContainsFunc(Default().built.verdicts, func(r rule) bool {
				return (r.edge == edge || r.edge == edgeAny) && slices.Contains(r.origin, origin) && r.edgeIs == nil && r.originIs == nil && r.freshness == freshUnknown && r.scheme == "" && r.phase == "" && !r.passedOn && !r.notESA
			}) {
				t.Errorf("edge %s, origin %s: no general verdict", edge, origin)
			}
		}
	}
}

// TestExplainEverything joins every condition at the edge with every condition
// at the origin, in both languages, with all facts known and with none.
func TestExplainEverything(t *testing.T) {
	c := Default()
	conditions := slices.Concat([]Condition{""}, c.Conditions(), []Condition{"418", "501", "527"})
	conditions = slices.DeleteFunc(conditions, func(c Condition) bool {
		return c == Fallback4xx || c == Fallback5xx || c == FallbackReserved || c == OriginDown
	})
	used := map[*rule]bool{}
	for _, edge := range conditions {
		for _, origin := range conditions {
			for _, cache := range []string{"", "HIT", "MISS"} {
				for _, language := range []string{"en", "zh"} {
					full := known
					full.ErrorToken, full.ProxyStatus, full.Age = "http_custom", "esa; error=connection_refused", "17"
					for _, q := range []Query{{}, {ViaESA: "no"}, full} {
						q.Edge, q.Origin, q.CacheStatus, q.Lang = *leg(edge), leg(origin), cache, language
						checkExplained(t, c, q)
					}
				}
				for _, hint := range []Query{
					{}, {ErrorToken: "http_custom"}, {ErrorToken: unservedToken}, {OriginURL: "http://shop.example.com/"}, {ViaESA: "no"}, {OriginMade: true},
					{Page: Challenge}, {Page: WaitingRoom}, {Phase: "tls"}, {Phase: "transfer"}, {ProxyStatus: "esa; error=proxy_internal_error"}, {Origin: &Leg{ViaESA: true}},
				} {
					q := hint
					q.Edge, q.Origin, q.CacheStatus = *leg(edge), leg(origin), cache
					q.Origin.ViaESA = hint.Origin != nil
					checkExplained(t, c, q)
					if a := c.verdict(q, q.class()); a != nil {
						for i := range c.built.verdicts {
							if &c.built.verdicts[i].advice == a {
								used[&c.built.verdicts[i]] = true
							}
						}
					}
				}
			}
		}
	}
	for i := range c.built.verdicts {
		if r := &c.built.verdicts[i]; !used[r] {
			t.Errorf("verdict %d never fits: %s", i+1, r.advice.says[english].source)
		}
	}
}

func checkExplained(t *testing.T, c *Catalog, q Query) {
	t.Helper()
	d, ok := c.Explain(q)
	wrong := q.Edge.Condition != "" || q.Origin.Condition != "" && !q.Origin.Condition.Degrades()
	if ok != wrong {
		t.Fatalf("edge %q, origin %q: ok = %v", q.Edge.Condition, q.Origin.Condition, ok)
	}
	if !ok {
		return
	}
	compared := classOf(q.Edge.Condition) != edgeUnjudged && classOf(q.Origin.Condition) != edgeUnjudged
	if (d.Verdict != "") != compared {
		t.Errorf("edge %q, origin %q: verdict %q", q.Edge.Condition, q.Origin.Condition, d.Verdict)
	}
	if n := len(d.Steps); n < 2 || n > 7 {
		t.Errorf("edge %q, origin %q: %d steps", q.Edge.Condition, q.Origin.Condition, n)
	}
	if d.Fault == "" || d.Owner == "" || d.Severity.Rank() == 0 || d.Title == "" || d.Evidence == nil {
		t.Errorf("edge %q, origin %q: not whole: %+v", q.Edge.Condition, q.Origin.Condition, d)
	}
	for _, s := range append(d.Steps, d.Summary, d.Verdict) {
		if strings.ContainsAny(s, "{}") || s != "" && hasHan(s) != (q.Lang == "zh") {
			t.Errorf("edge %q, origin %q, %s: %q", q.Edge.Condition, q.Origin.Condition, q.Lang, s)
		}
	}
	for i, s := range d.Steps {
		if slices.Contains(d.Steps[:i], s) {
			t.Errorf("edge %q, origin %q: said twice: %s", q.Edge.Condition, q.Origin.Condition, s)
		}
	}
}

func TestExplain(t *testing.T) {
	const (
		originTeam = "origin team"
		config     = "ESA configuration owner"
		function   = "edge function author"
		probe      = "whoever runs the probe"
		network    = "network team"
		alibaba    = "Alibaba Cloud support"
	)
	for _, tt := range []struct {
		name      string
		q         Query
		condition Condition
		fault     Fault
		owner     string
		verdict   string // a part of it; "" = none
		first     string // a part of the first step
	}{
		{"521 alone", Query{Edge: *leg("521")}, "521", FaultOriginLink, originTeam, "", "ss -lntp"},
		{"522, origin well", Query{Edge: *leg("522"), Origin: &Leg{StatusCode: 200, Duration: 34 * time.Millisecond}},
			"522", FaultOriginLink, originTeam, "origin answers directly (200 in 34 ms): ESA cannot reach it, most likely because its firewall", "Origin Protection"},
		{"521, origin refuses here too", Query{Edge: *leg("521"), Origin: leg(ConnectRefused)}, "521", FaultOrigin, originTeam, "refuses connections from here as well", "ss -lntp"},
		{"520, origin breaks off here too", Query{Edge: *leg("520"), Origin: leg(ConnectionReset)}, "520", FaultOrigin, originTeam, "takes connections from here as well", "crashing workers"},
		{"520, origin has gone down", Query{Edge: *leg("520"), Origin: leg(ConnectRefused)}, "520", FaultOrigin, originTeam, "most likely it is down", "ss -lntp"},
		{"520, origin does not answer this agent", Query{Edge: *leg("520"), Origin: leg(ConnectTimeout)}, "520", FaultOrigin, originTeam, "ESA did get through", "a place that it admits"},
		{"524, origin does not answer this agent", Query{Edge: *leg("524"), Origin: leg(ConnectTimeout)}, "524", FaultOrigin, originTeam, "ESA did get through", "a place that it admits"},
		{"526, origin does not answer this agent", Query{Edge: *leg("526"), Origin: leg(ConnectTimeout)}, "526", FaultTLS, originTeam, "ESA did get through", "a place that it admits"},
		{"530, origin does not answer this agent", Query{Edge: *leg("530"), Origin: leg(ConnectTimeout)}, "530", FaultDNS, originTeam, "the name comes first", "origin's name"},
		{"521, this agent has no way to the origin", Query{Edge: *leg("521"), Origin: leg(ConnectUnreachable)}, "521", FaultOriginLink, originTeam, "this machine lacks the way", "ip route get"},
		{"522, the origin's name does not resolve here", Query{Edge: *leg("522"), Origin: leg(DNSFailure)}, "522", FaultOriginLink, originTeam, "stays open", "origin.address"},
		{"522, the origin admits only ESA", Query{Edge: *leg("522"), Origin: leg("403")}, "522", FaultOriginLink, originTeam, "the origin is up", "Origin Protection"},
		{"525, the origin admits only ESA", Query{Edge: *leg("525"), Origin: leg("403")}, "525", FaultTLS, originTeam, "the origin is up", "openssl"},
		{"599, the origin admits only ESA", Query{Edge: *leg("599"), Origin: leg("403")}, "599", FaultFunction, function, "the origin is up", "roll back"},
		{"404, the origin admits only ESA", Query{Edge: *leg("404"), Origin: leg("403")}, "404", FaultOrigin, originTeam, "what it answers ESA is not known", "access log"},
		{"stale, the origin admits only ESA", Query{Edge: *leg(Stale), Origin: leg("403")}, Stale, FaultOrigin, originTeam, "stays open", ""},
		{"503, the origin is ESA", Query{Edge: *leg("503"), Origin: &Leg{Condition: "503", StatusCode: 503, ViaESA: true}}, "503", FaultOrigin, originTeam, "of ESA with itself", "the server's own address"},
		{"522, the origin is ESA", Query{Edge: *leg("522"), Origin: &Leg{StatusCode: 200, ViaESA: true}}, "522", FaultOriginLink, originTeam, "of ESA with itself", "the server's own address"},
		{"403, a block page, and the origin's too", Query{Edge: *leg("403"), Origin: leg("403"), Page: Challenge}, "403", FaultSecurity, config, "ESA's protection answers 403", "why the origin refuses"},
		{"503, a slider", Query{Edge: *leg("503"), Origin: leg(""), Page: Challenge}, "503", FaultSecurity, config, "only ESA's protection", "in a browser"},
		{"429, a waiting room", Query{Edge: *leg("429"), Page: WaitingRoom}, "429", FaultSecurity, config, "", "a sale or an event"},
		{"no handshake in time, origin well", Query{Edge: *leg(Timeout), Phase: "tls", Origin: leg("")}, Timeout, FaultNetwork, network, "without finishing the TLS handshake", "openssl"},
		{"no handshake in time, no origin", Query{Edge: *leg(Timeout), Phase: "tls"}, Timeout, FaultNetwork, network, "", "openssl"},
		{"stalled, origin well", Query{Edge: *leg(Timeout), Phase: "transfer", Origin: leg("")}, Timeout, FaultNetwork, config, "it stalls", "where it stops"},
		{"404 with a token", Query{Edge: *leg("404"), ErrorToken: "http_custom", Origin: leg("")}, "404", FaultSecurity, config, "only ESA's protection", "browser"},
		{"503 with a token, origin well", Query{Edge: *leg("503"), ErrorToken: "http_ratelimit", Origin: leg("")}, "503", FaultSecurity, config, "only ESA's protection", "browser"},
		{"503 with a token, nobody asked the origin", Query{Edge: *leg("503"), ErrorToken: "http_ratelimit"}, "503", FaultOrigin, originTeam, "", "maintenance"},
		{"502 with a token, origin down", Query{Edge: *leg("502"), ErrorToken: "http_bot_simple", Origin: leg(ConnectRefused)}, "502", FaultOrigin, originTeam, "most likely it is down", "ss -lntp"},
		{"502 with a token, an old one", Query{Edge: *leg("502"), ErrorToken: "http_bot", Origin: leg(""), CacheStatus: "HIT", Age: "9"}, "502", FaultContent, config, "cached copy of an earlier error", "cached copy. Purge"},
		{"well, and the origin is ESA", Query{Origin: &Leg{Condition: "403", StatusCode: 403, ViaESA: true}}, OriginDown, FaultClient, probe, "of ESA with itself", "the server's own address"},
		{"503 cached, and the origin is ESA", Query{Edge: *leg("503"), Origin: &Leg{Condition: "503", StatusCode: 503, ViaESA: true}, CacheStatus: "HIT", Age: "9"}, "503", FaultOrigin, originTeam, "of ESA with itself", "cached copy. Purge"},
		{"502 of ESA itself, origin down", Query{Edge: *leg("502"), ProxyStatus: "esa; error=proxy_internal_error", Origin: leg(ConnectRefused)}, "502", FaultPlatform, alibaba, "two troubles", "another region"},
		{"404 with a token, and the origin's too", Query{Edge: *leg("404"), ErrorToken: "http_custom", Origin: leg("404")}, "404", FaultOrigin, originTeam, "ESA only passes it on", ""},
		{"403 of nginx with a token", Query{Edge: *leg("403"), ErrorToken: "intelligent_cc_acl", OriginMade: true}, "403", FaultOrigin, originTeam, "", ""},
		{"a domain that ESA does not serve", Query{Edge: *leg("403"), ErrorToken: "non-existent domain", Origin: leg("")}, "403", FaultPlatform, config, "only ESA does not serve", "the site is active"},
		{"502 that ESA says it made, and the origin's too", Query{Edge: *leg("502"), ProxyStatus: "esa; error=connection_refused", Origin: leg("502")}, "502", FaultOriginLink, originTeam, "the origin is unhealthy", "Fix the origin first"},
		{"500 of ESA itself", Query{Edge: *leg("500"), ProxyStatus: "esa; error=proxy_internal_error", Origin: leg("")}, "500", FaultPlatform, alibaba, "the fault lies in ESA", "another region"},
		{"502 of ESA itself, an old one", Query{Edge: *leg("502"), ProxyStatus: "esa; error=proxy_internal_error", Origin: leg(""), CacheStatus: "HIT", Age: "9"}, "502", FaultContent, config, "cached copy of an earlier error", "cached copy. Purge"},
		{"503 with a token and a reason", Query{Edge: *leg("503"), ErrorToken: "http_ratelimit", ProxyStatus: "esa; error=proxy_internal_error", Origin: leg("")}, "503", FaultSecurity, config, "only ESA's protection", "browser"},
		{"502 by which ESA refuses", Query{Edge: *leg("502"), ProxyStatus: "esa; error=http_request_denied", Origin: leg("")}, "502", FaultSecurity, config, "only ESA's protection", ""},
		{"525, origin well", Query{Edge: *leg("525"), Origin: leg("")}, "525", FaultTLS, config, "SNI", "origin rules"},
		{"526, origin expired", Query{Edge: *leg("526"), Origin: leg(TLSExpired)}, "526", FaultTLS, originTeam, "fails from here as well", "openssl"},
		{"530, origin well", Query{Edge: *leg("530"), Origin: leg("")}, "530", FaultDNS, config, "does not resolve", "in place of the name"},
		{"524, origin too slow", Query{Edge: *leg("524"), Origin: leg(Timeout)}, "524", FaultOrigin, originTeam, "does not answer in time", "what it waits for"},
		{"503 of the origin's", Query{Edge: *leg("503"), Origin: leg("503")}, "503", FaultOrigin, originTeam, "ESA only passes it on", "Leave ESA alone"},
		{"503, origin well", Query{Edge: *leg("503"), Origin: leg("")}, "503", FaultOriginLink, config, "custom response rule", "custom response rule"},
		{"404, origin well", Query{Edge: *leg("404"), Origin: leg("")}, "404", FaultPlatform, config, "rewrite", "Purge"},
		{"404 cached, origin well", Query{Edge: *leg("404"), Origin: leg(""), CacheStatus: "HIT", Age: "598"}, "404", FaultContent, config, "cached copy of an earlier error", "cached copy. Purge"},
		{"503 cached, and the origin's now", Query{Edge: *leg("503"), Origin: leg("503"), CacheStatus: "HIT", Age: "30"}, "503", FaultOrigin, originTeam, "the origin", "Leave ESA alone"},
		{"594, origin well", Query{Edge: *leg("594"), Origin: leg("")}, "594", FaultFunction, function, "edge function", "roll it back"},
		{"594, origin down", Query{Edge: *leg("594"), Origin: leg("500")}, "594", FaultFunction, originTeam, "falling back to the origin will not help", "Fix the origin first"},
		{"403 with a token", Query{Edge: *leg("403"), ErrorToken: "http_custom"}, "403", FaultSecurity, config, "", "browser"},
		{"403 of the origin's", Query{Edge: *leg("403"), Origin: leg("403")}, "403", FaultOrigin, originTeam, "ESA only passes it on", "Leave ESA alone"},
		{"429 with a token is ESA's", Query{Edge: *leg("429"), ErrorToken: "http_ratelimit"}, "429", FaultSecurity, config, "", "browser"},
		{"429 without is the origin's", Query{Edge: *leg("429")}, "429", FaultOrigin, originTeam, "", "whose limit"},
		{"500 with the token of a rule that observes", Query{Edge: *leg("500"), ErrorToken: "intelligent_cc_acl"}, "500", FaultOrigin, originTeam, "", "error log"},
		{"502 that ESA says it made", Query{Edge: *leg("502"), ProxyStatus: "esa; error=tls_protocol_error; detail=os_error"}, "502", FaultTLS, originTeam, "", "Ask the origin"},
		{"502 behind another proxy's status", Query{Edge: *leg("502"), ProxyStatus: "varnish; error=dns_error"}, "502", FaultOriginLink, originTeam, "", "Ask the origin"},
		{"hidden outage", Query{Origin: leg(ConnectRefused), CacheStatus: "HIT"}, OriginDown, FaultOrigin, originTeam, "the cache hides an outage", "Confirm it"},
		{"no outage: the origin admits only ESA", Query{Origin: leg(ConnectTimeout), CacheStatus: "DYNAMIC"}, OriginDown, FaultOrigin, probe, "most likely it does not admit this agent", "Repeat it from this machine"},
		{"origin refuses the agent", Query{Origin: leg("403")}, OriginDown, FaultOrigin, probe, "admits only ESA", "admit this agent"},
		{"stale, origin down", Query{Edge: *leg(Stale), Origin: leg(ConnectRefused), CacheStatus: "STALE"}, Stale, FaultOrigin, originTeam, "hides an outage", "On the origin"},
		{"nothing can be reached", Query{Edge: *leg(ConnectTimeout), Origin: leg(ConnectTimeout)}, ConnectTimeout, FaultNetwork, probe, "this agent's own network", "On this machine"},
		{"edge refuses, origin well", Query{Edge: *leg(ConnectRefused), Origin: leg("")}, ConnectRefused, FaultNetwork, config, "something refuses connections at the address of the edge", "where the name leads"},
		{"expired certificate, and the origin is down", Query{Edge: *leg(TLSExpired), Origin: leg(ConnectRefused)}, TLSExpired, FaultTLS, config, "two faults: the certificate at the edge", "origin team"},
		{"the same expired certificate on both", Query{Edge: *leg(TLSExpired), Origin: leg(TLSExpired)}, TLSExpired, FaultTLS, config, "the same certificate", "timedatectl"},
		{"no handshake with either", Query{Edge: *leg(TLSHandshake), Origin: leg(TLSHandshake)}, TLSHandshake, FaultTLS, config, "asks for what neither offers", "the cause in the evidence"},
		{"timeout, origin quick", Query{Edge: *leg(Timeout), Origin: leg("")}, Timeout, FaultOriginLink, config, "time is lost in ESA", "Wait longer"},
		{"timeout of both", Query{Edge: *leg(Timeout), Origin: leg(Timeout)}, Timeout, FaultOrigin, originTeam, "too slow or hangs", "what it waits for"},
		{"wrong page, origin right", Query{Edge: *leg(BodyMismatch), Origin: leg("")}, BodyMismatch, FaultContent, config, "old copy", "Purge"},
		{"wrong page of the origin's", Query{Edge: *leg(BodyMismatch), Origin: leg(BodyMismatch)}, BodyMismatch, FaultContent, originTeam, "same wrong answer", "Leave ESA alone"},
		{"204 in place of 200", Query{Edge: Leg{Condition: UnexpectedStatus, StatusCode: 204}}, UnexpectedStatus, FaultContent, originTeam, "", "what it answers"},
		{"302 in place of 200", Query{Edge: Leg{Condition: UnexpectedStatus, StatusCode: 302}}, UnexpectedStatus, FaultContent, originTeam, "", "where it leads"},
		{"challenge", Query{Edge: *leg(Challenge), Origin: leg("")}, Challenge, FaultSecurity, config, "only ESA's protection", "browser"},
		{"a slow origin does answer", Query{Edge: *leg("522"), Origin: &Leg{Condition: Slow, StatusCode: 200, Duration: time.Second}}, "522", FaultOriginLink, originTeam, "200 in 1000 ms", "Origin Protection"},
		{"origin could not be asked", Query{Edge: *leg("522"), Origin: leg(InternalError)}, "522", FaultOriginLink, originTeam, "", "Connect from outside"},
		{"only the origin could not be asked", Query{Origin: leg(InternalError)}, InternalError, FaultClient, probe, "", "evidence"},
		{"522, origin up with a certificate of its own", Query{Edge: *leg("522"), Origin: leg(TLSUntrusted)}, "522", FaultOriginLink, originTeam, "most likely because its firewall", "Origin Protection"},
		{"520, origin up with a certificate of its own", Query{Edge: *leg("520"), Origin: leg(TLSExpired)}, "520", FaultOrigin, originTeam, "the origin is up", "its certificate is not looked at"},
		{"502, origin up with a certificate of its own", Query{Edge: *leg("502"), Origin: leg(TLSWrongHost)}, "502", FaultOriginLink, originTeam, "the origin is up", "its certificate is not looked at"},
		{"timeout, origin up with a certificate of its own", Query{Edge: *leg(Timeout), Origin: leg(TLSUntrusted)}, Timeout, FaultOrigin, originTeam, "the origin is up", "its certificate is not looked at"},
		{"two certificates", Query{Edge: *leg(TLSWrongHost), Origin: leg(TLSUntrusted)}, TLSWrongHost, FaultTLS, config, "two certificates", "openssl"},
		{"fresh page, origin's certificate is its own", Query{Origin: leg(TLSUntrusted), CacheStatus: "MISS"}, OriginDown, FaultTLS, originTeam, "only if ESA verifies it too", "Read the origin's certificate"},
		{"fresh page, origin fails here", Query{Origin: leg("500"), CacheStatus: "MISS"}, OriginDown, FaultOrigin, originTeam, "one of several origin servers", "what the origin says"},
		{"fresh page, origin refuses the agent", Query{Origin: leg("403"), CacheStatus: "MISS"}, OriginDown, FaultOrigin, probe, "admits only ESA", "admit this agent"},
		{"525, origin well over plain HTTP", Query{Edge: *leg("525"), Origin: leg(""), URL: "https://a.example/", OriginURL: "http://a.example/"}, "525", FaultTLS, config, "speaks only HTTP", "origin protocol and port"},
		{"526, origin well over plain HTTP", Query{Edge: *leg("526"), Origin: leg(""), URL: "https://a.example/", OriginURL: "http://a.example/"}, "526", FaultTLS, originTeam, "was not looked at from here", "openssl"},
		{"undocumented code", Query{Edge: *leg("527"), Origin: leg("")}, "527", FaultOriginLink, config, "origin answers directly", "Ask the origin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, ok := Default().Explain(tt.q)
			if !ok {
				t.Fatal("got nothing wrong")
			}
			if d.Condition != tt.condition || d.Fault != tt.fault || d.Owner != tt.owner {
				t.Errorf("got %s, fault %s, owner %s; want %s, %s, %s", d.Condition, d.Fault, d.Owner, tt.condition, tt.fault, tt.owner)
			}
			if !strings.Contains(d.Verdict, tt.verdict) || (tt.verdict == "") != (d.Verdict == "") {
				t.Errorf("verdict: got %q, want %q", d.Verdict, tt.verdict)
			}
			if !strings.Contains(d.Steps[0], tt.first) {
				t.Errorf("first step: got %q, want %q", d.Steps[0], tt.first)
			}
		})
	}
	if _, ok := Default().Explain(Query{Origin: leg("")}); ok {
		t.Error("both well: got a diagnosis")
	}
	if _, ok := Default().Explain(Query{ErrorToken: "bot", ProxyStatus: "esa; error=x", CacheStatus: "STALE"}); ok {
		t.Error("edge well with alarming headers: got a diagnosis")
	}
}

func TestEvidenceIsSaid(t *testing.T) {
	for _, tt := range []struct {
		q    Query
		want string
	}{
		{Query{Edge: *leg("403"), ErrorToken: "http_bot"}, "names the security module behind this answer: http_bot."},
		{Query{Edge: *leg("502"), CacheStatus: "HIT", Age: "598"}, "kept this error in its cache (HIT, age 598 s)"},
		{Query{Edge: *leg("502"), CacheStatus: "HIT", Age: "-1; rm"}, "kept this error in its cache (HIT, age unknown)"},
		{Query{Edge: *leg("525"), ProxyStatus: `ESA; detail=x;error="tls_protocol_error"`}, "ESA itself made this answer and gives the reason: tls_protocol_error."},
		{Query{Edge: *leg(JSONMismatch), CacheStatus: "HIT"}, "served this from its cache"},
	} {
		if d, _ := Default().Explain(tt.q); !strings.Contains(d.Summary, tt.want) {
			t.Errorf("summary: got %q, want %q", d.Summary, tt.want)
		}
	}
	const noSign = "The answer carries no sign of ESA"
	for _, tt := range []struct {
		q    Query
		want bool
	}{
		{Query{Edge: *leg("522"), ViaESA: "no"}, true},
		{Query{Edge: *leg("527"), ViaESA: "no"}, true},
		{Query{Edge: *leg("599"), ViaESA: "no"}, true},
		{Query{Edge: *leg(Challenge), ViaESA: "no"}, true},
		{Query{Edge: *leg(WaitingRoom), ViaESA: "no"}, true},
		{Query{Edge: *leg("522"), ViaESA: "possible"}, false},
		{Query{Edge: *leg("522"), ViaESA: "yes"}, false},
		{Query{Edge: *leg("522")}, false},
		{Query{Edge: *leg("522"), ViaESA: "no", ProxyStatus: "esa; error=connection_timeout"}, false},
		{Query{Edge: *leg("502"), ViaESA: "no"}, true},
		{Query{Edge: *leg("403"), ViaESA: "no"}, true},
		{Query{Edge: *leg("403"), ViaESA: "yes"}, false},
		{Query{Edge: *leg(BodyMismatch), ViaESA: "no"}, false},
		{Query{Edge: *leg(ConnectRefused), ViaESA: "no"}, false},
	} {
		if d, _ := Default().Explain(tt.q); strings.Contains(d.Summary, noSign) != tt.want {
			t.Errorf("%s, via ESA %q: got %q", tt.q.Edge.Condition, tt.q.ViaESA, d.Summary)
		}
	}
	d, _ := Default().Explain(Query{Edge: *leg("404"), ErrorToken: "intelligent_cc_acl"})
	if strings.Contains(d.Summary, "intelligent_cc_acl") {
		t.Errorf("a rule that only observes is blamed: %s", d.Summary)
	}
}

// TestErrorOfTheOrigin holds that what an origin's server or application made is
// not looked for at ESA, nor in the firewall between them.
func TestErrorOfTheOrigin(t *testing.T) {
	const here = "the marks of a web server"
	for _, tt := range []struct {
		edge   Condition
		origin *Leg
		cache  string
		says   string // in the summary or in the verdict
		first  string // in the first step
	}{
		{"502", nil, "", "ESA only passes it on", "in the origin's logs"},
		{"503", nil, "MISS", "ESA only passes it on", "in the origin's logs"},
		{"429", nil, "", "ESA only passes it on", "in the origin's logs"},
		{"502", nil, "HIT", "kept this error in its cache", "cached copy"},
		{"502", leg(""), "", "another server of the pool fails", "in the logs of all servers"},
		{"504", leg(""), "MISS", "another server of the pool fails", "in the logs of all servers"},
		{"502", leg(""), "HIT", "cached copy of an earlier error", "cached copy"},
		{"403", leg(""), "", "refuses what comes through ESA", "in the origin's logs"},
		{"502", leg(ConnectTimeout), "", "it admits only ESA", "Leave the firewall alone"},
		{"502", leg(TLSUntrusted), "", "ESA only passes it on", "in the origin's logs"},
		{"502", leg(ConnectTimeout), "HIT", "most likely it is down", "cached copy"},
		{"502", leg(TLSUntrusted), "HIT", "stays open", "cached copy"},
		{"502", leg(DNSFailure), "", "does not resolve from here", "Compare `origin.address`"},
		{"405", leg(""), "", "refuses what comes through ESA", "in the origin's logs"},
		{"403", leg(ConnectRefused), "", "ESA only passes it on", "in the origin's logs"},
		{"429", leg(TLSExpired), "", "ESA only passes it on", "in the origin's logs"},
		{"508", leg(""), "", "the circle is in ESA's settings", "Set the origin"},
		{"504", leg(Timeout), "", "too slow or hangs", "see what it waits for"},
		{"502", leg("502"), "", "gives the same answer", "Leave ESA alone"},
	} {
		d, _ := Default().Explain(Query{Edge: *leg(tt.edge), Origin: tt.origin, CacheStatus: tt.cache, OriginMade: true})
		if !strings.Contains(d.Summary+d.Verdict, tt.says) || !strings.Contains(d.Steps[0], tt.first) {
			t.Errorf("%s, origin %+v, %q: got %q, %q, %q; want %q and %q", tt.edge, tt.origin, tt.cache, d.Summary, d.Verdict, d.Steps[0], tt.says, tt.first)
		}
		if tt.cache == "HIT" && strings.Contains(d.Summary+d.Verdict, here) {
			t.Errorf("%s, origin %+v: a cached error is taken for one of now: %q, %q", tt.edge, tt.origin, d.Summary, d.Verdict)
		}
		if tt.cache != "HIT" && tt.edge != "508" && (tt.origin == nil || tt.origin.Condition != DNSFailure) && d.Fault != FaultOrigin {
			t.Errorf("%s, origin %+v: the fault is %s", tt.edge, tt.origin, d.Fault)
		}
	}
	for name, q := range map[string]Query{
		"not behind ESA": {ViaESA: "no"},
		"redirected":     {RedirectedFrom: "https://shop.example.com/"},
		"a 404":          {Edge: *leg("404")},
	} {
		q.OriginMade = true
		if q.Edge.Condition == "" {
			q.Edge = *leg("502")
		}
		for _, origin := range []*Leg{nil, leg("")} {
			q.Origin = origin
			if d, _ := Default().Explain(q); strings.Contains(d.Summary+d.Verdict, here) {
				t.Errorf("%s, origin %v: %q, %q", name, origin, d.Summary, d.Verdict)
			}
		}
	}
}

// TestPassedOnWithoutOrigin holds that an error which ESA only passes on is said
// to be one once, and that nobody is sent to the firewall for it.
func TestPassedOnWithoutOrigin(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		for _, code := range []Condition{"500", "502", "503", "504"} {
			d, _ := Default().Explain(Query{Edge: *leg(code), OriginMade: true, Lang: lang})
			for _, said := range []string{"passes it on", "转发"} {
				if n := strings.Count(d.Summary, said); n > 1 {
					t.Errorf("%s in %s: %q stands there %d times: %s", code, lang, said, n, d.Summary)
				}
			}
			if steps := strings.Join(d.Steps, " "); strings.Contains(steps, "firewall") || strings.Contains(steps, "防火墙") {
				t.Errorf("%s in %s: the origin was reached, and yet: %s", code, lang, steps)
			}
			if strings.Contains(d.Summary, "Either ESA") || strings.Contains(d.Summary, "rule in ESA") || strings.Contains(d.Summary, "ESA 上的") {
				t.Errorf("%s in %s: it is left open who made it: %s", code, lang, d.Summary)
			}
			if d.Owner == "" || d.Fault != FaultOrigin {
				t.Errorf("%s in %s: got fault %s of %q, want the origin's", code, lang, d.Fault, d.Owner)
			}
		}
	}
}

func TestEdgeError(t *testing.T) {
	for _, tt := range []struct{ header, want string }{
		{"", ""},
		{"esa", ""},
		{"esa; error=tls_protocol_error; detail=os_error", "tls_protocol_error"},
		{"nginx; error=dns_error, ESA;error=connection_refused", "connection_refused"},
		{"nginx; error=dns_error", ""},
		{"esa; detail=error=no", ""},
		{";;;,,=;esa;error", ""},
		{"esa;error=", ""},
	} {
		if got := edgeError(tt.header); got != tt.want {
			t.Errorf("edgeError(%q) = %q, want %q", tt.header, got, tt.want)
		}
	}
}

func TestFactsInCommands(t *testing.T) {
	for _, tt := range []struct {
		name string
		q    Query
		want string
	}{
		{"all known", known, "`curl -skv -m 20 -o /dev/null --connect-to ::203.0.113.10:8443 'https://shop.example.com/api/login?x=1&y=2'`"},
		{"nothing known", Query{}, "`curl -skv -m 20 -o /dev/null --connect-to ::ORIGIN_IP:443 https://HOST/`"},
		{"origin of a plain check", Query{URL: "http://a.example/"}, "--connect-to ::ORIGIN_IP:80 http://a.example/`"},
		{"origin of a check on a port", Query{URL: "http://a.example:18080/"}, "--connect-to ::ORIGIN_IP:18080 http://a.example:18080/`"},
		{"origin asked in plain", Query{URL: "https://a.example/", OriginURL: "http://a.example/"}, "--connect-to ::ORIGIN_IP:80 http://a.example/`"},
		{"plain origin with no port", Query{URL: "https://a.example/", OriginURL: "http://a.example/", OriginAddr: "192.0.2.1"}, "--connect-to ::192.0.2.1:80 http://a.example/`"},
		{"IPv6 origin with no port", Query{URL: "https://a.example/", OriginAddr: "2001:db8::1"}, "--connect-to ::'[2001:db8::1]:443' https://a.example/`"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := tt.q
			q.Edge = *leg("522")
			d, _ := Default().Explain(q)
			if !strings.Contains(d.Steps[0], tt.want) {
				t.Errorf("got %q, want %q", d.Steps[0], tt.want)
			}
		})
	}
	d, _ := Default().Explain(Query{Edge: *leg(TLSExpired), URL: "https://[2001:db8::2]:8443/"})
	if want := "-connect '[2001:db8::2]:8443' -servername 2001:db8::2 "; !strings.Contains(d.Steps[0], want) {
		t.Errorf("got %q, want %q", d.Steps[0], want)
	}
}

func BenchmarkExplain(b *testing.B) {
	q := known
	q.Edge, q.Origin = *leg("522"), leg("")
	for b.Loop() {
		if _, ok := Default().Explain(q); !ok {
			b.Fatal("nothing wrong")
		}
	}
}

func TestHiddenOutageOutranksWhatOnlyDegrades(t *testing.T) {
	down := &Leg{Condition: ConnectRefused, Duration: time.Millisecond}
	for edge, want := range map[Condition]Condition{
		"": OriginDown, Slow: OriginDown, TLSExpiring: OriginDown,
		Stale: Stale, BodyMismatch: BodyMismatch, "521": "521",
	} {
		d, _ := Default().Explain(Query{Edge: Leg{Condition: edge, StatusCode: 200}, Origin: down})
		if d.Condition != want {
			t.Errorf("edge %q, origin refusing: %q, want %q", edge, d.Condition, want)
		}
	}
	for _, origin := range []Condition{"", Slow, Timeout} {
		if d, _ := Default().Explain(Query{Edge: Leg{Condition: Slow, StatusCode: 200}, Origin: &Leg{Condition: origin}}); d.Condition != Slow {
			t.Errorf("edge slow, origin %q: %q, want slow", origin, d.Condition)
		}
	}
}

// TestRedirectIsSaid holds that what else the evidence says leaves the redirect in.
func TestRedirectIsSaid(t *testing.T) {
	for _, q := range []Query{
		{Edge: Leg{Condition: UnexpectedStatus, StatusCode: 204}},
		{Edge: *leg("404"), ErrorToken: "http_custom"},
		{Edge: *leg("404")},
	} {
		q.URL, q.RedirectedFrom = "https://b.example/", "https://a.example/"
		d, _ := Default().Explain(q)
		if !strings.Contains(d.Summary, "https://a.example/ answered, with a redirect") || strings.Contains(d.Summary, "It is no redirect") {
			t.Errorf("%s: %s", q.Edge.Condition, d.Summary)
		}
	}
}
