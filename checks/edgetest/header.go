package edgetest

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The values of X-Site-Cache-Status that the edge sends.
const (
	cacheHit     = "HIT"
	cacheMiss    = "MISS"
	cacheStale   = "STALE"
	cacheDynamic = "DYNAMIC" // not cacheable by the site's rules
	cacheBypass  = "BYPASS"
)

// visit is one request on its way through the edge.
type visit struct {
	started   time.Time
	requestID string // the EagleId
}

func (e *Edge) visit() visit {
	now := time.Now()
	return visit{started: now, requestID: e.eagleID(now)}
}

// eagleID makes a request id as ESA does: the node's IPv4 address in hex, the
// time in milliseconds, and a tail that tells requests of one millisecond apart.
func (e *Edge) eagleID(now time.Time) string {
	ip := e.opts.NodeIP.As4()
	tail := e.requests.Load() % 10_000
	return fmt.Sprintf("%08x%013d%04de", binary.BigEndian.Uint32(ip[:]), now.UnixMilli(), tail)
}

// stamp puts ESA's headers on an answer in place of what the origin said of
// itself. They tell that the answer passed ESA, not that ESA made it.
func (e *Edge) stamp(h http.Header, r *http.Request, v visit, status int, cache string) {
	h.Set("Server", "ESA")
	h.Set("Via", e.via(v, status, cache))
	h.Set("X-Site-Cache-Status", cache)
	h.Set("Timing-Allow-Origin", "*")
	// ESA writes it so; Set would make it Eagleid.
	h.Del("EagleId")
	h["EagleId"] = []string{v.requestID}
	// It is set on ordinary pages too, to clients that do not have it yet.
	if _, err := r.Cookie("acw_tc"); err != nil {
		h.Add("Set-Cookie", "acw_tc="+v.requestID+"5a1b7c9d3e;path=/;HttpOnly;Max-Age=3600")
	}
}

// via lists the nodes that an answer passed, the one nearest to the origin
// first. An answer from the cache passed only the last.
func (e *Edge) via(v visit, status int, cache string) string {
	ms := time.Since(v.started).Milliseconds()
	last := fmt.Sprintf("ens-cache14.%s[%d,0]", e.opts.POP, ms)
	switch {
	case cache == cacheHit || cache == cacheStale || cache == cacheBypass:
		return last
	case status >= 400:
		return fmt.Sprintf("ens-cache17.l2%s[%d,%d,%d-0,M], %s", e.opts.POP, ms, ms, status, last)
	default:
		return fmt.Sprintf("ens-cache17.l2%s[%d,%d,DP], ens-cache14.%s[%d,0,DP], %s", e.opts.POP, ms, ms, e.opts.POP, ms, last)
	}
}

// answer is what the edge says by itself, without asking the origin.
type answer struct {
	status int
	cache  string
	age    time.Duration     // sent when cache is HIT or STALE
	header map[string]string // further headers
	body   string            // a page; "" for the bare answer of a 52x
	media  string            // of the body; "" = HTML
}

func (e *Edge) send(w http.ResponseWriter, r *http.Request, v visit, a answer) {
	h := w.Header()
	e.stamp(h, r, v, a.status, a.cache)
	if a.cache == cacheHit || a.cache == cacheStale {
		h.Set("Age", strconv.Itoa(int(a.age.Seconds())))
	}
	for name, value := range a.header {
		h.Add(name, value)
	}
	switch {
	case a.body == "":
		writeBody(w, r, a.status, "")
	case a.media != "":
		h.Set("Content-Type", a.media)
		writeBody(w, r, a.status, a.body)
	default:
		writePage(w, r, a.status, a.body)
	}
}
