package config

import (
	"time"

	"github.com/esawatch/esawatch/checks/catalog"
)

// Site is one website. Its Settings are the defaults with the site's own on top.
type Site struct {
	Name     string  `yaml:"name" rule:"name" doc:"its name in metrics, messages and links: 1 to 63 of A-Z a-z 0-9 . _ -"`
	URL      string  `yaml:"url" rule:"base_url" doc:"the address as visitors use it, through ESA; no query"`
	Origin   *Origin `yaml:"origin" doc:"the server behind ESA, asked the same at the same moment: tells whose fault it is"` // nil = no origin leg
	Settings `yaml:",inline"`
	// Checks are at least one: a site that lists none has "home", of the site's url itself.
	Checks []Check `yaml:"checks" doc:"the requests that are made; none = one, home, of the url itself"`

	Pos Pos `yaml:"-"`
}

// Path is where the site stands in the configuration, "sites[shop]".
func (s Site) Path() string { return "sites[" + s.Name + "]" }

// Origin is the server behind the edge, which is asked the same at the same time.
type Origin struct {
	Address            string `yaml:"address" rule:"hostport" doc:"HOST:PORT of the origin"`
	Scheme             string `yaml:"scheme" rule:"enum?:http|https" doc:"how it is asked; empty = as the check's URL"`
	Host               string `yaml:"host" rule:"host?" doc:"the Host header; empty = as the check's URL"`
	ServerName         string `yaml:"server_name" rule:"host?" doc:"the name asked for and verified in TLS; empty = as host"`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify" doc:"true takes any certificate, as ESA does by default"`
}

// Check is one scheduled request. Its Settings are complete: built-in defaults,
// then `defaults`, then the site's, then its own.
type Check struct {
	Name string `yaml:"name" rule:"name" doc:"its name in metrics, messages and links: 1 to 63 of A-Z a-z 0-9 . _ -"`
	Path string `yaml:"path" rule:"path?" doc:"the path behind the site's url, with a query if need be; empty = the url itself"`
	// URL is absolute and final: the site's, joined with Path if there is one, or the
	// check's own.
	URL      string `yaml:"url" rule:"page_url" doc:"an address of its own, in place of the site's url and path"`
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
	Schedule     string           `yaml:"schedule" rule:"schedule" doc:"when it runs: a duration, or a cron line of five fields, in UTC unless CRON_TZ=Zone stands before it"`
	Timeout      time.Duration    `yaml:"timeout" rule:"positive" doc:"how long the whole request may take, redirects and body included; at most the schedule"`
	Confirm      Confirm          `yaml:"confirm" doc:"how a failure is made sure of before anybody is told"`
	ResolveAfter int              `yaml:"resolve_after" rule:"int:1-1000" doc:"passes in a row that end an alert"`
	Quorum       Quorum           `yaml:"quorum" rule:"quorum?" doc:"how many locations must see a failure, where several agents judge: majority, all or a number; empty = the cluster's"`
	Severity     catalog.Severity `yaml:"severity" rule:"enum?:info|warning|critical" doc:"the severity of its alerts; empty = what the catalog says of the condition"`

	Method          string            `yaml:"method" rule:"method" doc:"the method of the request, in upper case"`
	Headers         map[string]string `yaml:"headers" rule:"line" key:"header" doc:"the headers of the request: name to value"` // keys are canonical
	Body            string            `yaml:"body" doc:"the body of the request, sent as it is"`
	BodyFile        string            `yaml:"body_file" rule:"file?" doc:"a file that holds the body of the request"`            // at most one of Body and BodyFile is set
	Auth            *Auth             `yaml:"auth" doc:"how the request authenticates, one of the three; left out = not at all"` // nil = none
	TLS             TLS               `yaml:"tls" doc:"how the handshake is done and judged"`
	ConnectTo       string            `yaml:"connect_to" rule:"hostport?" doc:"HOST:PORT to dial in place of the URL's, as curl --connect-to; Host and SNI stay"`
	ProxyURL        string            `yaml:"proxy_url" rule:"proxy_url?" doc:"the proxy to go through, http://, https:// or socks5://; empty = none, the environment is not asked"`
	IPFamily        string            `yaml:"ip_family" rule:"enum:any|4|6" doc:"the addresses to use; any = both, the first to answer"`
	HTTPVersion     string            `yaml:"http_version" rule:"enum:auto|1.1|2|3" doc:"the version of HTTP; auto = 2 where the server offers it, else 1.1"`
	FollowRedirects bool              `yaml:"follow_redirects" doc:"whether a redirect is followed"`
	MaxRedirects    int               `yaml:"max_redirects" rule:"int:1-100" doc:"more than this many are the condition redirect_loop"`
	Connection      string            `yaml:"connection" rule:"enum:fresh|reuse" doc:"fresh = DNS, TCP and TLS each time, reuse = the connection of the run before"`
	MaxBodyBytes    int64             `yaml:"max_body_bytes" rule:"bytes" doc:"how much of the answer is read, after decompression; what is beyond is no failure"`

	Expect Expect `yaml:"expect" doc:"what the answer has to be"`

	Labels     map[string]string `yaml:"labels" rule:"line" key:"label" doc:"labels that go with every alert, for matching and routing; a check's come on top of its site's"`
	Receivers  []string          `yaml:"receivers" rule:"receiver" doc:"names of those who are told, whatever their match; empty = every receiver whose match fits"`
	RunbookURL string            `yaml:"runbook_url" rule:"url?" doc:"your own page, linked in every alert"`
	Enabled    bool              `yaml:"enabled" doc:"false keeps it here and does not run it"`
}

// Confirm is how a failure is made sure of.
type Confirm struct {
	Failures int           `yaml:"failures" rule:"int:1-1000" doc:"alert at this many in a row, whatever their conditions; 1 = at once"`
	Interval time.Duration `yaml:"interval" rule:"positive" doc:"after a failure, look again this soon"`
}

// Auth is exactly one way to authenticate.
type Auth struct {
	Basic  *Basic  `yaml:"basic" doc:"HTTP basic authentication"`
	Bearer *Bearer `yaml:"bearer" doc:"a token in the Authorization header"`
	OAuth2 *OAuth2 `yaml:"oauth2" doc:"the client credentials grant of OAuth 2"`
}

// Basic is HTTP basic authentication.
type Basic struct {
	Username string `yaml:"username" rule:"line" doc:"the user"`
	Password Secret `yaml:"password" doc:"the password"`
}

// Bearer is a token in the Authorization header.
type Bearer struct {
	Token Secret `yaml:"token" doc:"the token"`
}

// OAuth2 is the client credentials grant.
type OAuth2 struct {
	TokenURL     string   `yaml:"token_url" rule:"url" doc:"where a token is asked for"`
	ClientID     string   `yaml:"client_id" rule:"text" doc:"the client"`
	ClientSecret Secret   `yaml:"client_secret" doc:"the client's secret"`
	Scopes       []string `yaml:"scopes" rule:"text" doc:"what is asked for"`
}

// TLS is how the handshake is done and judged.
type TLS struct {
	CAFile             string `yaml:"ca_file" rule:"file?" doc:"PEM of the authorities to trust; empty = the system's"`
	CertFile           string `yaml:"cert_file" rule:"file?" doc:"PEM of a client certificate, for mutual TLS; with key_file"`
	KeyFile            string `yaml:"key_file" rule:"file?" doc:"PEM of the client certificate's key"`
	ServerName         string `yaml:"server_name" rule:"host?" doc:"the name asked for and verified; empty = the URL's host"`
	MinVersion         string `yaml:"min_version" rule:"enum?:1.0|1.1|1.2|1.3" doc:"the oldest version to speak; empty = 1.2"`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify" doc:"true takes any certificate"`
}

// Expect is what the answer has to be.
type Expect struct {
	Status          []string          `yaml:"status" rule:"status" doc:"codes, classes and ranges that pass: [200, 204, 3xx, 400-404]"` // never empty
	BodyContains    []string          `yaml:"body_contains" rule:"text" doc:"texts, each of which has to be in the body"`
	BodyNotContains []string          `yaml:"body_not_contains" rule:"text" doc:"texts, none of which may be in the body"`
	BodyMatches     []string          `yaml:"body_matches" rule:"regexp" doc:"regular expressions (RE2), each of which has to match the body"`
	BodyNotMatches  []string          `yaml:"body_not_matches" rule:"regexp" doc:"regular expressions (RE2), none of which may match the body"`
	Headers         map[string]string `yaml:"headers" rule:"regexp" key:"header" doc:"headers of the answer: name to a regular expression (RE2) that has to match"`
	// JSON is JSONPath -> value: nil, bool, int64, float64, string, []any, map[string]any.
	JSON         map[string]any `yaml:"json" key:"jsonpath" doc:"values in a JSON body: JSONPath (RFC 9535) to what is there"`
	Expr         []string       `yaml:"expr" rule:"expr" doc:"expressions over the whole result that have to be true"`
	MaxDuration  time.Duration  `yaml:"max_duration" doc:"slower than this is degraded, condition slow; 0s = no limit"`
	CertValidFor time.Duration  `yaml:"cert_valid_for" doc:"a certificate that ends sooner is degraded, condition tls_expiring; 0s = not looked at"`
	ViaESA       string         `yaml:"via_esa" rule:"enum:any|true|false" doc:"the way the answer came; true = it has to come through ESA, else condition not_via_esa"`
	Challenge    string         `yaml:"challenge" rule:"enum:fail|allow" doc:"what a WAF challenge or waiting room in place of the page is"`
}
