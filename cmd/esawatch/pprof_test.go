package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestProfiles asks a running daemon for a profile, also as a page of somebody
// else's would through the user's browser.
func TestProfiles(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite)
	h.flags = []string{"--pprof", "127.0.0.1:0"}
	d := h.start()
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+/debug/pprof/`).FindString(d.log.String())
	if url == "" {
		t.Fatalf("no address is logged:\n%s", d.log)
	}
	for host, want := range map[string]int{"": http.StatusOK, "localhost:6060": http.StatusOK, "evil.invalid": http.StatusForbidden, "203.0.113.1:80": http.StatusForbidden} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"heap", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("host %q: status %d, want %d", host, resp.StatusCode, want)
		}
	}
	if _, _, body := d.page("GET", "/debug/pprof/", nil); strings.Contains(body, "goroutine") {
		t.Error("the profiles are on the status page's address too")
	}
}

// TestProfilesForNobodyElse asks for what would show the memory to the network.
func TestProfilesForNobodyElse(t *testing.T) {
	h := newHome(t, homeSite)
	t.Setenv("EDGE", h.edge.URL())
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		got := esawatch(t, "run", "--config", h.dir+"/config", "--pprof", address)
		if got.code != exitUsage || !strings.Contains(got.errors, "an address of this machine alone") {
			t.Errorf("%s: exit code %d, %s", address, got.code, got.errors)
		}
	}
	got := esawatch(t, "run", "--config", h.dir+"/config", "--pprof", "127.0.0.1:http:x")
	if got.code != exitFailed || !strings.Contains(got.errors, "--pprof: ") {
		t.Errorf("no address: exit code %d, %s", got.code, got.errors)
	}
}
