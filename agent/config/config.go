// Package config turns configuration files into validated values: everything
// that is wrong is said at once, each with its file and line, and what comes
// out is complete, so that no later step has to know of a default.
//
// The struct tags are the schema. `yaml` names a key, `rule` names what a value
// has to be (see rules.go), `doc` says what it is for (see jsonschema.go, which
// gives all of it to editors). A field of type Secret has two keys, X and X_file.
package config

import (
	"net"
	"time"
)

// Config is a whole configuration, loaded and validated. It is never changed
// once Load has returned it.
type Config struct {
	Agent       Agent             `yaml:"agent" doc:"this process as a whole"`
	Web         Web               `yaml:"web" doc:"the status page, the metrics and the API"`
	Log         Log               `yaml:"log" doc:"what is logged, and how"`
	Defaults    Settings          `yaml:"defaults" doc:"what every check begins with; a site may set the same, a check has the last word"`
	Sites       []Site            `yaml:"sites" doc:"what is watched"`
	Cluster     Cluster           `yaml:"cluster" doc:"several agents, one verdict: what they share, on NATS JetStream"`
	Alerting    Alerting          `yaml:"alerting" doc:"when it is told"`
	Receivers   []Receiver        `yaml:"receivers" doc:"who is told"`
	Maintenance []Maintenance     `yaml:"maintenance" doc:"when nothing is told"`
	Catalog     []CatalogOverride `yaml:"catalog" doc:"your own words on top of the built-in catalog of conditions"`

	// Paths are the files and directories that it was loaded from: those that
	// Load was given, or the one of DefaultPaths that it took.
	Paths []string `yaml:"-"`
	// Files are the files that were read, in order.
	Files []string `yaml:"-"`
	// Unread are the files that have been left out, and look as if they were meant:
	// the *.yml of a directory, but for those that the configuration names.
	Unread []string `yaml:"-"`
	// Hash is the SHA-256 of what was loaded, in lower-case hex. It changes
	// with every byte of the files, and with the overrides of the environment
	// that are no secrets.
	Hash string `yaml:"-"`

	sources *sources
}

// WithoutSites is c with neither its sites nor the text of its files: what is of
// use once the sites are built. Its Where knows no place.
func (c *Config) WithoutSites() *Config {
	rest := *c
	rest.Sites, rest.sources = nil, nil
	return &rest
}

// Agent is about this process as a whole.
type Agent struct {
	// Location is where this agent probes from. Load sets it to the host name
	// when it is not configured.
	Location string `yaml:"location" rule:"name?" doc:"where this agent probes from, a label of every metric and alert; empty = the host name"`
	// LocationFromHost is set by Load when the location is not configured.
	LocationFromHost    bool          `yaml:"-"`
	DataDir             string        `yaml:"data_dir" rule:"text" doc:"where incidents, queued notifications and silences are kept; relative to the working directory"`
	MaxConcurrentChecks int           `yaml:"max_concurrent_checks" rule:"int:1-100000" doc:"how many checks run at once; more than this wait for their turn"`
	UserAgent           string        `yaml:"user_agent" rule:"line" doc:"the User-Agent of every request; empty = esawatch/VERSION"`
	ShutdownTimeout     time.Duration `yaml:"shutdown_timeout" rule:"positive" doc:"how long what still runs may take when the process is told to stop"`
	Canaries            []string      `yaml:"canaries" rule:"url" doc:"URLs that fail only if this machine's own network does; while all fail, alerts are held back"`
	HeartbeatURL        string        `yaml:"heartbeat_url" rule:"url?" doc:"asked each minute while all is well here: a dead man's switch; empty = none"`
}

// Web is the agent's own HTTP server.
type Web struct {
	Listen string `yaml:"listen" rule:"listen" doc:"HOST:PORT of the status page, the metrics and the API; :9522 = on every address"`
	// ExternalURL is used in links. Load derives it from Listen when it is not
	// configured. It has no trailing slash.
	ExternalURL string `yaml:"external_url" rule:"url?" doc:"how people reach it, for links in messages; empty = http://LISTEN, with this machine's name where that is every address"`
	// ExternalFromListen is set by Load when the URL is not configured.
	ExternalFromListen bool   `yaml:"-"`
	ConfigFile         string `yaml:"config_file" rule:"file?" doc:"TLS and passwords, a Prometheus exporter-toolkit file; empty = neither"`
	HealthListen       string `yaml:"health_listen" rule:"listen?" doc:"HOST:PORT where /-/healthy and /-/ready are served too, without authentication; empty = nowhere"`
}

// LocalURL is how a program on this machine reaches the server: a listener on
// every address is on loopback too, whatever the machine's name leads to.
func (w *Web) LocalURL() string {
	if !w.ExternalFromListen {
		return w.ExternalURL
	}
	return w.listenURL("127.0.0.1") // [::] takes IPv4 too, and ::1 is missing where IPv6 is switched off
}

// listenURL is the URL of Listen, with everywhere as its host where that is every
// address.
func (w *Web) listenURL(everywhere string) string {
	host, port, err := net.SplitHostPort(w.Listen)
	if err != nil {
		return "" // it was refused
	}
	switch host {
	case "", "0.0.0.0", "::":
		host = everywhere
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Log is what is logged, and how.
type Log struct {
	Level  string `yaml:"level" rule:"enum:debug|info|warn|error" doc:"how much is logged: debug has every result, info the changes of state"`
	Format string `yaml:"format" rule:"enum:text|json" doc:"how a line is written"`
}

// Alerting says when an incident is told.
type Alerting struct {
	GroupWait      time.Duration `yaml:"group_wait" doc:"from an incident's opening to its first notification, for its other checks to join"`
	GroupInterval  time.Duration `yaml:"group_interval" doc:"at least this between notifications of one incident"`
	RepeatInterval time.Duration `yaml:"repeat_interval" doc:"a reminder while an incident goes on; 0s = never"`
	Storm          Storm         `yaml:"storm" doc:"more incidents at once than this come as one digest"`
	Flapping       Flapping      `yaml:"flapping" doc:"a check that changes more often than this is told once, as flapping"`
}

// Storm is when a receiver gets one digest in place of each incident: more than
// Incidents within Window. Incidents 0 = never.
type Storm struct {
	Incidents int           `yaml:"incidents" rule:"int:0-1000000" doc:"more than this many within the window are a storm; 0 = never"`
	Window    time.Duration `yaml:"window" rule:"positive" doc:"the time in which they are counted"`
}

// Flapping is when a check is told as flapping: more than Changes of its state
// within Window. Changes 0 = never.
type Flapping struct {
	Changes int           `yaml:"changes" rule:"int:0-1000000" doc:"more changes of state than this within the window are flapping; 0 = never"`
	Window  time.Duration `yaml:"window" rule:"positive" doc:"the time in which they are counted"`
}
