package alertmanager

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

// cluster is Alertmanagers behind a transport, so that time can be played with.
type cluster struct {
	mu      sync.Mutex
	members map[string]*fake  // by host
	broken  map[string]string // host -> "refuse" or "hang"
	asked   map[string]int
}

func newCluster(hosts ...string) (*cluster, []string) {
	c := &cluster{members: map[string]*fake{}, broken: map[string]string{}, asked: map[string]int{}}
	var urls []string
	for _, h := range hosts {
		c.members[h] = &fake{}
		urls = append(urls, "http://"+h)
	}
	return c, urls
}

func (c *cluster) set(host, how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken[host] = how
}

func (c *cluster) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	how := c.broken[r.URL.Host]
	c.asked[r.URL.Host]++
	c.mu.Unlock()
	switch how {
	case "refuse":
		return nil, errors.New("connection refused")
	case "hang":
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	c.members[r.URL.Host].ServeHTTP(w, r)
	return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: r}, nil
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// TestOneOfTwoIsDown: the other is told at once, and the one that was down is
// told when it is back.
func TestOneOfTwoIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, urls := newCluster("am-1", "am-2")
		var log bytes.Buffer
		n := newNotifier(t, Options{URLs: urls, Transport: c, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		c.set("am-2", "refuse")
		m := shifted(notifytest.Story())[0]
		for range 2 {
			receipt, err := n.Notify(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			m.Receipt = receipt
		}
		if alerts, posts := c.members["am-1"].last(); posts != 2 || len(alerts) != 1 {
			t.Errorf("the healthy one took %d requests", posts)
		}
		if got := c.asked["am-2"]; got != 1 {
			t.Errorf("the one that is down was asked %d times within its rest", got)
		}
		c.set("am-2", "")
		wait := n.Resend(m.Receipt)
		if wait != DefaultInterval {
			t.Fatalf("resend after %v", wait)
		}
		time.Sleep(wait)
		again, err := n.Notify(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		if again[receiptKey] != m.Receipt[receiptKey] {
			t.Errorf("the same state gave another receipt:\n%s\n%s", again, m.Receipt)
		}
		if alerts, posts := c.members["am-2"].last(); posts != 1 || len(alerts) != 1 || time.Until(alerts[0].EndsAt) != lifetimes*DefaultInterval {
			t.Errorf("the one that is back was told %d times: %+v", posts, alerts)
		}
		for _, want := range []string{"level=WARN", "does not take alerts", "takes alerts again", "target=am-2"} {
			if strings.Count(log.String(), want) == 0 {
				t.Errorf("log lacks %q:\n%s", want, &log)
			}
		}
		if lines := strings.Count(log.String(), "\n"); lines != 2 {
			t.Errorf("%d lines of log, want one a change:\n%s", lines, &log)
		}
	})
}

// TestOneOfTwoHangs: it holds up the first notification by a moment, and those
// after it not at all.
func TestOneOfTwoHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, urls := newCluster("am-1", "am-2")
		n := newNotifier(t, Options{URLs: urls, Transport: c})
		c.set("am-1", "hang")
		for i, most := range []time.Duration{grace, 0, 0} {
			begin := time.Now()
			if _, err := n.Notify(t.Context(), notifytest.Story()[0]); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took != most {
				t.Errorf("notification %d took %v, want %v", i, took, most)
			}
		}
		if _, posts := c.members["am-2"].last(); posts != 3 {
			t.Errorf("the other took %d requests", posts)
		}
	})
}

// TestMissedEnd: an end is told again until every instance knows it, but not for
// longer than an instance can hold the alert by itself.
func TestMissedEnd(t *testing.T) {
	for _, heals := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c, urls := newCluster("am-1", "am-2")
			n := newNotifier(t, Options{URLs: urls, Transport: c})
			story := shifted(notifytest.Story())
			receipt, err := n.Notify(t.Context(), story[5])
			if err != nil {
				t.Fatal(err)
			}
			c.set("am-2", "refuse")
			time.Sleep(time.Until(story[6].At))
			m := story[6]
			m.Receipt = receipt
			ended := time.Now()
			var wait time.Duration
			for rounds := 0; ; rounds++ {
				if m.Receipt, err = n.Notify(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				if wait = n.Resend(m.Receipt); wait == 0 || rounds > 20 {
					break
				}
				time.Sleep(wait)
				if heals {
					c.set("am-2", "")
				}
			}
			took := time.Since(ended)
			alerts, posts := c.members["am-2"].last()
			if heals && (took != DefaultInterval/2 || posts != 2 || len(alerts) != 1 || alerts[0].EndsAt.After(m.At)) {
				t.Errorf("healed: told after %v, %d requests: %+v", took, posts, alerts)
			}
			if !heals && (took < (lifetimes-2)*DefaultInterval || took > lifetimes*DefaultInterval) {
				t.Errorf("gave up after %v", took)
			}
		})
	}
}

// shifted is the story as if it began now, in the time of a bubble.
func shifted(story []notify.Notification) []notify.Notification {
	by := time.Since(story[0].Since)
	for i := range story {
		story[i] = moved(story[i], by)
	}
	return story
}

// TestAllFail: the error is of the kind that gives the most hope, and names all.
func TestAllFail(t *testing.T) {
	refuse, first := startFake(t)
	broken, second := startFake(t)
	refuse.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	broken.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	n := newNotifier(t, Options{URLs: []string{first, second}})
	m := notifytest.Story()[0]
	receipt, err := n.Notify(t.Context(), m)
	if notify.IsPermanent(err) || notify.ReasonOf(err) != notify.ReasonServer ||
		!strings.Contains(err.Error(), "502") || !strings.Contains(err.Error(), "400") {
		t.Errorf("error %v of reason %q", err, notify.ReasonOf(err))
	}
	if told := Read(receipt); len(told.Firing) != 0 || len(told.Maybe) != 1 {
		t.Errorf("told %+v", told)
	}
	broken.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	if _, err := n.Notify(t.Context(), m); !notify.IsPermanent(err) {
		t.Errorf("error %v is not permanent", err)
	}
}
