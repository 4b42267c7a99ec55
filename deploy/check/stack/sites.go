package stack

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The sites that every agent of a stack watches. Each begins as its name here
// says, and Set changes what it does.
const (
	Healthy   = "shop"    // https with an origin, two checks; all is well
	Broken    = "blog"    // the edge answers 522, its origin answers 200
	Down      = "wiki"    // the edge answers 521, its origin refuses connections
	Degraded  = "docs"    // a stale copy from the edge, whose origin fails
	Slow      = "search"  // slower than its max_duration
	Expiring  = "pay"     // https, the certificate ends in five days
	Expired   = "legacy"  // https, the certificate ended yesterday
	Challenge = "members" // a challenge page with status 200
	Bypassing = "intra"   // answers, but not through ESA, which its check expects
)

// Behaviour is how a simulated site answers.
type Behaviour http.HandlerFunc

// Answers is the site's page, as a cache at the edge or the origin has it.
func Answers() Behaviour {
	return func(w http.ResponseWriter, _ *http.Request) {
		stamp(w.Header(), "HIT")
		_, _ = io.WriteString(w, "<h1>Welcome</h1>")
	}
}

// Status is an error that the edge makes: the bare status.
func Status(code int) Behaviour {
	return func(w http.ResponseWriter, _ *http.Request) {
		stamp(w.Header(), "MISS")
		w.WriteHeader(code)
	}
}

// Failing is an origin that fails by itself.
func Failing() Behaviour {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "nginx")
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// Stale is a copy that the edge serves because its origin does not answer.
func Stale() Behaviour {
	return func(w http.ResponseWriter, _ *http.Request) {
		stamp(w.Header(), "STALE")
		w.Header().Set("Age", "3600")
		_, _ = io.WriteString(w, "<h1>Welcome</h1>")
	}
}

// After answers as b does, d later.
func After(d time.Duration, b Behaviour) Behaviour {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			b(w, r)
		case <-r.Context().Done():
		}
	}
}

// Challenged is ESA's slider page in place of the site's, with status 200.
func Challenged() Behaviour {
	return func(w http.ResponseWriter, _ *http.Request) {
		stamp(w.Header(), "DYNAMIC")
		w.Header().Set("X-Tengine-Error", "denied by http_custom")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<html><head><title>滑动验证页面</title><script>window.CF_APP_WAF = {};</script></head>`+
			`<body><div id="aliyunCaptcha"></div></body></html>`)
	}
}

// Elsewhere is the site's page from a server that is not ESA.
func Elsewhere() Behaviour {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "nginx")
		_, _ = io.WriteString(w, "<h1>Welcome</h1>")
	}
}

// Aborts closes the connection in place of an answer.
func Aborts() Behaviour {
	return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
}

// pops are the names that the simulated edge nodes have, in turn.
var pops = [...]string{"de7", "sg7", "hk21"}

var requests atomic.Uint64

// stamp sets the headers by which ESA tells of itself.
func stamp(h http.Header, cache string) {
	n := requests.Add(1)
	pop := pops[n%uint64(len(pops))]
	node := [4]byte{198, 51, 100, byte(20 + n%uint64(len(pops)))}
	h.Set("Server", "ESA")
	h.Set("Via", fmt.Sprintf("ens-cache14.%s[3,0]", pop))
	h.Set("X-Site-Cache-Status", cache)
	h["EagleId"] = []string{fmt.Sprintf("%08x%013d%04de", binary.BigEndian.Uint32(node[:]), time.Now().UnixMilli(), n%10_000)}
}

// Site is one simulated site.
type Site struct {
	Name   string
	URL    string // of its edge
	Origin string // the origin's address; "" = it has none

	behaviour atomic.Pointer[Behaviour]
}

// Set changes what the site answers from now on.
func (s *Site) Set(b Behaviour) { s.behaviour.Store(&b) }

// Site is one of the simulated sites, by its name.
func (s *Stack) Site(name string) *Site { return s.sites[name] }

// Canary is what the agents take for proof that they have a network.
func (s *Stack) Canary() *Site { return s.canary }

// startSites starts the simulated edge of every site, and the origins.
func (s *Stack) startSites(t testing.TB, ca *authority) {
	t.Helper()
	const day = 24 * time.Hour
	good := startSite(t, "origin", Elsewhere(), nil).address()
	bad := startSite(t, "origin", Failing(), nil).address()
	refusing := freeAddress(t) // nobody listens
	s.canary = startSite(t, "canary", Elsewhere(), nil)
	s.sites = make(map[string]*Site)
	for _, site := range []struct {
		name      string
		behaviour Behaviour
		validFor  time.Duration // of the certificate; 0 = plain HTTP
		origin    string
	}{
		{Healthy, After(5*time.Millisecond, Answers()), 80 * day, good},
		{Broken, Status(522), 0, good},
		{Down, Status(521), 0, refusing},
		{Degraded, Stale(), 0, bad},
		{Slow, After(150*time.Millisecond, Answers()), 0, good},
		{Expiring, Answers(), 5 * day, ""},
		{Expired, Answers(), -day, ""},
		{Challenge, Challenged(), 0, ""},
		{Bypassing, Elsewhere(), 0, ""},
	} {
		var config *tls.Config
		if site.validFor != 0 {
			config = &tls.Config{Certificates: []tls.Certificate{ca.issue(t, site.validFor)}}
		}
		s.sites[site.name] = startSite(t, site.name, site.behaviour, config)
		s.sites[site.name].Origin = site.origin
	}
}

// startSite serves a site until the end of the test, over TLS if there is a
// configuration for it.
func startSite(t testing.TB, name string, b Behaviour, config *tls.Config) *Site {
	t.Helper()
	site := &Site{Name: name}
	site.Set(b)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*site.behaviour.Load())(w, r)
	}))
	// An expired certificate makes every handshake fail, on purpose.
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if config != nil {
		server.TLS = config
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	site.URL = server.URL
	return site
}

// address is host:port of the site.
func (s *Site) address() string {
	_, address, _ := strings.Cut(s.URL, "://")
	return address
}
