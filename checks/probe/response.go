package probe

import (
	"cmp"
	"net/http"
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// Response is everything that one request showed. A failure is an observation
// and lies in Condition; there is no error to return beside it.
type Response struct {
	StartedAt time.Time
	Duration  time.Duration // from start to the last byte that was read, redirects included

	// Condition names what kept a whole answer from coming, "" when one came.
	Condition catalog.Condition
	// Detail is the cause in plain words ("read tcp: connection reset by peer"),
	// bounded, printable and free of secrets. "" when Condition is.
	Detail string
	// Phase is the phase in which Condition struck: "resolve", "connect", "tls",
	// "processing" or "transfer". "" when Condition is.
	Phase string
	// Notes are further findings about Condition, one "label: value" each,
	// such as the dates and names of a certificate that was refused.
	Notes []string

	URL         string // the URL asked last, after redirects, without its user info
	StatusCode  int    // 0 with no answer
	Header      http.Header
	HTTPVersion string // "1.0" "1.1" "2.0" "3.0"; "" with no answer
	RemoteAddr  string // address and port dialled last; "" when nothing was
	Elsewhere   bool   // a redirect led to another host or port (not just to https), whose answer or failure this is
	Redirects   int    // redirects followed
	LedAway     bool   // the answer is a redirect that was not followed because of Request.StayPinned
	// CNAMEs are the aliases that the name dialled last led to, in their order;
	// nil when there are none, or when the name was not looked up in DNS.
	CNAMEs []string

	Body          []byte // decoded, at most Request.MaxBodyBytes
	BodyTruncated bool   // there was more, which was left unread on purpose

	Phases Phases
	TLS    *TLSState // nil on plain HTTP, and before there was a certificate
	Edge   Edge

	asked   string // URL with its secrets, where a redirect led to it
	secrets redactor
}

// AskedURL is URL as it was asked, its secrets included: to be judged, not shown.
func (r *Response) AskedURL() string { return cmp.Or(r.asked, r.URL) }

// Redact takes out of text that came from the server, such as an excerpt of the
// body, the secrets that the request carried: a server may echo them.
func (r *Response) Redact(text string) string { return r.secrets.clean(text) }

// Excerpt is the body from byte start to byte end, redacted. It is somewhat longer
// where it would cut a secret. From and to are its bounds.
func (r *Response) Excerpt(start, end int) (text string, from, to int) {
	from, to = r.secrets.whole(r.Body, start, end)
	text = r.Redact(string(r.Body[from:to]))
	if r.BodyTruncated && to == len(r.Body) {
		text = r.secrets.withoutBeginning(text)
	}
	return text, from, to
}

// Phases is how long each part of a request took, summed over redirects. A
// phase that did not happen is 0. They never add up to more than the whole.
type Phases struct {
	Resolve    time.Duration // name to address
	Connect    time.Duration // TCP, or QUIC with its TLS
	TLS        time.Duration
	Processing time.Duration // connection ready to first byte of the answer, sending the request included
	Transfer   time.Duration // first byte to last
}

// TLSState is what the handshake showed. It is kept when the handshake failed
// because of the certificate.
type TLSState struct {
	Version     string // "TLS 1.3"; "" when the handshake failed
	Cipher      string
	NotBefore   time.Time // of the leaf
	NotAfter    time.Time // the earliest in the presented chain
	ValidUntil  time.Time // when trust in it ends, whatever else is presented
	EndsWith    string    // what ends then: "intermediate certificate CN=R11", "" for the leaf
	Issuer      string
	Subject     string
	DNSNames    []string
	Fingerprint string // SHA-256 of the leaf, lower-case hex
}

// Edge is what the answer's headers say of the edge that served it. Every
// value is bounded and printable; "" means that the edge did not say.
type Edge struct {
	ViaESA      string `json:"via_esa"`      // "yes", "possible" or "no"
	RequestID   string `json:"request_id"`   // EagleId
	NodeIP      string `json:"node_ip"`      // the serving node, decoded from EagleId
	POP         string `json:"pop"`          // of the node nearest to us, from Via
	CacheStatus string `json:"cache_status"` // HIT, MISS, EXPIRED, BYPASS, DYNAMIC, STALE, …
	ErrorToken  string `json:"error_token"`  // from X-Tengine-Error, without "denied by "
	ProxyStatus string `json:"proxy_status"` // RFC 9209, as sent
}
