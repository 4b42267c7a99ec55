package checks_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/checks/exposition"
	"github.com/esawatch/esawatch/checks/probe"
)

// What users of other monitors complain of, each as a test with the complaint
// as its name.

// "Request failed with status code 522", and nobody could say what to check.
func TestUptimeKuma5841NobodyCanSayWhatToCheck(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	edge.Set(edgetest.ConnectTimeout())
	r := run(t, edge.URL()+"/")
	d := r.Diagnosis
	if r.Condition() != "522" || d == nil {
		t.Fatalf("condition %q, diagnosis %+v", r.Condition(), d)
	}
	if d.Title != "Connection timed out" || d.Fault != catalog.FaultOriginLink || d.Owner == "" || d.Summary == "" || d.DocURL == "" {
		t.Errorf("what it is, whose it is and where to read on: %+v", d)
	}
	steps, evidence := strings.Join(d.Steps, "\n"), strings.Join(d.Evidence, "\n")
	for _, want := range []string{"--connect-to", "Origin Protection", "firewall"} {
		if !strings.Contains(steps, want) {
			t.Errorf("no step speaks of %q:\n%s", want, steps)
		}
	}
	for _, want := range []string{"ESA request id: " + r.Edge.RequestID, "POP: " + edge.POP()} {
		if r.Edge.RequestID == "" || !strings.Contains(evidence, want) {
			t.Errorf("a ticket needs %q:\n%s", want, evidence)
		}
	}
}

// "All I know is something happened to make the alert send": the alert has to
// name what was wanted and what came.
func TestGatus19TheAlertDoesNotSayWhatHappened(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{Origin: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Release", "41")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"queue": 17}`))
	})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	for _, test := range []struct {
		expect    assert.Expect
		want, got string
	}{
		{assert.Expect{Status: []string{"204"}}, "204", "200"},
		{assert.Expect{Headers: map[string]string{"X-Release": "42"}}, "42", "41"},
		{assert.Expect{BodyContains: []string{"basket"}}, "basket", "queue"},
		{assert.Expect{Expr: []string{`json.queue < 10`}}, "json.queue < 10", "17"},
		{assert.Expect{MaxDuration: time.Nanosecond}, "want at most 1ns", "slow: "},
	} {
		t.Run(test.want, func(t *testing.T) {
			p, err := probe.New(probe.Request{URL: edge.URL() + "/", Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Close)
			r := checkOf(t, p, nil, test.expect).Run(t.Context())
			if r.Diagnosis == nil {
				t.Fatal("the check passes")
			}
			// What was wrong comes before who answered and how long it took.
			if first := strings.Join(r.Diagnosis.Evidence[:2], "\n"); !strings.Contains(first, test.want) || !strings.Contains(first, test.got) {
				t.Errorf("evidence does not begin with what was wanted, %q, and what came, %q:\n%s", test.want, test.got, strings.Join(r.Diagnosis.Evidence, "\n"))
			}
		})
	}
}

// The one moment at which the end of a certificate matters most is after it.
func TestBlackbox423CertificateMetricsDisappearOnceExpired(t *testing.T) {
	expired := time.Now().Add(-48 * time.Hour).Truncate(time.Second)
	edge, err := edgetest.New(edgetest.Options{TLS: true, CertExpires: expired})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, edge.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := probe.New(probe.Request{URL: edge.URL() + "/", Timeout: 5 * time.Second, TLS: probe.TLSOptions{CAFile: ca}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	check := checkOf(t, p, nil, assert.Expect{})
	r := check.Run(t.Context())
	if r.Condition() != catalog.TLSExpired || r.TLS == nil || !r.TLS.NotAfter.Equal(expired) {
		t.Fatalf("condition %q, certificate %+v, want %q and its end, %v", r.Condition(), r.TLS, catalog.TLSExpired, expired)
	}
	m := checks.NewMetrics("fra-1")
	m.SetChecks([]*checks.Check{check})
	m.Observe(r)
	var text bytes.Buffer
	w := exposition.NewWriter(&text, exposition.Text)
	m.Write(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		if strings.HasPrefix(line, "probe_ssl_earliest_cert_expiry{") {
			var value float64
			if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &value); err != nil || int64(value) != expired.Unix() {
				t.Errorf("%q: want %d", line, expired.Unix())
			}
			return
		}
	}
	t.Error("there is no probe_ssl_earliest_cert_expiry")
}
