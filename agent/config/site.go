package config

import (
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// Site is one website. Its Settings are the defaults with the site's own on top.
type Site struct {
	Name     string  `yaml:"name" rule:"name"`
	URL      string  `yaml:"url" rule:"base_url"`
	Origin   *Origin `yaml:"origin"` // nil = no origin leg
	Settings `yaml:",inline"`
	// Checks are at least one: a site that lists none has "home", of path "/".
	Checks []Check `yaml:"checks"`

	Pos Pos `yaml:"-"`
}

// Path is where the site stands in the configuration, "sites[shop]".
func (s Site) Path() string { return "sites[" + s.Name + "]" }

// Origin is the server behind the edge, which is asked the same at the same time.
type Origin struct {
	Address            string `yaml:"address" rule:"hostport"`        // HOST:PORT
	Scheme             string `yaml:"scheme" rule:"enum?:http|https"` // "" = the check's URL's
	Host               string `yaml:"host" rule:"host?"`              // the Host header; "" = the check's
	ServerName         string `yaml:"server_name" rule:"host?"`       // SNI and the name to verify; "" = as Host
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify"`
}

// Check is one scheduled request. Its Settings are complete: built-in defaults,
// then `defaults`, then the site's, then its own.
type Check struct {
	Name string `yaml:"name" rule:"name"`
	Path string `yaml:"path" rule:"path"` // "" when the check has its own url
	// URL is absolute and final: the site's joined with Path, or the check's own.
	URL      string `yaml:"url" rule:"url"`
	Settings `yaml:",inline"`

	Site string `yaml:"-"` // the site's name
	Pos  Pos    `yaml:"-"`
}

// FullName is SITE/CHECK.
func (c Check) FullName() string { return c.Site + "/" + c.Name }

// ConfigPath is where the check stands in the configuration,
// "sites[shop].checks[login]".
func (c Check) ConfigPath() string { return "sites[" + c.Site + "].checks[" + c.Name + "]" }

// Settings is everything of a check that `defaults` and a site may set too.
type Settings struct {
	// Schedule is a duration ("30s") or a cron line; ParseSchedule reads it.
	Schedule     string           `yaml:"schedule" rule:"schedule"`
	Timeout      time.Duration    `yaml:"timeout" rule:"positive"`
	Confirm      Confirm          `yaml:"confirm"`
	ResolveAfter int              `yaml:"resolve_after" rule:"int:1-1000"`
	Severity     catalog.Severity `yaml:"severity" rule:"enum?:info|warning|critical"` // "" = the catalog entry's

	Method          string            `yaml:"method" rule:"method"`
	Headers         map[string]string `yaml:"headers" rule:"line" key:"header"` // keys are canonical
	Body            string            `yaml:"body"`
	BodyFile        string            `yaml:"body_file" rule:"file?"` // at most one of Body and BodyFile is set
	Auth            *Auth             `yaml:"auth"`                   // nil = none
	TLS             TLS               `yaml:"tls"`
	ConnectTo       string            `yaml:"connect_to" rule:"hostport?"`
	ProxyURL        string            `yaml:"proxy_url" rule:"proxy_url?"`
	IPFamily        string            `yaml:"ip_family" rule:"enum:any|4|6"`
	HTTPVersion     string            `yaml:"http_version" rule:"enum:auto|1.1|2|3"`
	FollowRedirects bool              `yaml:"follow_redirects"`
	MaxRedirects    int               `yaml:"max_redirects" rule:"int:1-100"`
	Connection      string            `yaml:"connection" rule:"enum:fresh|reuse"`
	MaxBodyBytes    int64             `yaml:"max_body_bytes" rule:"bytes"` // after decompression

	Expect Expect `yaml:"expect"`

	Labels     map[string]string `yaml:"labels" rule:"line" key:"label"`
	Receivers  []string          `yaml:"receivers" rule:"receiver"` // empty: every receiver whose match fits
	RunbookURL string            `yaml:"runbook_url" rule:"url?"`
	Enabled    bool              `yaml:"enabled"`
}

// Confirm is how a failure is made sure of.
type Confirm struct {
	Failures int           `yaml:"failures" rule:"int:1-1000"` // in a row, the first included
	Interval time.Duration `yaml:"interval" rule:"positive"`   // between them
}

// Auth is exactly one way to authenticate.
type Auth struct {
	Basic  *Basic  `yaml:"basic"`
	Bearer *Bearer `yaml:"bearer"`
	OAuth2 *OAuth2 `yaml:"oauth2"`
}

// Basic is HTTP basic authentication.
type Basic struct {
	Username string `yaml:"username" rule:"line"`
	Password Secret `yaml:"password"`
}

// Bearer is a token in the Authorization header.
type Bearer struct {
	Token Secret `yaml:"token"`
}

// OAuth2 is the client credentials grant.
type OAuth2 struct {
	TokenURL     string   `yaml:"token_url" rule:"url"`
	ClientID     string   `yaml:"client_id" rule:"text"`
	ClientSecret Secret   `yaml:"client_secret"`
	Scopes       []string `yaml:"scopes" rule:"text"`
}

// TLS is how the handshake is done and judged.
type TLS struct {
	CAFile             string `yaml:"ca_file" rule:"file?"`   // PEM; "" = the system's
	CertFile           string `yaml:"cert_file" rule:"file?"` // PEM; for mutual TLS, with KeyFile
	KeyFile            string `yaml:"key_file" rule:"file?"`
	ServerName         string `yaml:"server_name" rule:"host?"` // "" = the host's
	MinVersion         string `yaml:"min_version" rule:"enum?:1.0|1.1|1.2|1.3"`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify"`
}

// Expect is what the answer has to be.
type Expect struct {
	Status          []string          `yaml:"status" rule:"status"` // "200", "2xx", "400-404"; never empty
	BodyContains    []string          `yaml:"body_contains" rule:"text"`
	BodyNotContains []string          `yaml:"body_not_contains" rule:"text"`
	BodyMatches     []string          `yaml:"body_matches" rule:"regexp"` // RE2
	BodyNotMatches  []string          `yaml:"body_not_matches" rule:"regexp"`
	Headers         map[string]string `yaml:"headers" rule:"regexp" key:"header"`
	// JSON is JSONPath -> value: nil, bool, int64, float64, string, []any, map[string]any.
	JSON         map[string]any `yaml:"json" key:"jsonpath"`
	Expr         []string       `yaml:"expr" rule:"expr"`
	MaxDuration  time.Duration  `yaml:"max_duration"`   // 0 = no limit
	CertValidFor time.Duration  `yaml:"cert_valid_for"` // 0 = not looked at
	ViaESA       string         `yaml:"via_esa" rule:"enum:any|true|false"`
	Challenge    string         `yaml:"challenge" rule:"enum:fail|allow"`
}
