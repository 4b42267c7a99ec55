package checks_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/probe"
)

// TestNamesMeanWhatBlackboxMeans asks servers of each kind and holds the metrics
// that bear blackbox_exporter's names to the values that it gives them there, so
// that its dashboards and alerts say the same over ours. Times are as they come:
// of them it only counts whether there were any.
func TestNamesMeanWhatBlackboxMeans(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/missing":
			http.NotFound(w, r)
		case "/zipped":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, strings.Repeat("a", 5000))
			_ = z.Close()
		default:
			time.Sleep(2 * time.Millisecond) // so that there is a time to measure
			_, _ = io.WriteString(w, "hello")
		}
	}))
	defer plain.Close()
	ends := time.Now().Add(50 * time.Hour).Truncate(time.Second)
	with := func(base map[string]string, more ...string) map[string]string {
		m := maps.Clone(base)
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	// Whatever happens, each is there.
	nothing := map[string]string{
		"probe_success": "0", "probe_duration_seconds": "some", "probe_dns_lookup_time_seconds": "0",
		"probe_http_status_code": "0", "probe_http_version": "0", "probe_http_ssl": "0", "probe_http_redirects": "0",
		"probe_http_uncompressed_body_length": "0", "probe_ip_protocol": "0",
		"resolve": "0", "connect": "0", "tls": "0", "processing": "0", "transfer": "0",
	}
	hello := with(nothing, "probe_success", "1", "probe_http_status_code", "200", "probe_http_version", "1.1",
		"probe_http_uncompressed_body_length", "5", "probe_ip_protocol", "4",
		"connect", "some", "processing", "some", "transfer", "any")
	for _, test := range []struct {
		name    string
		request probe.Request
		want    map[string]string
	}{
		{"an answer", probe.Request{URL: plain.URL + "/"}, hello},
		{"a redirect", probe.Request{URL: plain.URL + "/moved"}, with(hello, "probe_http_redirects", "1")},
		{"a compressed body", probe.Request{URL: plain.URL + "/zipped"}, with(hello, "probe_http_uncompressed_body_length", "5000")},
		{"a status", probe.Request{URL: plain.URL + "/missing"},
			with(hello, "probe_success", "0", "probe_http_status_code", "404", "probe_http_uncompressed_body_length", "19")},
		{"TLS", secured(t, ends, ""), with(hello, "probe_http_ssl", "1", "probe_http_version", "2", "tls", "some",
			"probe_http_uncompressed_body_length", "any", "probe_ssl_earliest_cert_expiry", fmt.Sprint(ends.Unix()),
			"probe_ssl_last_chain_expiry_timestamp_seconds", fmt.Sprint(ends.Unix()))},
		{"a name", probe.Request{URL: strings.Replace(plain.URL, "127.0.0.1", "localhost", 1), IPFamily: "4"},
			with(hello, "resolve", "some", "probe_dns_lookup_time_seconds", "some")},
		{"nobody listens", probe.Request{URL: "http://127.0.0.1:1/"}, with(nothing, "probe_ip_protocol", "4", "connect", "any")},
		{"no such name", probe.Request{URL: "http://shop.invalid/"}, with(nothing, "resolve", "some", "probe_dns_lookup_time_seconds", "some",
			"connect", "any")}, // the microseconds before the question; blackbox counts them nowhere
	} {
		t.Run(test.name, func(t *testing.T) {
			r := once(t, test.request, assert.Expect{})
			m := watched(t)
			m.Observe(r)
			got := map[string]string{}
			for line := range strings.Lines(scrape(t, m)) {
				series, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
				name, labels, _ := strings.Cut(series, "{")
				if !strings.HasPrefix(name, "probe_") {
					continue
				}
				if _, phase, found := strings.Cut(labels, `phase="`); found {
					name = strings.TrimSuffix(phase, `"`)
				}
				got[name] = value
			}
			for name, want := range test.want {
				if v, ok := got[name]; ok && (want == "any" || want == "some" && v != "0") {
					got[name] = want
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%d, %q (-blackbox +esawatch):\n%s", r.StatusCode, r.Condition(), diff)
			}
		})
	}
}
