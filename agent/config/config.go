// Package config turns configuration files into validated values: everything
// that is wrong is said at once, each with its file and line, and what comes
// out is complete, so that no later step has to know of a default.
//
// The struct tags are the schema. `yaml` names a key, `rule` names what a value
// has to be (see rules.go). A field of type Secret has two keys, X and X_file.
package config

import "time"

// Config is a whole configuration, loaded and validated. It is never changed
// once Load has returned it.
type Config struct {
	Agent       Agent             `yaml:"agent"`
	Web         Web               `yaml:"web"`
	Log         Log               `yaml:"log"`
	Defaults    Settings          `yaml:"defaults"`
	Sites       []Site            `yaml:"sites"`
	Alerting    Alerting          `yaml:"alerting"`
	Receivers   []Receiver        `yaml:"receivers"`
	Maintenance []Maintenance     `yaml:"maintenance"`
	Catalog     []CatalogOverride `yaml:"catalog"`

	// Files are the files that were read, in order.
	Files []string `yaml:"-"`
	// Hash is the SHA-256 of what was loaded, in lower-case hex. It changes
	// with every byte of the files, and with the overrides of the environment
	// that are no secrets.
	Hash string `yaml:"-"`

	sources *sources
}

// Agent is about this process as a whole.
type Agent struct {
	// Location is where this agent probes from. Load sets it to the host name
	// when it is not configured.
	Location            string        `yaml:"location" rule:"name?"`
	DataDir             string        `yaml:"data_dir" rule:"text"` // relative to the working directory
	MaxConcurrentChecks int           `yaml:"max_concurrent_checks" rule:"int:1-100000"`
	UserAgent           string        `yaml:"user_agent" rule:"line"` // "" = esawatch/VERSION
	ShutdownTimeout     time.Duration `yaml:"shutdown_timeout" rule:"positive"`
	Canaries            []string      `yaml:"canaries" rule:"url"`
	HeartbeatURL        string        `yaml:"heartbeat_url" rule:"url?"` // "" = none
}

// Web is the agent's own HTTP server.
type Web struct {
	Listen string `yaml:"listen" rule:"listen"`
	// ExternalURL is used in links. Load derives it from Listen when it is not
	// configured. It has no trailing slash.
	ExternalURL  string `yaml:"external_url" rule:"url?"`
	ConfigFile   string `yaml:"config_file" rule:"file?"`     // of the exporter-toolkit; "" = no TLS, no authentication
	HealthListen string `yaml:"health_listen" rule:"listen?"` // "" = none
}

// Log is what is logged, and how.
type Log struct {
	Level  string `yaml:"level" rule:"enum:debug|info|warn|error"`
	Format string `yaml:"format" rule:"enum:text|json"`
}

// Alerting says when an incident is told.
type Alerting struct {
	GroupWait      time.Duration `yaml:"group_wait"`
	GroupInterval  time.Duration `yaml:"group_interval"`
	RepeatInterval time.Duration `yaml:"repeat_interval"` // 0 = never
	Storm          Storm         `yaml:"storm"`
	Flapping       Flapping      `yaml:"flapping"`
}

// Storm is when a receiver gets one digest in place of each incident: more than
// Incidents within Window. Incidents 0 = never.
type Storm struct {
	Incidents int           `yaml:"incidents" rule:"int:0-1000000"`
	Window    time.Duration `yaml:"window" rule:"positive"`
}

// Flapping is when a check is told as flapping: more than Changes of its state
// within Window. Changes 0 = never.
type Flapping struct {
	Changes int           `yaml:"changes" rule:"int:0-1000000"`
	Window  time.Duration `yaml:"window" rule:"positive"`
}
