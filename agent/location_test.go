package agent

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/esawatch/esawatch/agent/config"
)

// TestLocationStaysUntilARestart: a reload must not leave one half of the
// program at the old location and the other at the new one.
func TestLocationStaysUntilARestart(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	write := func(location string) {
		t.Helper()
		text := fmt.Sprintf("agent: {location: %s, data_dir: %q}\nweb: {listen: 127.0.0.1:0}\nsites: [{name: shop, url: http://shop.invalid}]\n",
			location, filepath.Join(dir, "data"))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	var log lockedBuffer
	a, err := New(t.Context(), Options{
		Load: func() (*config.Config, error) {
			return config.Load([]string{file}, config.Options{Environ: []string{}})
		},
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()

	write("two")
	for range 2 {
		if err := a.Reload(); err != nil {
			t.Fatal(err)
		}
		for _, c := range a.current().Checks {
			if c.Location != "one" {
				t.Errorf("check %s is at %q, want one", c.FullName(), c.Location)
			}
		}
	}
	write("one")
	if err := a.Reload(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "path=agent.location"); n != 2 {
		t.Errorf("the log warns %d times of agent.location, want at each of the two reloads that differ:\n%s", n, log.String())
	}

	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := a.Reload(); err != errStopped {
		t.Errorf("reload after the end: %v, want %v", err, errStopped)
	}
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestLocationOfSeveralIsSet: of agents that judge together, one whose location
// nobody has set says so; it is no location that others could share.
func TestLocationOfSeveralIsSet(t *testing.T) {
	for name, c := range map[string]struct {
		agent, cluster string
		warns          bool
	}{
		"of several, the host's":    {"", "cluster: {urls: ['nats://127.0.0.1:1']}\n", true},
		"of several, set":           {"location: fra-1, ", "cluster: {urls: ['nats://127.0.0.1:1']}\n", false},
		"of the only one, the host": {"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "config.yaml")
			text := fmt.Sprintf("agent: {%sdata_dir: %q}\nweb: {listen: 127.0.0.1:0}\n%ssites: [{name: shop, url: http://shop.invalid}]\n",
				c.agent, filepath.Join(dir, "data"), c.cluster)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var log lockedBuffer
			a, err := New(t.Context(), Options{
				Load: func() (*config.Config, error) {
					return config.Load([]string{file}, config.Options{Environ: []string{}})
				},
				Log: slog.New(slog.NewTextHandler(&log, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if err := a.Run(ended); err != nil {
				t.Error(err)
			}
			if warned := strings.Contains(log.String(), "agent.location is not set"); warned != c.warns {
				t.Errorf("it warns: %v, want %v\n%s", warned, c.warns, log.String())
			}
		})
	}
}
