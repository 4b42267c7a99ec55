package edgetest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Behaviour is what an edge does with a request. The zero value is Healthy.
type Behaviour struct {
	name  string
	serve func(e *Edge, w http.ResponseWriter, r *http.Request, v visit) // nil: ask the origin
}

// String names the behaviour, for logs and test messages.
func (b Behaviour) String() string {
	if b.name == "" {
		return "healthy"
	}
	return b.name
}

// always answers every request alike.
func always(name string, a answer) Behaviour {
	return Behaviour{name, func(e *Edge, w http.ResponseWriter, r *http.Request, v visit) {
		e.send(w, r, v, a)
	}}
}

// Healthy passes requests on to the origin and its answers back. When the
// origin does not give one, the edge answers as ESA does: 521 when it refuses,
// 520 when it breaks off, 524 when it does not answer in time.
func Healthy() Behaviour { return Behaviour{} }

// Status answers any status from 200 to 599 in its usual shape: 520-599 are
// the edge's own and empty, 403 is the page of its firewall, redirects lead to
// /status/200, and the rest looks like an origin's.
func Status(code int) Behaviour {
	name := fmt.Sprintf("status %d", code)
	switch {
	case code < 200 || code > 599:
		panic(fmt.Sprintf("edgetest: status %d is not between 200 and 599", code))
	case code == http.StatusForbidden:
		return Blocked()
	case code == 582:
		return always(name, answer{status: code, cache: cacheMiss, body: "582 Version retrieval failed", media: "text/plain"})
	case code >= 520:
		return always(name, answer{status: code, cache: cacheMiss})
	}
	a := answer{status: code, cache: cacheDynamic, body: nginxPage(code)}
	switch code {
	case 200:
		a.body = shopPage
	case 301, 302, 303, 307, 308:
		a.header = map[string]string{"Location": "/status/200"}
	case 401:
		a.header = map[string]string{"Www-Authenticate": `Basic realm="shop"`}
	case 405:
		a.header = map[string]string{"Allow": "GET, HEAD"}
	case 407:
		a.header = map[string]string{"Proxy-Authenticate": `Basic realm="proxy"`}
	case 429, 503:
		a.header = map[string]string{"Retry-After": "1"}
	}
	return always(name, a)
}

// Blocked refuses with the firewall's page, as a deny rule does.
func Blocked() Behaviour { return denied("http_custom") }

// RateLimited refuses with the firewall's page, as a rate limit does.
func RateLimited() Behaviour { return denied("http_ratelimit") }

func denied(module string) Behaviour {
	return Behaviour{"denied by " + module, func(e *Edge, w http.ResponseWriter, r *http.Request, v visit) {
		e.send(w, r, v, answer{
			status: http.StatusForbidden, cache: cacheBypass,
			header: map[string]string{"X-Tengine-Error": "denied by " + module},
			body:   fmt.Sprintf(blockedPage, v.requestID, "20034871"),
		})
	}}
}

// Challenge puts the slider page in place of the site's. ESA has been seen to
// send it with 200 as well as with 403.
func Challenge(status int) Behaviour {
	return Behaviour{fmt.Sprintf("challenge %d", status), func(e *Edge, w http.ResponseWriter, r *http.Request, v visit) {
		e.send(w, r, v, answer{
			status: status, cache: cacheBypass,
			header: map[string]string{"X-Tengine-Error": "denied by http_custom", "Cache-Control": "no-store"},
			body:   fmt.Sprintf(sliderPage, v.requestID),
		})
	}}
}

// JSChallenge answers 200 with a page that only a browser gets past: its script
// sets the cookie acw_sc__v2 and loads the page again.
func JSChallenge() Behaviour {
	return always("js challenge", answer{
		status: http.StatusOK, cache: cacheBypass,
		header: map[string]string{"Cache-Control": "no-store"},
		body:   scriptPage,
	})
}

// WaitingRoom makes visitors queue. The site's owner chooses 200, 202 or 429;
// who asks for JSON gets it.
func WaitingRoom(status int) Behaviour {
	return Behaviour{fmt.Sprintf("waiting room %d", status), func(e *Edge, w http.ResponseWriter, r *http.Request, v visit) {
		a := answer{
			status: status, cache: cacheBypass,
			header: map[string]string{
				"Cache-Control": "no-store",
				"Set-Cookie":    "__aliwaitingroom_shop=" + v.requestID + ";path=/;HttpOnly",
			},
			body: waitingPage,
		}
		if strings.Contains(r.Header.Get("Accept"), "application/json") {
			a.body, a.media = waitingJSON, "application/json"
		}
		e.send(w, r, v, a)
	}}
}

// SlowOrigin asks the origin as Healthy does, but the answer comes d late; when
// that is past Options.ReadTimeout, 524 comes in its place. The origin itself
// stays quick: for one that is slow when asked directly too, see OriginSlow.
func SlowOrigin(d time.Duration) Behaviour {
	return Behaviour{fmt.Sprintf("slow origin (%s)", d), func(e *Edge, w http.ResponseWriter, r *http.Request, v visit) {
		if !pause(r, min(d, e.opts.ReadTimeout)) {
			panic(http.ErrAbortHandler)
		}
		if d >= e.opts.ReadTimeout {
			e.send(w, r, v, answer{status: 524, cache: cacheMiss})
			return
		}
		e.forward(w, r, v)
	}}
}

// ConnectTimeout answers 522 after Options.ConnectTimeout, as when a firewall
// before the origin drops what comes from ESA. The origin is well when asked directly.
func ConnectTimeout() Behaviour {
	return Behaviour{"connect timeout", func(e *Edge, w http.ResponseWriter, r *http.Request, v visit) {
		if !pause(r, e.opts.ConnectTimeout) {
			panic(http.ErrAbortHandler)
		}
		e.send(w, r, v, answer{status: 522, cache: cacheMiss})
	}}
}

// FunctionError is an edge function that failed: 581-584, 594-596, 598 or 599.
func FunctionError(code int) Behaviour {
	b := Status(code)
	b.name = fmt.Sprintf("function error %d", code)
	return b
}

// ProxyStatusTLS answers 525 with the Proxy-Status header that ESA has been
// seen to send with it.
func ProxyStatusTLS() Behaviour {
	return always("525 with proxy-status", answer{
		status: 525, cache: cacheMiss,
		header: map[string]string{"Proxy-Status": "esa; error=tls_protocol_error; detail=os_error"},
	})
}

// OriginStatus relays an error page that the origin made, whatever the origin
// itself is set to.
func OriginStatus(code int) Behaviour {
	return always(fmt.Sprintf("origin status %d", code), answer{
		status: code, cache: cacheDynamic,
		header: map[string]string{"X-Powered-By": "PHP/8.3.14"},
		body:   nginxPage(code),
	})
}

// CachedError answers an error that the origin made age ago and the edge still
// keeps: a rule caches the status.
func CachedError(code int, age time.Duration) Behaviour {
	return always(fmt.Sprintf("cached error %d", code),
		answer{status: code, cache: cacheHit, age: age, body: nginxPage(code)})
}

// StaleCopy answers well, from a copy that has run out: what visitors get while
// the origin fails.
func StaleCopy() Behaviour {
	return always("stale copy", answer{status: http.StatusOK, cache: cacheStale, age: 2 * time.Hour, body: shopPage})
}

// NotESA has the origin answer with no trace of ESA, as when the name points past it.
func NotESA() Behaviour {
	return Behaviour{"not esa", func(e *Edge, w http.ResponseWriter, r *http.Request, _ visit) {
		e.origin.serve(w, r)
	}}
}
