package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	shareChecks = 2000
	sharePeriod = 5 * time.Second
)

// counter is a site that notes when each of its pages was asked for.
type counter struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string][]time.Time
}

func startCounter(t *testing.T) *counter {
	c := &counter{asked: map[string][]time.Time{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
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
	site := startCounter(t)
	var sites strings.Builder
	sites.WriteString("defaults: {schedule: 5s}\nsites:\n")
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
	time.Sleep(2 * sharePeriod)
	before := site.within(from, from.Add(2*sharePeriod))
	each := func(a *agentAt) int { return strings.Count(a.metrics(), "\nprobe_success{") }
	first, second := each(one), each(two)
	if first+second != shareChecks || min(first, second) < shareChecks/3 {
		t.Errorf("the agents run %d and %d checks, want %d in all and about half each", first, second, shareChecks)
	}
	if before[2] < shareChecks*95/100 || before[0] > 0 {
		t.Errorf("in two periods so many checks ran so often: %v, want each twice", before)
	}

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
