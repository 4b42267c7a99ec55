package config

import (
	"fmt"
	"time"
)

// defaultTree is every built-in default that is not the zero value.
func defaultTree() map[string]any {
	return map[string]any{
		"agent": map[string]any{
			"data_dir":              "./data",
			"max_concurrent_checks": 128,
			"shutdown_timeout":      20 * time.Second,
		},
		"web":      map[string]any{"listen": "127.0.0.1:9522"},
		"log":      map[string]any{"level": "info", "format": "text"},
		"defaults": defaultSettings(),
		"cluster": map[string]any{
			"bucket":      "esawatch",
			"replicas":    3,
			"quorum":      "majority",
			"stale_after": 3,
			"alone_after": time.Minute,
		},
		"alerting": map[string]any{
			"group_wait":      5 * time.Second,
			"group_interval":  time.Minute,
			"repeat_interval": 4 * time.Hour,
			"storm":           map[string]any{"incidents": 10, "window": time.Minute},
			"flapping":        map[string]any{"changes": 6, "window": 30 * time.Minute},
		},
	}
}

func defaultSettings() map[string]any {
	return map[string]any{
		"schedule":         "30s",
		"timeout":          10 * time.Second,
		"confirm":          map[string]any{"failures": 3, "interval": 5 * time.Second},
		"resolve_after":    2,
		"method":           "GET",
		"ip_family":        "any",
		"http_version":     "auto",
		"follow_redirects": true,
		"max_redirects":    10,
		"connection":       "fresh",
		"max_body_bytes":   int64(1 << 20),
		"expect": map[string]any{
			"status":         []any{"2xx"},
			"cert_valid_for": 14 * 24 * time.Hour,
			"via_esa":        "any",
			"challenge":      "fail",
		},
		"enabled": true,
	}
}

func defaultReceiver() map[string]any {
	return map[string]any{
		"send_resolved": true,
		"lang":          "en",
	}
}

// defaultKinds are the defaults of the receiver kinds, which count only for the
// kind that is given.
func defaultKinds() map[string]map[string]any {
	return map[string]map[string]any{
		"slack": {"api_url": "https://slack.com/api/"},
		"email": {"require_tls": true},
	}
}

// Default is the configuration with no file at all: no sites, no receivers.
func Default() (*Config, error) {
	l := newLoader(Options{Environ: []string{}})
	var c Config
	if err := l.fill(defaultTree(), &c); err != nil {
		return nil, fmt.Errorf("defaults: %w", err)
	}
	l.finishAgent(&c)
	return &c, nil
}

// DefaultCheck is a check of a URL with the built-in defaults, for when there
// is no configuration.
func DefaultCheck(url string) (Check, error) {
	if _, p := checkURL(url, "http", "https"); p != nil {
		return Check{}, p
	}
	c, err := Default()
	if err != nil {
		return Check{}, err
	}
	return Check{Name: "probe", Site: "probe", URL: url, Settings: c.Defaults}, nil
}
