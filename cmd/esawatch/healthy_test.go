package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthyTellsWhatTheAgentSays(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/-/healthy":
			_, _ = w.Write([]byte("healthy\n"))
		case "/-/ready":
			http.Error(w, "not ready: \x1b[2Jthe store is gone", http.StatusServiceUnavailable)
		default:
			http.Redirect(w, r, "/-/healthy", http.StatusFound)
		}
	}))
	t.Cleanup(server.Close)
	gone := httptest.NewServer(nil)
	gone.Close()

	for _, c := range []struct {
		url       string
		code      int
		out, errs string
	}{
		{server.URL + "/-/healthy", exitOK, "healthy\n", ""},
		{server.URL + "/-/ready", exitFailed, "", "answers 503: not ready:  [2Jthe store is gone\n"},
		{server.URL + "/elsewhere", exitFailed, "", "answers 302: "},
		{gone.URL + "/-/healthy", exitFailed, "", "connection refused\n"},
		{"http://probe:hush@" + gone.Listener.Addr().String() + "/-/healthy", exitFailed, "", "connection refused\n"},
		{server.URL, exitUsage, "", "want one like " + defaultHealthURL},
		{"127.0.0.1:9523", exitUsage, "", "want one like " + defaultHealthURL},
		{"http://probe:hush@127.0.0.1:port/-/healthy", exitUsage, "", "want one like " + defaultHealthURL},
	} {
		got := esawatch(t, "healthy", c.url)
		if got.code != c.code || got.out != c.out || !strings.Contains(got.errors, c.errs) || (c.errs == "") != (got.errors == "") {
			t.Errorf("healthy %s: exit code %d, said %q, errors %q; want %d, %q, %q", c.url, got.code, got.out, got.errors, c.code, c.out, c.errs)
		}
		if strings.Contains(got.errors, "hush") || strings.Contains(got.errors, "\x1b") {
			t.Errorf("healthy %s shows a secret or moves the cursor: %q", c.url, got.errors)
		}
	}
}

// TestHealthyReadsNoConfiguration holds that a mistake in the files does not
// make an agent look ill that runs on with what it had.
func TestHealthyReadsNoConfiguration(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, consoleReceiver)
	d := h.start()
	d.untilAsked(h.edge, 1) // it watches, and the scheduler's clock ticks
	h.write("50.yaml", "sites: 5\n")
	if got := esawatch(t, "healthy", "--config", h.dir+"/config", "http://"+d.addr+"/-/healthy"); got.code != exitOK {
		t.Errorf("exit code %d: %s", got.code, got.errors)
	}
	d.kill()
	if got := esawatch(t, "healthy", "http://"+d.addr+"/-/healthy"); got.code != exitFailed {
		t.Errorf("exit code %d of a dead agent", got.code)
	}
}
