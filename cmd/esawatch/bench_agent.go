package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// benchAgent is what the agent did and took.
type benchAgent struct {
	Done        int64   `json:"done"` // answered during the measurement, by the target's count
	CPUSeconds  float64 `json:"cpu_seconds"`
	PerThousand float64 `json:"cpu_seconds_per_1000"`
	// From due to start, once startUp is over and before.
	DelayP50Seconds   float64 `json:"start_delay_p50_seconds"`
	DelayP99Seconds   float64 `json:"start_delay_p99_seconds"`
	StartUpP99Seconds float64 `json:"start_up_delay_p99_seconds"` // 0 where nothing ran so early

	// Since the agent's start.
	Runs   int64 `json:"runs"`
	Missed int64 `json:"missed"` // due, and not run
	Failed int64 `json:"failed"` // run, and not passed

	ReadySeconds  float64 `json:"ready_seconds"`  // from the process's start until it watches
	ReloadSeconds float64 `json:"reload_seconds"` // POST /-/reload, answered

	RSSOneCheck    int64 `json:"rss_one_check_bytes"` // at rest, with one check
	OwnOneCheck    int64 `json:"own_one_check_bytes"` // of that, without the program's own file
	RSSIdle        int64 `json:"rss_idle_bytes"`      // at rest, with all checks
	RSSLoad        int64 `json:"rss_load_bytes"`      // at work: the most that was seen
	RSSProgram     int64 `json:"rss_program_bytes"`   // of that, the program's own file, which the system can drop and read again
	RSSPeak        int64 `json:"rss_peak_bytes"`      // the most it ever was until then, its start included
	RSSScraped     int64 `json:"rss_scraped_bytes"`   // at work, after scrapes
	MemoryPerCheck int64 `json:"memory_per_check_bytes"`

	ScrapeSeconds     float64 `json:"scrape_seconds"` // /metrics as text, at work
	ScrapeBytes       int64   `json:"scrape_bytes"`
	GzipScrapeSeconds float64 `json:"gzip_scrape_seconds"` // the same as Prometheus asks for it, with gzip
	GzipScrapeBytes   int64   `json:"gzip_scrape_bytes"`
}

// agentProcess is an agent that runs.
type agentProcess struct {
	*benchProcess
	base  string        // of its HTTP server
	ready time.Duration // how long it took to watch
}

// benchConfig is the configuration but for its sites; they are what a user has
// who set nothing but a schedule (and a timeout that suits it).
const benchConfig = `agent: {location: bench, data_dir: %q}
web: {listen: 127.0.0.1:0}
log: {format: json}
defaults: {schedule: %s, timeout: %s, http_version: %q}
receivers:
  - {name: screen, console: {}}
sites:
`

// benchChecksPerSite is how many checks share a site.
const benchChecksPerSite = 10

// writeBenchConfig writes a configuration of n checks.
func writeBenchConfig(file string, o benchOptions, n int, schedule time.Duration, bases []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, benchConfig, filepath.Join(o.dir, "data"), schedule, min(10*time.Second, schedule), o.httpVersion)
	for i := range n {
		if i%benchChecksPerSite == 0 {
			site := i / benchChecksPerSite
			fmt.Fprintf(&b, "  - name: site-%d\n    url: %s\n    checks:\n", site, bases[site%len(bases)])
		}
		fmt.Fprintf(&b, "      - {name: page-%d, path: %s}\n", i, benchPath(i))
	}
	return os.WriteFile(file, []byte(b.String()), 0o600)
}

// startBenchAgent starts an agent of n checks and waits until it watches them.
func startBenchAgent(ctx context.Context, o benchOptions, t *benchTarget, n int, schedule time.Duration, args ...string) (*agentProcess, error) {
	file := filepath.Join(o.dir, "config.yaml")
	if err := writeBenchConfig(file, o, n, schedule, t.URLs); err != nil {
		return nil, err
	}
	if len(args) == 0 {
		args = []string{"run"}
	}
	started := time.Now()
	p, err := startBenchProcess(ctx, o.program, t.environment(), inLog, append(args, "--config", file)...)
	if err != nil {
		return nil, err
	}
	for {
		line, err := p.lines.ReadBytes('\n')
		_, _ = p.said.Write(line) // it never fails
		if err != nil {
			return nil, p.broke("start agent", err)
		}
		var entry struct{ Msg, Listen string }
		if json.Unmarshal(line, &entry) == nil && entry.Msg == "watching" {
			p.drainLog()
			return &agentProcess{p, "http://" + entry.Listen, time.Since(started)}, nil
		}
	}
}

// benchAtRest measures agents that have nothing to do for a day.
func benchAtRest(ctx context.Context, o benchOptions, t *benchTarget, a *benchAgent) error {
	var one, all memory
	for _, at := range []struct {
		checks int
		memory *memory
	}{{1, &one}, {o.checks, &all}} {
		agent, err := startBenchAgent(ctx, o, t, at.checks, 24*time.Hour)
		if err != nil {
			return err
		}
		if err := sleep(ctx, dropAfter+time.Second); err != nil {
			agent.end()
			return err
		}
		if *at.memory, err = agent.memory(); err != nil {
			return agent.broke("measure agent at rest", err)
		}
		agent.end()
	}
	a.RSSOneCheck, a.OwnOneCheck, a.RSSIdle = one.now, one.now-one.file, all.now
	return nil
}

// benchAtWork measures an agent with all checks at their interval.
func benchAtWork(ctx context.Context, o benchOptions, t *benchTarget, a *benchAgent) error {
	var args []string
	if o.profile != "" {
		args = []string{"bench", "agent", "--profile", o.profile, "--warm-up", o.warmUp().String(), "--duration", o.duration.String()}
	}
	agent, err := startBenchAgent(ctx, o, t, o.checks, o.interval, args...)
	if err != nil {
		return err
	}
	a.ReadySeconds = agent.ready.Seconds()
	if err := agent.measure(ctx, o, t, a); err != nil {
		return agent.broke("measure agent", err)
	}
	agent.end()
	return nil
}

// measure lets the agent warm up and watches it. While it does, it asks for no
// metrics but the few that it needs: to give all of them is work, too.
func (p *agentProcess) measure(ctx context.Context, o benchOptions, t *benchTarget, a *benchAgent) error {
	if err := sleep(ctx, startUp); err != nil {
		return err
	}
	started, err := p.metrics(ctx, delayMetric)
	if err != nil {
		return err
	}
	if err := sleep(ctx, o.warmUp()-startUp); err != nil {
		return err
	}
	if err := p.watch(ctx, o.duration, t, a); err != nil {
		return err
	}
	if err := p.delays(ctx, started, a); err != nil {
		return err
	}
	if a.GzipScrapeSeconds, a.GzipScrapeBytes, err = p.scrape(ctx, "gzip"); err != nil {
		return err
	}
	if a.ScrapeSeconds, a.ScrapeBytes, err = p.scrape(ctx, "identity"); err != nil {
		return err
	}
	if err := p.count(ctx, a); err != nil {
		return err
	}
	m, err := p.memory()
	if err != nil {
		return err
	}
	a.RSSScraped = m.now
	if o.profile != "" {
		return nil // the heap profile is being written
	}
	return p.reload(ctx, a)
}

// scrape is how long /metrics takes in an encoding, and its bytes on the wire. The
// shortest of some is what it takes; the others had to wait.
func (p *agentProcess) scrape(ctx context.Context, encoding string) (seconds float64, n int64, err error) {
	for i := range 5 {
		began := time.Now()
		n, err = getEncoded(ctx, p.base+"/metrics", encoding, func(r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return err
		})
		if err != nil {
			return 0, 0, err
		}
		if took := time.Since(began).Seconds(); i == 0 || took < seconds {
			seconds = took
		}
	}
	return seconds, n, nil
}

// The metrics of the agent that say how it does.
const (
	runsMetric   = "esawatch_check_runs_total"
	missedMetric = "esawatch_schedule_missed_total"
	delayMetric  = "esawatch_schedule_delay_seconds"
)

// metrics are what some metrics of the agent say.
func (p *agentProcess) metrics(ctx context.Context, names ...string) (m benchMetrics, err error) {
	_, err = get(ctx, p.base+"/metrics?"+url.Values{"name[]": names}.Encode(), func(r io.Reader) (err error) {
		m, err = readBenchMetrics(r)
		return err
	})
	return m, err
}

// count takes in the runs of the agent since its start.
func (p *agentProcess) count(ctx context.Context, a *benchAgent) error {
	m, err := p.metrics(ctx, runsMetric, missedMetric)
	if err == nil && m.runs == 0 {
		err = errors.New("/metrics lacks " + runsMetric)
	}
	a.Runs, a.Missed, a.Failed = m.runs, m.missed, m.runs-m.passed
	return err
}

// delays takes in how late the runs were, after the agent had started and before.
func (p *agentProcess) delays(ctx context.Context, started benchMetrics, a *benchAgent) error {
	m, err := p.metrics(ctx, delayMetric)
	if err == nil && len(m.delay) == 0 {
		err = errors.New("/metrics lacks " + delayMetric)
	}
	delay := m.delay.since(started.delay)
	a.DelayP50Seconds, a.DelayP99Seconds = delay.quantile(0.5), delay.quantile(0.99)
	a.StartUpP99Seconds = started.delay.quantile(0.99)
	return err
}

// watch measures CPU time and memory.
func (p *agentProcess) watch(ctx context.Context, d time.Duration, t *benchTarget, a *benchAgent) error {
	before, err := p.used(ctx, t)
	if err != nil {
		return err
	}
	until := time.Now().Add(d)
	for left := d; left > 0; left = time.Until(until) {
		if err := sleep(ctx, min(left, 500*time.Millisecond)); err != nil {
			return err
		}
		m, err := p.memory()
		if err != nil {
			return err
		}
		a.RSSPeak = m.peak
		if m.now > a.RSSLoad {
			a.RSSLoad, a.RSSProgram = m.now, m.file
		}
	}
	after, err := p.used(ctx, t)
	if err != nil {
		return err
	}
	a.Done = after.requests - before.requests
	a.CPUSeconds = (after.cpu - before.cpu).Seconds()
	if a.Done == 0 {
		return errors.New("it made no request")
	}
	return nil
}

// usage is what an agent had used by some moment, and for how much.
type usage struct {
	cpu      time.Duration
	requests int64
}

func (p *agentProcess) used(ctx context.Context, t *benchTarget) (u usage, err error) {
	seen, err := t.seen(ctx)
	if err != nil {
		return u, err
	}
	u.requests = seen.Requests
	u.cpu, err = cpuTime(fmt.Sprint(p.cmd.Process.Pid))
	return u, err
}

// reload measures how long the agent takes to read its configuration again.
func (p *agentProcess) reload(ctx context.Context, a *benchAgent) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/-/reload", nil)
	if err != nil {
		return err
	}
	began := time.Now()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // only its status counts
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("reload: status %d", resp.StatusCode)
	}
	a.ReloadSeconds = time.Since(began).Seconds()
	return nil
}

// benchMetrics is what the agent's own metrics add.
type benchMetrics struct {
	runs, passed, missed int64
	delay                histogram
	goroutines, files    int64
}

// readBenchMetrics finds some metrics in the text format. Their labels' values
// hold no spaces. Before the first run there are none of runs.
func readBenchMetrics(r io.Reader) (m benchMetrics, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		name, rest, _ := strings.Cut(line, "{")
		labels, number, ok := strings.Cut(rest, "} ")
		if !ok {
			name, number, _ = strings.Cut(line, " ")
		}
		switch name {
		case "go_goroutines":
			m.goroutines = counterValue(number, &err)
		case "process_open_fds":
			m.files = counterValue(number, &err)
		case runsMetric:
			n := counterValue(number, &err)
			m.runs += n
			if strings.Contains(labels, `outcome="pass"`) {
				m.passed += n
			}
		case missedMetric:
			m.missed += counterValue(number, &err)
		case delayMetric + "_bucket":
			m.delay.add(labels, counterValue(number, &err), &err)
		}
	}
	if err == nil {
		err = lines.Err()
	}
	return m, err
}
