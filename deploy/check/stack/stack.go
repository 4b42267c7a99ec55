package stack

import (
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// startTimeout bounds how long one server takes until it is ready.
const startTimeout = 30 * time.Second

// Options say what runs. The zero value is one agent and a Prometheus without rules.
type Options struct {
	// Locations are the names of the agents, one each, which all watch the same
	// sites; none = one agent in "fra-1".
	Locations []string
	// Together has the agents judge together, over a NATS.
	Together bool
	// RuleFiles are loaded into Prometheus as they are.
	RuleFiles []string
	// Alertmanager tells to start one, to which Prometheus sends its alerts.
	Alertmanager bool
	// NativeHistograms makes Prometheus 2.42 ingest native histograms. It then
	// has no classic buckets of a histogram that has native ones.
	NativeHistograms bool
	// Relabelling is YAML for metric_relabel_configs: what comes in is changed by it.
	Relabelling string
}

// Stack is what runs until the end of the test.
type Stack struct {
	// Program is the path of the esawatch that was built.
	Program string
	Agents  []Agent
	// Prometheus and Alertmanager are base URLs; no Alertmanager = "".
	Prometheus, Alertmanager string

	api    promv1.API
	client *http.Client
	sites  map[string]*Site
	canary *Site
	caFile string
	nats   string // address of the NATS over which the agents judge together; "" = they do not

	accepting, failing, refusing *Site // what the receivers send to
}

// Agent is a running esawatch.
type Agent struct {
	Location string
	URL      string // without a slash at its end
	Config   string // the path of its configuration

	process *process
}

// Kill ends the agent at once, as a crash does.
func (a Agent) Kill() { a.process.stop() }

// Reload tells an agent to read its configuration again, and does not mind what
// comes of it.
func (s *Stack) Reload(t testing.TB, a Agent) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL+"/-/reload", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // the agent's metrics tell
}

// Start runs everything and returns when Prometheus has scraped each agent.
// Without Prometheus or Alertmanager on the machine the test says so and ends,
// or fails when ESAWATCH_REQUIRE_SERVERS is set.
func Start(t testing.TB, opts Options) *Stack {
	t.Helper()
	prometheus := LookPath(t, "prometheus")
	if len(opts.Locations) == 0 {
		opts.Locations = []string{"fra-1"}
	}
	s := &Stack{Program: Build(t), client: newClient(t)}
	ca := newAuthority(t)
	s.caFile = writeFile(t, "ca.pem", string(ca.pem()))
	s.startSites(t, ca)
	s.startReceivers(t)
	if opts.Together {
		s.nats = startNATS(t)
	}
	for _, location := range opts.Locations {
		s.startAgent(t, location)
	}
	if opts.Alertmanager {
		s.startAlertmanager(t, LookPath(t, "prometheus-alertmanager"))
	}
	s.startPrometheus(t, prometheus, opts)

	client, err := api.NewClient(api.Config{Address: s.Prometheus, Client: s.client})
	if err != nil {
		t.Fatal(err)
	}
	s.api = promv1.NewAPI(client)
	s.Until(t, `count(esawatch_build_info)`, startTimeout, Is(float64(len(s.Agents))))
	return s
}

// newClient is one whose connections end with the test.
func newClient(t testing.TB) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}
