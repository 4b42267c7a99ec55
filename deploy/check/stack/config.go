package stack

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The receivers of every agent. What the broken one owes stays in its queue;
// the refusing one says that it will never take it.
const (
	ReceiverGood     = "hook"
	ReceiverBroken   = "broken"
	ReceiverRefusing = "refusing"
)

// agentConfig takes the location, the data directory, the address to listen on
// and the addresses of the canary and of the receivers; the sites follow.
const agentConfig = `
agent: {location: %s, data_dir: %s, canaries: [%s]}
web: {listen: %s}
defaults:
  schedule: 1s
  timeout: 1s
  confirm: {failures: 2, interval: 1s}
alerting: {group_wait: 0s, group_interval: 1s}
receivers:
  - {name: hook, webhook: {url: "%s"}}
  - {name: broken, webhook: {url: "%s"}}
  - {name: refusing, webhook: {url: "%s"}}
sites:
`

// startReceivers starts what the agents' receivers send to.
func (s *Stack) startReceivers(t testing.TB) {
	t.Helper()
	status := func(code int) Behaviour {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	s.accepting = startSite(t, ReceiverGood, status(http.StatusOK), nil)
	s.failing = startSite(t, ReceiverBroken, status(http.StatusServiceUnavailable), nil)
	s.refusing = startSite(t, ReceiverRefusing, status(http.StatusBadRequest), nil)
}

// siteConfig is what the configuration says of each site beyond its address.
func (s *Stack) siteConfig(name string) string {
	tls := fmt.Sprintf("tls: {ca_file: %s}", s.caFile)
	switch name {
	case Healthy:
		return fmt.Sprintf("checks: [{name: home, path: /, %s}, {name: login, path: /api/login, %[1]s}]", tls)
	case Expiring, Expired:
		return fmt.Sprintf("checks: [{name: home, path: /, %s}]", tls)
	case Slow:
		return "checks: [{name: home, path: /, expect: {max_duration: 50ms}}]"
	case Bypassing:
		return "checks: [{name: home, path: /, expect: {via_esa: true}}]"
	}
	return "checks: [{name: home, path: /}]"
}

// startAgent starts an esawatch that watches the sites from a location.
func (s *Stack) startAgent(t testing.TB, location string) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config.yaml")
	data := filepath.Join(filepath.Dir(config), "data")
	name := "esawatch-" + location
	p, address := s.serve(t, name, s.Program, "/-/healthy", func(address string) []string {
		text := fmt.Sprintf(agentConfig, location, data, s.canary.URL, address, s.accepting.URL, s.failing.URL, s.refusing.URL)
		if s.nats != "" {
			text = fmt.Sprintf("cluster: {urls: [%q], replicas: 1}\n", s.nats) + text
		}
		if err := os.WriteFile(config, []byte(text+s.sitesConfig()), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"run", "--config", config}
	})
	s.Agents = append(s.Agents, Agent{Location: location, URL: "http://" + address, Config: config, process: p})
}

func (s *Stack) sitesConfig() string {
	var b strings.Builder
	for _, name := range SiteNames() {
		site := s.sites[name]
		origin := ""
		if site.Origin != "" {
			origin = fmt.Sprintf("origin: {address: %q, scheme: http}, ", site.Origin)
		}
		fmt.Fprintf(&b, "  - {name: %s, url: %q, %s%s}\n", name, site.URL, origin, s.siteConfig(name))
	}
	return b.String()
}

// SiteNames are the names of all simulated sites.
func SiteNames() []string {
	return []string{Healthy, Broken, Down, Degraded, Slow, Expiring, Expired, Challenge, Bypassing}
}

// startPrometheus starts one that scrapes the agents each second.
func (s *Stack) startPrometheus(t testing.TB, program string, opts Options) {
	t.Helper()
	var b strings.Builder
	b.WriteString("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files:\n")
	for _, file := range opts.RuleFiles {
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "  - %q\n", path)
	}
	if s.Alertmanager != "" {
		fmt.Fprintf(&b, "alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}\n", strings.TrimPrefix(s.Alertmanager, "http://"))
	}
	b.WriteString("scrape_configs:\n  - job_name: esawatch\n    static_configs:\n")
	for _, agent := range s.Agents {
		fmt.Fprintf(&b, "      - targets: [%q]\n", strings.TrimPrefix(agent.URL, "http://"))
	}
	if opts.Relabelling != "" {
		fmt.Fprintf(&b, "    metric_relabel_configs:\n%s", opts.Relabelling)
	}
	config := writeFile(t, "prometheus.yml", b.String())
	args := []string{"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(filepath.Dir(config), "data"), "--log.level=warn"}
	if opts.NativeHistograms {
		args = append(args, "--enable-feature=native-histograms")
	} else {
		args = append(args, "--enable-feature=exemplar-storage")
	}
	_, address := s.serve(t, "prometheus", program, "/-/ready", func(address string) []string {
		return append(args, "--web.listen-address="+address)
	})
	s.Prometheus = "http://" + address
}

// startAlertmanager starts one that tells nobody.
func (s *Stack) startAlertmanager(t testing.TB, program string) {
	t.Helper()
	config := writeFile(t, "alertmanager.yml", "route: {receiver: nobody, group_wait: 0s}\nreceivers: [{name: nobody}]\n")
	_, address := s.serve(t, "alertmanager", program, "/-/ready", func(address string) []string {
		return []string{"--config.file=" + config, "--storage.path=" + filepath.Dir(config),
			"--cluster.listen-address=", "--web.listen-address=" + address}
	})
	s.Alertmanager = "http://" + address
}

// writeFile writes a file of the test and returns its path.
func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
