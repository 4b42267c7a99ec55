package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/notify/notifytest"
)

// The daemons of the crash test live side by side in crashHomes homes, and are
// killed defaultCrashes times in all unless ESAWATCH_CRASHES says how often.
// ESAWATCH_CRASH_SEED repeats a run's choices, though not the machine's timing.
const (
	crashHomes     = 4
	defaultCrashes = 40

	crashConfig = `
log: {level: info}
alerting: {storm: {incidents: 0}, flapping: {changes: 0}}
sites:
  - {name: shop, url: "${EDGE}", checks: [{name: home, path: /shop}]}
  - {name: blog, url: "${EDGE}", checks: [{name: home, path: /blog}]}
  - {name: docs, url: "${EDGE}", checks: [{name: home, path: /docs}]}
  - {name: news, url: "${EDGE}", checks: [{name: home, path: /news}]}
  - {name: wiki, url: "${EDGE}", checks: [{name: home, path: /wiki}]}
  - {name: mail, url: "${EDGE}", checks: [{name: home, path: /mail}]}
receivers:
  - name: oncall
    slack: {token_file: slack-token, channel: "#oncall", api_url: "${SLACK}"}
  - name: hook
    webhook: {url: %q}
`
	hookQueue = `esawatch_notification_queue_length{receiver="hook"}`
)

var crashSites = []string{"shop", "blog", "docs", "news", "wiki", "mail"}

// TestKilledAtRandomMoments kills daemons at any moment, again and again, while
// their sites fail and recover and their receivers hang, break off, refuse and
// lose answers. At the end every incident has been told and told to be over at
// every receiver. What was told twice is counted.
func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	kills := fromEnv(t, "ESAWATCH_CRASHES", defaultCrashes)
	seed := fromEnv(t, "ESAWATCH_CRASH_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("ESAWATCH_CRASHES=%d ESAWATCH_CRASH_SEED=%d", kills, seed)
	var mu sync.Mutex
	var all toll
	t.Run("homes", func(t *testing.T) {
		for i := range crashHomes {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				share := kills/crashHomes + min(1, max(0, kills%crashHomes-i))
				one := crashed(t, share, rand.New(rand.NewPCG(uint64(seed), uint64(i))))
				mu.Lock()
				defer mu.Unlock()
				all.add(one)
			})
		}
	})
	t.Logf("kills %d, incidents %d (a lost one is an error above), failed attempts %d (%d by a timeout); doubles: %d of %d Slack messages, %d of %d replies, %d of %d webhook notifications",
		all.kills, all.incidents, all.failed, all.timedOut, all.doubleTops, all.tops, all.doubleReplies, all.replies, all.doubleCalls, all.calls)
	if all.kills != kills || all.incidents < kills/20 {
		t.Errorf("%d kills, %d incidents: too few to show anything", all.kills, all.incidents)
	}
}

// fromEnv is a number from the environment.
func fromEnv(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		t.Fatalf("%s=%q: want a number above 0", name, text)
	}
	return n
}

// toll is what a crash test has come to.
type toll struct {
	kills, incidents          int
	failed, timedOut          int // attempts, beside those under way at a kill
	tops, replies, calls      int // at Slack, at the webhook
	doubleTops, doubleReplies int
	doubleCalls               int
}

func (a *toll) add(b toll) {
	a.kills += b.kills
	a.incidents += b.incidents
	a.failed += b.failed
	a.timedOut += b.timedOut
	a.tops += b.tops
	a.replies += b.replies
	a.calls += b.calls
	a.doubleTops += b.doubleTops
	a.doubleReplies += b.doubleReplies
	a.doubleCalls += b.doubleCalls
}

// crashed kills the daemons of one home and lets the last one settle.
func crashed(t *testing.T, kills int, rng *rand.Rand) toll {
	hook := startHook(t, rng.Uint64())
	h := newHome(t, fmt.Sprintf(crashConfig, hook.url))
	var daemons []*daemon
	calm := h.unrest(rng.Uint64())
	for i := range kills {
		d := h.launch()
		daemons = append(daemons, d)
		life, starting := lifetime(rng, i)
		if !starting { // which takes its time on a busy machine
			d.until("it watches", func() bool { return listening.MatchString(d.log.String()) })
		}
		time.Sleep(life)
		d.kill()
	}
	calm()
	hook.calm()
	d := h.start()
	settle(h, d)
	known := map[string]bool{}
	sum := toll{kills: kills}
	for _, d := range append(daemons, d) {
		sum.failed += strings.Count(d.log.String(), `msg="notification failed"`)
		sum.timedOut += strings.Count(d.log.String(), "Client.Timeout exceeded")
		for _, found := range openedIncident.FindAllStringSubmatch(d.log.String(), -1) {
			known[found[1]] = true
		}
	}
	sum.countSlack(t, h.slack, known)
	sum.countHook(t, hook, known)
	sum.incidents = len(known)
	return sum
}

// An incident is logged once it is on disk.
var openedIncident = regexp.MustCompile(`msg="incident opened" .*incident=(\S+)`)

// lifetime is how long the nth daemon lives, from when it watches: one in six dies
// while it starts, and one in 50 is there when a call that hangs times out.
func lifetime(rng *rand.Rand, n int) (life time.Duration, starting bool) {
	switch {
	case n%50 == 25:
		return 13*time.Second + time.Duration(rng.IntN(1000))*time.Millisecond, false
	case rng.IntN(6) == 0:
		return time.Duration(rng.IntN(150)) * time.Millisecond, true
	}
	return time.Duration(100+rng.IntN(1500)) * time.Millisecond, false
}

// unrest breaks and mends the sites and Slack until calm is called, which
// leaves all of them well.
func (h *home) unrest(seed uint64) (calm func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	every := func(stream uint64, least, most time.Duration, do func(*rand.Rand)) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, stream))
			for {
				select {
				case <-stop:
					return
				case <-time.After(least + time.Duration(rng.Int64N(int64(most-least)))):
					do(rng)
				}
			}
		})
	}
	for i, site := range crashSites {
		every(uint64(i), 500*time.Millisecond, 7*time.Second, func(rng *rand.Rand) {
			weather := []edgetest.Behaviour{edgetest.Healthy(), edgetest.Healthy(), edgetest.Status(521), edgetest.Status(525)}
			h.edge.SetPath("/"+site, weather[rng.IntN(len(weather))])
		})
	}
	every(99, 50*time.Millisecond, 400*time.Millisecond, func(rng *rand.Rand) {
		h.slack.ClearFaults()
		if rng.IntN(3) > 0 {
			h.slack.Fail(slackTroubles[rng.IntN(len(slackTroubles))])
		}
	})
	calm = sync.OnceFunc(func() {
		close(stop)
		wg.Wait()
		h.edge.Reset()
		h.slack.ClearFaults()
	})
	h.t.Cleanup(calm)
	return calm
}

// slackTroubles are the ways in which Slack fails, each for one call.
var slackTroubles = []notifytest.SlackFault{
	{Hang: true}, {Hang: true, After: true},
	{Reset: true}, {Reset: true, After: true},
	{Status: 503}, {Error: "ratelimited", RetryAfter: "1"},
}

// settle waits until nothing is open and nobody is owed anything, and ends the
// daemon as a service manager does. Pauses after failed attempts outlive a
// daemon, so it may take longer than other things here.
func settle(h *home, d *daemon) {
	h.t.Helper()
	d.untilAsked(h.edge, int64(3*len(crashSites)))
	for _, site := range crashSites {
		d.untilWell(site)
	}
	left := func(series string) float64 { n, _ := d.metric(series); return n }
	for deadline := time.Now().Add(2 * time.Minute); left(queue)+left(hookQueue) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("still owed: %v to Slack, %v to the webhook", left(queue), left(hookQueue))
		}
	}
	d.signal(syscall.SIGTERM)
	if code := d.exit(); code != 0 {
		h.t.Errorf("the last daemon ended with %d", code)
	}
}

// countSlack tests that Slack has each known incident and its end, and adds to
// known those that only Slack knows: a daemon may die before it logs one.
func (a *toll) countSlack(t *testing.T, slack *notifytest.Slack, known map[string]bool) {
	t.Helper()
	over := map[string]bool{}
	tops := slack.Tops()
	a.tops = len(tops)
	for _, top := range tops {
		id, seq := mark(t, top)
		if _, again := over[id]; again {
			a.doubleTops++
			t.Logf("incident %s has a second message, posted at %s", id, top.PostedAt.UTC().Format(time.StampMilli))
		}
		known[id] = true
		// One that was over when it was first posted has no thread.
		ended := isOver(slices.Concat(top.Edits, []notifytest.SlackMessage{top})[0])
		for _, reply := range slack.Replies(top.TS) {
			a.replies++
			of, next := mark(t, reply)
			switch {
			case of != id || next < seq:
				t.Errorf("in the thread of %s, after event %d comes event %d of %s", id, seq, next, of)
			case next == seq:
				a.doubleReplies++
			}
			seq = next
			ended = ended || isOver(reply)
		}
		over[id] = over[id] || isOver(top) && ended
	}
	for id := range known {
		if !over[id] {
			t.Errorf("incident %s: Slack has not been told its end (told at all: %t)", id, has(over, id))
		}
	}
}

// countHook does the same for the webhook.
func (a *toll) countHook(t *testing.T, hook *hook, known map[string]bool) {
	t.Helper()
	over, same := map[string]bool{}, map[string]bool{}
	for _, call := range hook.calls() {
		a.calls++
		if over[call.incident] && call.Status != "resolved" {
			t.Errorf("incident %s: the webhook is told that it fires after its end", call.incident)
		}
		if same[call.body] {
			a.doubleCalls++
		}
		same[call.body] = true
		known[call.incident] = true
		over[call.incident] = call.Status == "resolved"
	}
	for id := range known {
		if !over[id] {
			t.Errorf("incident %s: the webhook has not been told its end (told at all: %t)", id, has(over, id))
		}
	}
}

func has(m map[string]bool, key string) bool {
	_, ok := m[key]
	return ok
}
