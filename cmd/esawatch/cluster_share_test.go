package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The checks of the test and the seconds of their period, unless
// ESAWATCH_SHARE_CHECKS and ESAWATCH_SHARE_PERIOD say otherwise.
const (
	defaultShareChecks = 2000
	defaultSharePeriod = 5
)

// counter is a site that notes when each of its pages was asked for.
type counter struct {
	*httptest.Server
	broken atomic.Bool // it answers 503
	mu     sync.Mutex
	asked  map[string][]time.Time
}

func startCounter(t *testing.T) *counter {
	c := &counter{asked: map[string][]time.Time{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.broken.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asked[r.URL.Path] = append(c.asked[r.URL.Path], time.Now())
	}))
	t.Cleanup(c.Close)
	return c
}

// within counts how many pages were asked for how often in a span of time.
func (c *counter) within(from, to time.Time) map[int]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[int]int{}
	for _, times := range c.asked {
		n := 0
		for _, at := range times {
			if !at.Before(from) && at.Before(to) {
				n++
			}
		}
		counts[n]++
	}
	return counts
}

// longestGap is the longest time that any page had to wait for its next request,
// as far as that began after from.
func (c *counter) longestGap(from time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var longest time.Duration
	for _, times := range c.asked {
		for i := 1; i < len(times); i++ {
			if times[i].After(from) {
				longest = max(longest, times[i].Sub(times[i-1]))
			}
		}
	}
	return longest
}

// TestShareOfALocation: two agents run each of their location's checks once a
// period, and within ten seconds of the death of one the other runs them all.
func TestShareOfALocation(t *testing.T) {
	shareChecks := fromEnv(t, "ESAWATCH_SHARE_CHECKS", defaultShareChecks)
	sharePeriod := time.Duration(fromEnv(t, "ESAWATCH_SHARE_PERIOD", defaultSharePeriod)) * time.Second
	site := startCounter(t)
	var sites strings.Builder
	fmt.Fprintf(&sites, "defaults: {schedule: %v}\nsites:\n", sharePeriod)
	for i := range shareChecks {
		if i%50 == 0 {
			fmt.Fprintf(&sites, "  - name: s%d\n    url: %s\n    checks:\n", i/50, site.URL)
		}
		fmt.Fprintf(&sites, "      - {name: c%d, path: /c/%d}\n", i, i)
	}
	s := newSquad(t, 1)
	one := s.add("fra", "cluster: {replicas: 1}\nlog: {level: info}\n", sites.String())
	two := s.add("fra", "cluster: {replicas: 1}\nlog: {level: info}\n", sites.String())
	s.untilTogether()
	time.Sleep(sharePeriod) // of what ran while they met nothing is to be learned
	from := time.Now()
	rest := s.traffic()
	time.Sleep(2 * sharePeriod)
	t.Logf("NATS at rest, with %d checks and 2 agents: %s", shareChecks, rest(2*sharePeriod))
	before := site.within(from, from.Add(2*sharePeriod))
	each := func(a *agentAt) int { return strings.Count(a.metrics(), "\nprobe_success{") }
	first, second := each(one), each(two)
	if first+second != shareChecks || min(first, second) < shareChecks/3 {
		t.Errorf("the agents run %d and %d checks, want %d in all and about half each", first, second, shareChecks)
	}
	if before[2] < shareChecks*95/100 || before[0] > 0 {
		t.Errorf("in two periods so many checks ran so often: %v, want each twice", before)
	}

	s.outage(site, one, two, shareChecks, sharePeriod)

	died := time.Now()
	two.kill()
	one.untilLogged("checks shared out anew", fmt.Sprintf("checks=%d", shareChecks))
	took := time.Since(died)
	time.Sleep(time.Until(died.Add(10*time.Second + 2*sharePeriod)))
	after := site.within(died.Add(10*time.Second), died.Add(10*time.Second+2*sharePeriod))
	if after[2] < shareChecks*95/100 || after[0] > 0 {
		t.Errorf("ten seconds after a death so many ran so often in two periods: %v, want each twice", after)
	}
	t.Logf("%d and %d checks; in two periods: %v; after kill -9: all taken over after %v, longest pause of a check %v (period %v), then in two periods: %v",
		first, second, before, took.Round(10*time.Millisecond), site.longestGap(died).Round(10*time.Millisecond), sharePeriod, after)
}

// traffic begins to count what goes through NATS; what it returns says how much it
// was by then.
func (s *squad) traffic() func(time.Duration) string {
	messages, bytes := s.nats.Traffic()
	return func(in time.Duration) string {
		m, b := s.nats.Traffic()
		return fmt.Sprintf("%.1f messages and %.1f KB a second", float64(m-messages)/in.Seconds(), float64(b-bytes)/1000/in.Seconds())
	}
}

// outage has every check fail, says what that costs NATS, and waits until all are
// well again.
func (s *squad) outage(site *counter, one, two *agentAt, checks int, period time.Duration) {
	s.t.Helper()
	firing := func() int {
		n := 0
		for _, a := range []*agentAt{one, two} {
			for line := range strings.Lines(a.metrics()) {
				if strings.HasPrefix(line, "esawatch_check_state{") && strings.Contains(line, `state="firing"`) && strings.HasSuffix(line, " 1\n") {
					n++
				}
			}
		}
		return n
	}
	began, breaks := time.Now(), s.traffic()
	site.broken.Store(true)
	s.until("every check fires", period+2*patience, func() bool { time.Sleep(100 * time.Millisecond); return firing() == checks })
	took := time.Since(began)
	s.t.Logf("NATS while all %d checks begin to fire, in %v: %s", checks, took.Round(10*time.Millisecond), breaks(took))
	goesOn := s.traffic()
	time.Sleep(period)
	s.t.Logf("NATS while all go on failing: %s", goesOn(period))
	site.broken.Store(false)
	s.until("no check fires", 2*period+2*patience, func() bool { time.Sleep(100 * time.Millisecond); return firing() == 0 })
}
