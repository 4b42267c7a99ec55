package pagerduty

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

const testKey = "R0000000000000000000000TESTONLY0"

// fake takes events as PagerDuty does, and refuses what it would.
type fake struct {
	mu     sync.Mutex
	events []event
	answer func(w http.ResponseWriter, e event) bool // true: it has answered
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var e event
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	var wrong []string
	if err := d.Decode(&e); err != nil {
		wrong = append(wrong, err.Error())
	}
	if f.answer != nil && f.answer(w, e) {
		return
	}
	wrong = append(wrong, check(e)...)
	if len(body) > 512<<10 {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if len(wrong) > 0 {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(said{"invalid event", "Event object is invalid", wrong})
		return
	}
	f.mu.Lock()
	f.events = append(f.events, e)
	f.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
	_, _ = fmt.Fprintf(w, `{"status":"success","message":"Event processed","dedup_key":%q}`, e.DedupKey)
}

// check lists what PagerDuty would not take.
func check(e event) (wrong []string) {
	if len(e.RoutingKey) != 32 {
		wrong = append(wrong, "Length of 'routing_key' is incorrect (should be 32 characters)")
	}
	if e.Action == "resolve" && e.DedupKey != "" {
		return wrong
	}
	p := e.Payload
	switch {
	case e.Action != "trigger" || p == nil:
		return append(wrong, "'event_action' is invalid")
	case e.DedupKey == "" || len(e.DedupKey) > maxDedupKey:
		wrong = append(wrong, "'dedup_key' is invalid")
	case p.Summary == "" || utf8.RuneCountInString(p.Summary) > maxSummary || p.Source == "":
		wrong = append(wrong, "'payload.summary' or 'payload.source' is missing or too long")
	case !slices.Contains([]string{"critical", "error", "warning", "info"}, p.Severity):
		wrong = append(wrong, "'payload.severity' is invalid")
	}
	for _, l := range e.Links {
		if notify.WebURL(l.Href) == "" || l.Text == "" {
			wrong = append(wrong, "'links' is invalid")
		}
	}
	return wrong
}

func (f *fake) taken() []event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.events)
}

func start(t *testing.T, h http.Handler, timeout time.Duration) *Notifier {
	t.Helper()
	server := httptest.NewServer(h)
	n, err := New(Options{RoutingKey: func() (string, error) { return testKey + "\n", nil }, URL: server.URL + "/v2/enqueue", Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = n.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return n
}

func TestContract(t *testing.T) {
	notifytest.Run(t, notifytest.Kind{
		New: func(t *testing.T, url string, timeout time.Duration) notify.Notifier {
			n, err := New(Options{RoutingKey: func() (string, error) { return testKey, nil }, URL: url, Timeout: timeout})
			if err != nil {
				t.Fatal(err)
			}
			return n
		},
		Server:  func() http.Handler { return &fake{} },
		Secrets: []string{testKey},
	})
}

// TestStory: one key from the first event to the last, which resolves.
func TestStory(t *testing.T) {
	f := &fake{}
	n := start(t, f, 0)
	var receipt notify.Receipt
	for _, m := range notifytest.Story() {
		m.Receipt = receipt
		var err error
		if receipt, err = n.Notify(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, e := range f.taken() {
		if e.DedupKey != "shop-20261123T150405-1" {
			t.Errorf("key %q", e.DedupKey)
		}
		severity := ""
		if e.Payload != nil {
			severity = " " + e.Payload.Severity
		}
		got = append(got, e.Action+severity)
	}
	want := []string{"trigger warning", "trigger warning", "trigger warning", "trigger critical", "trigger critical", "trigger critical", "resolve"}
	if !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

// TestOverBeforeItWasTold: nobody is woken for what is over, and a trigger that may
// have come through, though nobody knows, is resolved.
func TestOverBeforeItWasTold(t *testing.T) {
	f := &fake{}
	n := start(t, f, 0)
	m := notifytest.Story()[6]
	if _, err := n.Notify(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	events := f.taken()
	if len(events) != 1 || events[0].Action != "resolve" || events[0].DedupKey != dedupKey(m) {
		t.Errorf("events %+v, want it resolved and no more", events)
	}
}

func TestErrors(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		reason notify.Reason
		want   string
	}{
		{"bad event", answer(400, `{"status":"invalid event","message":"Event object is invalid","errors":["'payload.source' is missing or blank"]}`),
			notify.ReasonRefused, `HTTP status 400: "Event object is invalid: 'payload.source' is missing or blank"`},
		{"bad key", answer(400, `{"status":"invalid event","message":"Event object is invalid","errors":["Invalid routing key `+testKey+`"]}`),
			notify.ReasonMisconfigured, `Invalid routing key <secret>": set routing_key`},
		{"400 with nothing", answer(400, ``), notify.ReasonRefused, "HTTP status 400"},
		{"too large", answer(413, ``), notify.ReasonRefused, "HTTP status 413"},
		{"forbidden", answer(403, ``), notify.ReasonMisconfigured, "check routing_key and url"},
		{"another success", answer(202, `{"status":"queued"}`), notify.ReasonAnswer, "not an answer of PagerDuty"},
		{"a key that is a page", answer(202, `<html>`+testKey), notify.ReasonAnswer, "<secret>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := start(t, test.answer, 0).Notify(t.Context(), notifytest.Story()[0])
			if err == nil || notify.ReasonOf(err) != test.reason || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), testKey) {
				t.Errorf("error %v of reason %q, want one of %q with %q", err, notify.ReasonOf(err), test.reason, test.want)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("no routing key is no error")
	}
	key := func() (string, error) { return "", nil }
	if _, err := New(Options{RoutingKey: key, URL: "pagerduty"}); err == nil {
		t.Error("a URL that is none is no error")
	}
	for want, key := range map[string]func() (string, error){
		"pagerduty: routing_key is empty":      key,
		"pagerduty: read routing_key: no file": func() (string, error) { return "", errors.New("no file") },
	} {
		n, err := New(Options{RoutingKey: key})
		if err != nil || n.options.URL != DefaultURL {
			t.Fatal(n, err)
		}
		if _, err := n.Notify(t.Context(), notifytest.Story()[0]); !notify.IsMisconfigured(err) || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestSeverity(t *testing.T) {
	for in, want := range map[string]string{"info": "info", "warning": "warning", "critical": "critical", "": "error", "page": "error"} {
		if got := severity(in); got != want {
			t.Errorf("severity %q is %q, want %q", in, got, want)
		}
	}
}

// TestLongKey: an ID that PagerDuty would refuse still gives one key, always the same.
func TestLongKey(t *testing.T) {
	m := notify.Notification{ID: strings.Repeat("火", 200)}
	other := notify.Notification{ID: strings.Repeat("火", 201)}
	if k := dedupKey(m); len(k) > maxDedupKey || k != dedupKey(m) || k == dedupKey(other) {
		t.Errorf("key %q", k)
	}
}
