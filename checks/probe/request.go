package probe

import (
	"net/http"
	"time"
)

// Request says what to ask and how. The zero value of each field is its default.
type Request struct {
	URL    string // absolute, http or https
	Method string // GET
	// Header is sent as it is; a Host in it replaces the URL's and also sets the
	// name that TLS asks for.
	Header    http.Header
	Body      []byte
	UserAgent string // esawatch

	Timeout time.Duration // of the whole, redirects and body included; 10 s
	// ConnectTo is the HOST:PORT to dial in place of the URL's, with Host and
	// SNI kept, as curl's --connect-to does. Redirects to the same host and port stay pinned.
	ConnectTo   string
	ProxyURL    string // http, https or socks5; "" = none, the environment is not asked
	IPFamily    string // "any", "4" or "6"
	HTTPVersion string // "auto", "1.1", "2" or "3"

	NoRedirects  bool  // take a redirect as the answer
	StayPinned   bool  // take one that leads away from ConnectTo as the answer
	MaxRedirects int   // 10
	Reuse        bool  // keep the connection for the next run
	MaxBodyBytes int64 // after decompression; what is beyond is not read; 1 MiB

	TLS  TLSOptions
	Auth Auth
}

// TLSOptions are the settings of the handshake.
type TLSOptions struct {
	CAFile             string // PEM; "" = the system's
	CertFile, KeyFile  string // PEM, for mutual TLS; read again when they change
	ServerName         string // SNI and the name to verify; "" = the host's
	MinVersion         string // "1.0" to "1.3"; "" = Go's default
	InsecureSkipVerify bool

	systemToo bool // the system's authorities count beside CAFile
}

// Secret gives a secret's present value. It is asked at each run, so that a
// file which was replaced counts at once; it must be quick and safe for
// concurrent use.
type Secret func() (string, error)

// Auth is at most one way to authenticate. It goes only to the host it is meant
// for: a redirect elsewhere does not carry it.
type Auth struct {
	BasicUser     string
	BasicPassword Secret // nil = no basic authentication
	Bearer        Secret // nil = none
	OAuth2        *OAuth2
}

// OAuth2 is the client credentials grant.
type OAuth2 struct {
	TokenURL     string
	ClientID     string
	ClientSecret Secret
	Scopes       []string
}
