package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/store/boltstore"
	"github.com/esawatch/esawatch/checks/edgetest"
)

// house is a real agent in a folder of its own, watching a simulated edge.
type house struct {
	*Agent
	t      testing.TB
	folder string
	edge   *edgetest.Edge
	log    lockedBuffer
	screen lockedBuffer
	stop   func() error // ends Run and is its error; can be called again
}

// quick are settings under which an incident opens and ends within a second.
const quick = `defaults: {schedule: 1s, timeout: 500ms, confirm: {failures: 2, interval: 100ms}, resolve_after: 1}
alerting: {group_wait: 100ms, group_interval: 100ms}
receivers: [{name: screen, console: {}}]
`

// newHouse writes a configuration; start makes an agent of it.
func newHouse(t testing.TB, text string) *house {
	t.Helper()
	h := &house{t: t, folder: t.TempDir()}
	var err error
	if h.edge, err = edgetest.New(edgetest.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.edge.Close)
	h.write(text)
	return h
}

// write replaces the configuration; EDGE in it is the edge's URL.
func (h *house) write(text string) {
	h.t.Helper()
	text = fmt.Sprintf("agent: {location: fra-1, data_dir: %q}\nweb: {listen: 127.0.0.1:0}\n", filepath.Join(h.folder, "data")) +
		strings.ReplaceAll(text, "EDGE", h.edge.URL())
	writeFile(h.t, filepath.Join(h.folder, "config.yaml"), text)
}

func (h *house) options() Options {
	return Options{
		Load: func() (*config.Config, error) {
			return config.Load([]string{filepath.Join(h.folder, "config.yaml")}, config.Options{Environ: []string{}})
		},
		Version: "1.2.3", Console: &h.screen,
		Log: slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// start runs an agent until the test ends or stop is called.
func (h *house) start() {
	h.t.Helper()
	a, err := New(h.t.Context(), h.options())
	if err != nil {
		h.t.Fatal(err)
	}
	h.Agent = a
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	h.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	h.t.Cleanup(func() { _ = h.stop() })
}

// get is a page of the agent.
func (h *house) get(path string) (status int, body string) {
	h.t.Helper()
	resp, err := http.Get("http://" + h.Addr().String() + path)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// until waits for something to come true, and fails the test if it does not.
func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("waited in vain for %s; logged:\n%s", what, h.log.String())
		}
	}
}

func (h *house) shown(text string) func() bool {
	return func() bool { return strings.Contains(h.screen.String(), text) }
}

// TestIncidentFromBeginningToEnd goes the whole way: what breaks is told, is on
// the pages, and is told again when it is over.
func TestIncidentFromBeginningToEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t, quick+"sites: [{name: shop, url: EDGE}]\n")
	h.edge.Set(edgetest.Status(522))
	h.start()
	h.until("the alert", h.shown("522 Connection timed out"))
	_, text := h.get("/metrics")
	for _, want := range [][]string{
		{"probe_success{", `site="shop"`, `check="home"`, `location="fra-1"`, "} 0\n"},
		{"esawatch_incident_open{", `condition="522"`, `fault="origin_link"`, `severity="critical"`, `site="shop"`, "} 1\n"},
		{"esawatch_config_last_reload_successful 1\n"},
		{"esawatch_build_info{", `version="1.2.3"`},
		{"esawatch_config_hash_info{", h.current().Config.Hash},
		{"esawatch_catalog_info{", `condition="522"`, `fault="origin_link"`, `remediation="1. `},
	} {
		if !anyHas(slices.Collect(strings.Lines(text)), want...) {
			t.Errorf("/metrics has no %q", want)
		}
	}
	for _, page := range []string{"/-/healthy", "/-/ready"} {
		if status, body := h.get(page); status != http.StatusOK {
			t.Errorf("%s answers %d %q", page, status, body)
		}
	}
	h.edge.Set(edgetest.Healthy())
	h.until("the end", h.shown("RESOLVED"))
	if err := h.stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	if log := h.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") {
		t.Errorf("a failing site is no error of ours:\n%s", log)
	}
}

// TestIncidentIsRecalled holds that an agent that starts again goes on with
// what was going on, and tells nobody twice.
func TestIncidentIsRecalled(t *testing.T) {
	t.Parallel()
	h := newHouse(t, quick+"sites: [{name: shop, url: EDGE}]\n")
	h.edge.Set(edgetest.Status(521))
	h.start()
	h.until("the alert", h.shown("shop is failing"))
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	before := h.screen.String()
	h.edge.Set(edgetest.Healthy())
	h.start()
	h.until("the end", h.shown("RESOLVED"))
	if after := strings.TrimPrefix(h.screen.String(), before); strings.Contains(after, "is failing") {
		t.Errorf("told again:\n%s", after)
	}
}

// TestNewReleasesWhatItOpened holds that an agent that cannot start leaves
// nothing behind: its store can be opened at once, and goleak finds no stage.
func TestNewReleasesWhatItOpened(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	const site = "sites: [{name: shop, url: 'http://shop.invalid', checks: [{name: home, connection: reuse}]}]\n"
	for name, text := range map[string]string{
		"port in use":        "web: {listen: '" + taken.Addr().String() + "'}\n" + site,
		"health port in use": "web: {listen: '127.0.0.1:0', health_listen: '" + taken.Addr().String() + "'}\n" + site,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, site)
			writeFile(t, filepath.Join(h.folder, "config.yaml"), fmt.Sprintf("agent: {data_dir: %q}\n", filepath.Join(h.folder, "data"))+text)
			if _, err := New(t.Context(), h.options()); err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
				t.Fatalf("error %v, want one about %s", err, taken.Addr())
			}
			store, err := boltstore.Open(filepath.Join(h.folder, "data", storeFile), boltstore.Options{})
			if err != nil {
				t.Fatalf("the store is still held: %v", err)
			}
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestStoreThatCannotBeOpened says which setting is wrong.
func TestStoreThatCannotBeOpened(t *testing.T) {
	h := newHouse(t, "sites: [{name: shop, url: 'http://shop.invalid'}]\n")
	writeFile(t, filepath.Join(h.folder, "data"), "a file where the folder should be")
	if _, err := New(t.Context(), h.options()); err == nil || !strings.Contains(err.Error(), "agent.data_dir") {
		t.Errorf("error %v, want one about agent.data_dir", err)
	}
}

// TestDamagedStoreIsSetAside holds that a broken disk keeps nobody from being told.
func TestDamagedStoreIsSetAside(t *testing.T) {
	t.Parallel()
	h := newHouse(t, quick+"sites: [{name: shop, url: EDGE}]\n")
	h.edge.Set(edgetest.Status(521))
	h.start()
	h.until("the alert", h.shown("shop is failing"))
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(h.folder, "data", storeFile), strings.Repeat("garbage ", 4096))
	before := len(h.screen.String())
	h.start()
	h.until("the alert", func() bool { return strings.Contains(h.screen.String()[before:], "shop is failing") })
	if log := h.log.String(); !strings.Contains(log, "the store was damaged and was set aside") {
		t.Errorf("nothing is said of it:\n%s", log)
	}
}

// TestReloadTakesAllOrNothing gives a running agent a file with an error, and
// then one that is right.
func TestReloadTakesAllOrNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, quick+"sites: [{name: shop, url: EDGE}]\n")
	h.start()
	h.until("a result", func() bool { return h.edge.Requests() > 0 })
	hash := h.current().Config.Hash

	notPEM := writeFile(t, filepath.Join(h.folder, "ca.pem"), "nothing")
	for name, text := range map[string]string{
		"unreadable":    "sites: [\n",
		"refused":       quick + "sites: [{name: blog, url: EDGE, checks: [{name: home, timeout: 10}]}]\n",
		"not buildable": quick + "sites: [{name: blog, url: EDGE, checks: [{name: home, tls: {ca_file: " + notPEM + "}}]}]\n",
	} {
		h.write(text)
		if err := h.Reload(); err == nil {
			t.Errorf("%s: the configuration was taken", name)
		}
		_, text := h.get("/metrics")
		if h.current().Config.Hash != hash || !strings.Contains(text, "esawatch_config_last_reload_successful 0") ||
			!strings.Contains(text, `site="shop"`) || strings.Contains(text, `site="blog"`) {
			t.Errorf("%s: not all of the old configuration is in force", name)
		}
	}
	asked := h.edge.Requests()
	h.until("more results under the old configuration", func() bool { return h.edge.Requests() > asked })

	h.write(quick + "sites: [{name: blog, url: EDGE}]\n")
	if err := h.Reload(); err != nil {
		t.Fatal(err)
	}
	_, text := h.get("/metrics")
	if h.current().Config.Hash == hash || !strings.Contains(text, "esawatch_config_last_reload_successful 1") ||
		strings.Contains(text, `site="shop"`) || !strings.Contains(text, `site="blog"`) {
		t.Errorf("not all of the new configuration is in force:\n%s", text)
	}
	if strings.Contains(text, hash) || !strings.Contains(text, h.current().Config.Hash) {
		t.Error("/metrics shows the hash of the old configuration")
	}
	if _, results := h.get("/api/v1/results"); strings.Contains(results, `"shop"`) {
		t.Errorf("results of a site that is gone are still shown: %s", results)
	}
}

// TestReloadWhileEverythingRuns changes the configuration again and again while
// checks fail, pages are read and, in the end, the agent stops.
func TestReloadWhileEverythingRuns(t *testing.T) {
	t.Parallel()
	h := newHouse(t, quick+"sites: [{name: shop, url: EDGE}]\n")
	h.edge.Set(edgetest.Status(521))
	h.start()
	h.until("the alert", h.shown("shop is failing"))
	variants := []string{
		quick + "sites: [{name: shop, url: EDGE}]\n",
		quick + "sites: [{name: shop, url: EDGE, checks: [{name: home}, {name: login, path: /login, connection: reuse}]}]\n",
		quick + "sites: [{name: shop, url: EDGE}, {name: blog, url: EDGE}]\n",
	}
	for i := range 60 {
		h.write(variants[i%len(variants)])
		if err := h.Reload(); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			h.get("/metrics")
		}
	}
	var wg sync.WaitGroup
	began := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			<-began
			for range 20 {
				_ = h.Reload() // once the agent has stopped it is refused
			}
		})
	}
	close(began)
	if err := h.stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	wg.Wait()
	if err := h.Reload(); !errors.Is(err, errStopped) {
		t.Errorf("a reload of a stopped agent gives %v, want %v", err, errStopped)
	}
	if text := h.screen.String(); strings.Count(text, "shop is failing") != 1 {
		t.Errorf("the reloads changed what was told:\n%s", text)
	}
}

// TestLevelFollowsTheConfiguration holds that log.level can be changed by a reload.
func TestLevelFollowsTheConfiguration(t *testing.T) {
	const site = "sites: [{name: shop, url: 'http://shop.invalid'}]\n"
	h := newHouse(t, "log: {level: warn}\n"+site)
	level := &slog.LevelVar{}
	options := h.options()
	options.Level = level
	a, err := New(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer a.release()
	for _, want := range []slog.Level{slog.LevelWarn, slog.LevelDebug, slog.LevelError, slog.LevelInfo} {
		h.write("log: {level: " + strings.ToLower(want.String()) + "}\n" + site)
		if err := a.Reload(); err != nil {
			t.Fatal(err)
		}
		if got := level.Level(); got != want {
			t.Errorf("level %v, want %v", got, want)
		}
	}
}
