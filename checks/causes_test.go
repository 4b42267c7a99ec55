package checks_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/checks/probe"
)

// TestCausesAreInMetrics breaks real servers in every way that others show by
// the same zeros, or take for health, and looks for the cause where alerts can
// see it: in the labels of a counter.
func TestCausesAreInMetrics(t *testing.T) {
	answers := func(raw string) string { return "http://" + listener(t, raw) }
	tests := []struct {
		name      string
		request   probe.Request
		expect    assert.Expect
		condition catalog.Condition
		fault     catalog.Fault
	}{
		{name: "no such name", request: probe.Request{URL: "http://shop.invalid/"},
			condition: catalog.DNSFailure, fault: catalog.FaultDNS},
		{name: "nothing listens", request: probe.Request{URL: "http://127.0.0.1:1"},
			condition: catalog.ConnectRefused, fault: catalog.FaultNetwork},
		{name: "expired", request: secured(t, time.Now().Add(-50*time.Hour), ""),
			condition: catalog.TLSExpired, fault: catalog.FaultTLS},
		{name: "wrong host", request: secured(t, time.Time{}, "shop.invalid"),
			condition: catalog.TLSWrongHost, fault: catalog.FaultTLS},
		{name: "untrusted", request: probe.Request{URL: secured(t, time.Time{}, "").URL},
			condition: catalog.TLSUntrusted, fault: catalog.FaultTLS},
		{name: "no TLS", request: probe.Request{URL: "https://" + listener(t, "HTTP/1.1 400 Bad Request\r\n\r\n")},
			condition: catalog.TLSHandshake, fault: catalog.FaultTLS},
		{name: "garbage", request: probe.Request{URL: answers("\x00\x01garbage\r\n\r\n")},
			condition: catalog.ProtocolError, fault: catalog.FaultOrigin},
		{name: "silence", request: probe.Request{URL: answers(""), Timeout: 200 * time.Millisecond},
			condition: catalog.Timeout, fault: catalog.FaultOrigin},
		{name: "truncated body", request: probe.Request{URL: answers("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")},
			condition: catalog.ConnectionReset, fault: catalog.FaultNetwork},
		{name: "endless body", request: probe.Request{URL: dripping(t), Timeout: 300 * time.Millisecond},
			condition: catalog.Timeout, fault: catalog.FaultOrigin},
		{name: "endless redirects", request: probe.Request{URL: answers("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")},
			condition: catalog.RedirectLoop, fault: catalog.FaultContent},
		{name: "a status", request: probe.Request{URL: answers("HTTP/1.1 522 \r\nContent-Length: 0\r\n\r\n")},
			condition: "522", fault: catalog.FaultOriginLink},
		{name: "another page", request: probe.Request{URL: answers("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsold")},
			expect: assert.Expect{BodyContains: []string{"basket"}}, condition: catalog.BodyMismatch, fault: catalog.FaultContent},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := once(t, test.request, test.expect)
			m := watched(t)
			m.Observe(r)
			text := scrape(t, m)
			want := fmt.Sprintf(`esawatch_check_failures_total{site="shop",check="home",location="fra-1",condition=%q,fault=%q} 1`,
				test.condition, test.fault)
			if !strings.Contains(text, want+"\n") {
				t.Errorf("no %s; the result is %q: %+v", want, r.Condition(), r.Diagnosis)
			}
			if got := valueOf(text, "probe_success{"); got != "0" {
				t.Errorf("probe_success is %q", got)
			}
			p := r.PhasesSeconds
			if sum := p.Resolve + p.Connect + p.TLS + p.Processing + p.Transfer; sum > r.DurationSeconds+5e-6 { // each is rounded
				t.Errorf("phases %+v add up to %v, more than the whole, %v", p, sum, r.DurationSeconds)
			}
		})
	}
}

// TestExpiredCertificateIsMeasured holds that the handshake which fails for the
// certificate still tells when that ran out, and how long the phases took.
func TestExpiredCertificateIsMeasured(t *testing.T) {
	expired := time.Now().Add(-50 * time.Hour).Truncate(time.Second)
	for _, insecure := range []bool{false, true} {
		request := secured(t, expired, "")
		request.TLS.InsecureSkipVerify = insecure
		r := once(t, request, assert.Expect{})
		if r.Success != insecure {
			t.Fatalf("insecure %t: %s %q", insecure, r.Outcome, r.Condition())
		}
		m := watched(t)
		m.Observe(r)
		text := scrape(t, m)
		if got := valueOf(text, "probe_ssl_earliest_cert_expiry{"); got != fmt.Sprint(expired.Unix()) {
			t.Errorf("insecure %t: probe_ssl_earliest_cert_expiry is %q, want %d", insecure, got, expired.Unix())
		}
		if p := r.PhasesSeconds; p.Connect == 0 || p.TLS == 0 {
			t.Errorf("insecure %t: phases are %+v, though there was a connection", insecure, p)
		}
	}
}

// once runs a check of one request without an origin.
func once(t *testing.T, request probe.Request, expect assert.Expect) checks.Result {
	t.Helper()
	p, err := probe.New(request)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := checkOf(t, p, nil, expect)
	c.URL = request.URL
	return c.Run(t.Context())
}

// secured is a request to an edge over TLS, as host ("" = its address), whose
// certificate ends at a time (zero = later).
func secured(t *testing.T, ends time.Time, host string) probe.Request {
	t.Helper()
	edge, err := edgetest.New(edgetest.Options{TLS: true, CertExpires: ends})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, edge.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	request := probe.Request{URL: edge.URL() + "/", TLS: probe.TLSOptions{CAFile: ca}}
	if host != "" {
		request.URL, request.ConnectTo = "https://"+host+"/", edge.Addr()
	}
	return request
}

// listener answers one connection after the other with the same bytes; with
// none it stays silent until the other side gives up.
func listener(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(10 * time.Second))
			c.Read(make([]byte, 4096))
			io.WriteString(c, answer)
			if answer == "" {
				io.Copy(io.Discard, c)
			}
			c.Close()
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// dripping sends a body of one byte now and then, without end.
func dripping(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := io.WriteString(w, "."); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// valueOf is the value of the first series that begins so.
func valueOf(text, series string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, series) {
			_, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
			return value
		}
	}
	return ""
}
