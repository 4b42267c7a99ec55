package agent

import (
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
)

// Nobody listens there: a team waits for nobody, and can be reloaded alone.
const nobody = "nats://127.0.0.1:1"

// clustered is a configuration with a section cluster of these keys.
func clustered(keys string) string {
	return quick + "cluster: {" + keys + "}\nsites: [{name: shop, url: EDGE, checks: [{name: home}, {name: own, path: /own, quorum: 1}]}]\n"
}

var restartPath = regexp.MustCompile(`changes only with a restart" .*path=(\S+)`)

// restarts are the settings that a reload has warned of since the mark.
func (h *house) restarts(mark int) []string {
	var paths []string
	for _, m := range restartPath.FindAllStringSubmatch(h.log.String()[mark:], -1) {
		paths = append(paths, m[1])
	}
	return paths
}

// reloadAs puts a configuration in force and returns what only a restart changes.
func (h *house) reloadAs(text string) []string {
	h.t.Helper()
	mark := len(h.log.String())
	h.write(text)
	if err := h.Reload(); err != nil {
		h.t.Fatal(err)
	}
	return h.restarts(mark)
}

// policyIn is the policy that a plan made of the file, as a reload would make it,
// has for a check.
func (h *house) policyIn(check string) incident.Policy {
	h.t.Helper()
	h.reloading.Lock()
	defer h.reloading.Unlock()
	plan, err := h.load()
	if err != nil {
		h.t.Fatal(err)
	}
	defer plan.Close()
	return plan.Policies[check]
}

// TestReloadOfACluster: how the agents are connected stays as it was at the start,
// how they judge is taken over.
func TestReloadOfACluster(t *testing.T) {
	t.Parallel()
	h := newHouse(t, clustered("urls: ['"+nobody+"'], quorum: 2, alone_after: 1h"))
	for _, name := range []string{"a.creds", "ca.pem", "cert.pem", "key.pem", "password"} {
		writeFile(t, filepath.Join(h.folder, name), "hunter2")
	}
	h.start()
	if p := h.policyIn("shop/home"); p.Quorum != 2 || p.Stale != 9500*time.Millisecond {
		t.Errorf("at the start: quorum %d, stale after %v", p.Quorum, p.Stale)
	}

	if got := h.reloadAs(clustered("urls: ['" + nobody + "'], quorum: all, stale_after: 17, alone_after: 2h")); len(got) > 0 {
		t.Errorf("what a reload takes over is said to need a restart: %q", got)
	}
	if p := h.policyIn("shop/home"); p.Quorum != incident.All || p.Stale != 17*time.Second {
		t.Errorf("reloaded: quorum %d, stale after %v", p.Quorum, p.Stale)
	}
	if p := h.policyIn("shop/own"); p.Quorum != 1 {
		t.Errorf("a check's own quorum: got %d, want 1", p.Quorum)
	}
	if got := time.Duration(h.team.aloneAfter.Load()); got != 2*time.Hour {
		t.Errorf("alone after %v, want 2h", got)
	}

	for keys, want := range map[string][]string{
		"urls: ['" + nobody + "', 'nats://127.0.0.1:2']":                                           {"cluster.urls"},
		"urls: ['" + nobody + "'], credentials_file: a.creds":                                      {"cluster.credentials_file"},
		"urls: ['" + nobody + "'], username: me, password: hunter2":                                {"cluster.username", "cluster.password"},
		"urls: ['" + nobody + "'], username: me, password_file: password":                          {"cluster.username", "cluster.password"},
		"urls: ['" + nobody + "'], tls: {ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem}": {"cluster.tls.ca_file", "cluster.tls.cert_file", "cluster.tls.key_file"},
		"urls: ['" + nobody + "'], bucket: other, replicas: 1, region: eu":                         {"cluster.bucket", "cluster.replicas", "cluster.region"},
	} {
		if got := h.reloadAs(clustered(keys)); !slices.Equal(got, want) {
			t.Errorf("%s: warned of %q, want %q", keys, got, want)
		}
		c := h.current().Config.Cluster
		if !slices.Equal(c.URLs, []string{nobody}) || c.Bucket != "esawatch" || c.Replicas != 3 || c.Username != "" || c.Region != "" || c.TLS.CAFile != "" {
			t.Errorf("%s: half of it is in force: %+v", keys, c)
		}
	}
	if strings.Contains(h.log.String(), "hunter2") {
		t.Error("the password is logged")
	}
}

// TestClusterSwitchedByAReload: an agent that was started alone stays alone, and
// one of several stays one of several, with the rules that it had.
func TestClusterSwitchedByAReload(t *testing.T) {
	t.Parallel()
	on, off := clustered("urls: ['"+nobody+"'], quorum: 2, bucket: other, replicas: 1, username: me, password: x"), clustered("")
	for name, tt := range map[string]struct {
		first, second string
		team          bool
		quorum        incident.Quorum
	}{
		"on":  {off, on, false, 0},
		"off": {on, off, true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, tt.first)
			h.start()
			if got := h.reloadAs(tt.second); !slices.Equal(got, []string{"cluster.urls"}) {
				t.Errorf("warned of %q, want cluster.urls alone", got)
			}
			if p := h.policyIn("shop/home"); p.Quorum != tt.quorum || (p.Stale > 0) != tt.team {
				t.Errorf("quorum %d, stale after %v, want quorum %d", p.Quorum, p.Stale, tt.quorum)
			}
			if (h.team != nil) != tt.team || h.current().Config.Cluster.Enabled() != tt.team {
				t.Errorf("a team: %v, and in the configuration in force: %v, want %v", h.team != nil, h.current().Config.Cluster.Enabled(), tt.team)
			}
			if asked := h.edge.Requests(); !tt.team {
				h.until("checks to go on", func() bool { return h.edge.Requests() > asked })
			}
			if got := h.reloadAs(tt.first); len(got) > 0 {
				t.Errorf("back as at the start: warned of %q", got)
			}
		})
	}
}

// TestScrapedWhileReloading reads all metrics and pages while configurations come
// and go; it is the race detector that looks on. The metrics show that of a
// configuration which is in force as a whole.
func TestScrapedWhileReloading(t *testing.T) {
	t.Parallel()
	one, other := quick+"sites: [{name: shop, url: EDGE}]\n", quick+"sites: [{name: blog, url: EDGE}, {name: shop, url: EDGE, checks: [{name: a}, {name: b, path: /b}]}]\n"
	h := newHouse(t, one)
	h.start()
	done := make(chan struct{})
	var scraping sync.WaitGroup
	for _, path := range []string{"/metrics", "/", "/api/v1/incidents"} {
		scraping.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				resp, err := http.Get("http://" + h.Addr().String() + path)
				if err != nil {
					t.Error(err)
					return
				}
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("%s: %d, %v", path, resp.StatusCode, err)
				}
				if n := strings.Count(string(text), "\nesawatch_config_hash_info{"); path == "/metrics" && n != 1 {
					t.Errorf("%d configurations are in force", n)
				}
			}
		})
	}
	for i := range 20 {
		h.reloadAs([]string{other, one}[i%2])
	}
	close(done)
	scraping.Wait()
	http.DefaultClient.CloseIdleConnections()
}
