package outbox

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/notify"
)

func TestWants(t *testing.T) {
	at := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	alert := incident.Alert{
		Check: "home", Firing: true, Severity: catalog.Warning, Labels: map[string]string{"team": "web", "tier": "1"},
		Result: checks.Result{Diagnosis: &catalog.Diagnosis{Fault: catalog.FaultOrigin}},
	}
	recovered := alert
	recovered.Check, recovered.Firing, recovered.Severity = "login", false, catalog.Critical
	named := alert
	named.Receivers = []string{"a", "me"}
	others := alert
	others.Receivers = []string{"a", "b"}
	told := incident.Delivery{Seq: 1, ToldAt: at}

	for _, test := range []struct {
		name     string
		match    Match
		alerts   []incident.Alert
		delivery incident.Delivery
		over     bool
		quiet    bool // send_resolved: false
		added    time.Time
		want     bool
	}{
		{name: "an empty match fits all", want: true},
		{name: "severity", match: Match{Severity: []string{"info", "warning"}}, want: true},
		{name: "other severity", match: Match{Severity: []string{"critical"}}},
		{name: "fault", match: Match{Fault: []string{"origin"}}, want: true},
		{name: "other fault", match: Match{Fault: []string{"origin_link"}}},
		{name: "site", match: Match{Site: []string{"blog", "shop"}}, want: true},
		{name: "other site", match: Match{Site: []string{"sho"}}},
		{name: "labels", match: Match{Labels: map[string]string{"team": "web", "tier": "1"}}, want: true},
		{name: "one label differs", match: Match{Labels: map[string]string{"team": "web", "tier": "2"}}},
		{name: "a label that is not there is not empty", match: Match{Labels: map[string]string{"zone": ""}}},
		{name: "all parts have to fit", match: Match{Severity: []string{"warning"}, Site: []string{"blog"}}},
		{name: "any alert will do", match: Match{Severity: []string{"critical"}}, alerts: []incident.Alert{alert, recovered}, want: true},
		{name: "parts of different alerts do not add up", match: Match{Severity: []string{"critical"}, Labels: map[string]string{"x": "y"}},
			alerts: []incident.Alert{alert, {Check: "login", Severity: catalog.Critical}, {Check: "cart", Labels: map[string]string{"x": "y"}}}},
		{name: "named, whatever the match", match: Match{Site: []string{"blog"}}, alerts: []incident.Alert{named}, want: true},
		{name: "others are named", alerts: []incident.Alert{others}},
		{name: "others are named by one alert only", alerts: []incident.Alert{others, recovered}, want: true},
		{name: "told before", match: Match{Site: []string{"blog"}}, delivery: told, want: true},
		{name: "perhaps told before", match: Match{Site: []string{"blog"}}, delivery: incident.Delivery{Sending: 1, SendingAt: at}, want: true},
		{name: "refused before", match: Match{Site: []string{"blog"}}, delivery: incident.Delivery{Seq: 1, Dropped: true}},
		{name: "the end", over: true, want: true},
		{name: "the end after it was told", match: Match{Site: []string{"blog"}}, delivery: told, over: true, want: true},
		{name: "no end wanted", over: true, quiet: true, delivery: told},
		{name: "over before the receiver was there", over: true, added: at.Add(2 * time.Hour)},
		{name: "over since", over: true, added: at.Add(time.Minute), want: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inc := incident.Incident{Site: "shop", OpenedAt: at, Seq: 2, Alerts: map[string]incident.Alert{},
				Deliveries: map[string]incident.Delivery{"me": test.delivery, "you": told}}
			if test.over {
				inc.ResolvedAt = at.Add(time.Hour)
			}
			if test.alerts == nil {
				test.alerts = []incident.Alert{alert}
			}
			for _, a := range test.alerts {
				inc.Alerts[a.Check] = a
			}
			r := Receiver{Name: "me", Match: test.match, SendResolved: !test.quiet, added: test.added}
			if got := r.owed(&inc); got != test.want {
				t.Errorf("owed %v, want %v", got, test.want)
			}
		})
	}
}

func TestPauseAfter(t *testing.T) {
	for n, longest := range map[int]time.Duration{0: time.Second, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second,
		9: 256 * time.Second, 10: 5 * time.Minute, 1000: 5 * time.Minute} {
		low, high := longest, time.Duration(0)
		for range 1000 {
			pause := pauseAfter(n)
			low, high = min(low, pause), max(high, pause)
		}
		if low < longest/10 || high > longest || low > longest/5 || high < longest*9/10 {
			t.Errorf("pauses after %d failures from %v to %v, want from %v to %v", n, low, high, longest/10, longest)
		}
	}
}

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		`Post "https://hooks.example.com/services/T0/B0/s3cret": EOF`:   `Post "https://hooks.example.com/…": EOF`,
		"get http://user:s3cret@127.0.0.1:8080/?key=s3cret: no\nanswer": "get http://127.0.0.1:8080/… no answer",
		"https://example.com?token=s3cret":                              "https://example.com/…",
		"invalid_auth":                                                  "invalid_auth",
	} {
		if got := redact(textError(text)); got != want {
			t.Errorf("redact %q:\n got %q\nwant %q", text, got, want)
		}
	}
	if got := redact(textError(string(make([]byte, 1<<20)))); len(got) > 1000 {
		t.Errorf("%d bytes", len(got))
	}
}

type textError string

func (e textError) Error() string { return string(e) }

func TestDueIsNeverFarAhead(t *testing.T) {
	now := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	p := plan{receiver: Receiver{Name: "me"}, timings: incident.Timings{GroupWait: 2 * time.Hour}}
	inc := incident.Incident{OpenedAt: now, Seq: 1}
	if got := p.due(&inc, now); !got.Equal(now.Add(2 * time.Hour)) {
		t.Errorf("due %v, want after the configured wait", got)
	}
	inc.OpenedAt = now.Add(24 * time.Hour) // the clock was set back since
	if got := p.due(&inc, now); !got.Equal(now) {
		t.Errorf("due %v, want now", got)
	}
}

func TestDoubtful(t *testing.T) {
	refused := errors.New("connection refused")
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&net.OpError{Op: "dial", Err: refused}, false},
		{fmt.Errorf("post: %w", &net.DNSError{Err: "no such host", IsNotFound: true}), false},
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, true},
		{context.DeadlineExceeded, true},
		{io.ErrUnexpectedEOF, true},
		{notify.Because(notify.ReasonServer, errors.New("503")), true},
		{notify.RetryAfter(errors.New("429"), time.Second), false},
		{notify.Permanent(errors.New("invalid_blocks")), false},
		{notify.Misconfigured(errors.New("invalid_auth")), false},
		{x509.UnknownAuthorityError{}, false},
	} {
		if got := doubtful(test.err); got != test.want {
			t.Errorf("doubtful(%v) = %v, want %v", test.err, got, test.want)
		}
	}
}
