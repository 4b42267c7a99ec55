package assert

import (
	"strings"
	"time"

	"github.com/esawatch/esawatch/checks/probe"
)

// exprEnv is what an expression can ask for. Names and units are those of a
// result in JSON; status and phases are short for status_code and phases_seconds.
type exprEnv struct {
	Status          int               `expr:"status"`
	StatusCode      int               `expr:"status_code"`
	URL             string            `expr:"url"`
	HTTPVersion     string            `expr:"http_version"`
	RemoteAddress   string            `expr:"remote_address"`
	Redirects       int               `expr:"redirects"`
	DurationSeconds float64           `expr:"duration_seconds"`
	Phases          exprPhases        `expr:"phases"`
	PhasesSeconds   exprPhases        `expr:"phases_seconds"`
	Headers         map[string]string `expr:"headers"` // "Content-Type" -> values, joined by ", "
	Body            string            `expr:"body"`
	BodyBytes       int               `expr:"body_bytes"`
	JSON            any               `expr:"json"`
	TLS             exprTLS           `expr:"tls"` // empty on plain HTTP
	Edge            exprEdge          `expr:"edge"`
}

type exprPhases struct {
	Resolve    float64 `expr:"resolve"`
	Connect    float64 `expr:"connect"`
	TLS        float64 `expr:"tls"`
	Processing float64 `expr:"processing"`
	Transfer   float64 `expr:"transfer"`
}

type exprTLS struct {
	Version     string    `expr:"version"`
	Cipher      string    `expr:"cipher"`
	NotBefore   time.Time `expr:"not_before"`
	NotAfter    time.Time `expr:"not_after"`
	Issuer      string    `expr:"issuer"`
	Subject     string    `expr:"subject"`
	DNSNames    []string  `expr:"dns_names"`
	Fingerprint string    `expr:"fingerprint"`
}

type exprEdge struct {
	ViaESA      string `expr:"via_esa"`
	RequestID   string `expr:"request_id"`
	NodeIP      string `expr:"node_ip"`
	POP         string `expr:"pop"`
	CacheStatus string `expr:"cache_status"`
	ErrorToken  string `expr:"error_token"`
	ProxyStatus string `expr:"proxy_status"`
}

// newExprEnv is a response as expressions see it; what costs something is only
// there when it is used.
func newExprEnv(r *probe.Response, uses exprUse) exprEnv {
	env := exprEnv{
		Status:          r.StatusCode,
		StatusCode:      r.StatusCode,
		URL:             r.AskedURL(),
		HTTPVersion:     r.HTTPVersion,
		RemoteAddress:   r.RemoteAddr,
		Redirects:       r.Redirects,
		DurationSeconds: r.Duration.Seconds(),
		Phases: exprPhases{r.Phases.Resolve.Seconds(), r.Phases.Connect.Seconds(), r.Phases.TLS.Seconds(),
			r.Phases.Processing.Seconds(), r.Phases.Transfer.Seconds()},
		BodyBytes: len(r.Body),
		Edge:      exprEdge(r.Edge),
	}
	env.PhasesSeconds = env.Phases
	if uses.body {
		env.Body = string(r.Body)
	}
	if uses.headers {
		env.Headers = make(map[string]string, len(r.Header))
		for name, values := range r.Header {
			env.Headers[name] = strings.Join(values, ", ")
		}
	}
	if t := r.TLS; t != nil {
		env.TLS = exprTLS{t.Version, t.Cipher, t.NotBefore, t.NotAfter, t.Issuer, t.Subject, t.DNSNames, t.Fingerprint}
	}
	return env
}
