package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esawatch/esawatch/notify/notifytest"
)

// answering is a server that answers all with the same.
func answering(t *testing.T, status int, header http.Header, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestSilenceErrors: what is wrong is named, with the exit code of its kind.
func TestSilenceErrors(t *testing.T) {
	t.Parallel()
	gone := "http://" + notifytest.RefusingAddress(t)
	withSecret := strings.Replace(gone, "http://", "http://ana:hunter2@", 1)
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no matcher", []string{"add"}, 2, "such as site=shop"},
		{"a bad duration", []string{"add", "site=shop", "--duration", "10"}, 2, "--duration: \"10\" is not a duration: it has no unit"},
		{"no ID", []string{"expire"}, 2, "requires at least 1 arg"},
		{"a path for an ID", []string{"expire", "../catalog"}, 2, `"../catalog" is not the ID of a silence`},
		{"a bad output", []string{"list", "--output", "xml"}, 2, "--output: got \"xml\""},
		{"a mistyped subcommand", []string{"lst"}, 2, `unknown command "lst"`},
		{"no scheme", []string{"list", "--url", "localhost:9522"}, 2, "want http://HOST:PORT"},
		{"no URL at all", []string{"list", "--url", "http://ana:hunter2@[::1"}, 2, "this is not a URL"},
		{"a user alone", []string{"list", "--url", gone, "--user", "ana"}, 2, "go together"},
		{"no password file", []string{"list", "--url", gone, "--user", "ana", "--password-file", "none"}, 2, "--password-file: open none"},
		{"no such configuration", []string{"list", "--config", "none.yaml"}, 2, "--url http://HOST:PORT names the agent without"},
		{"nobody there", []string{"list", "--url", withSecret}, 1, "ask the agent at " + gone + ": dial tcp"},
		{"bad matchers", []string{"add", "shop", "--url", answering(t, 400, nil, `{"detail": "matcher \"shop\": no operator"}`)}, 2, `esawatch: matcher "shop": no operator`},
		{"an unknown ID", []string{"expire", "abc", "--url", answering(t, 404, nil, `{"detail": "expire silence \"abc\": no such silence"}`)}, 1, `expire silence "abc": no such silence`},
		{"a full disk", []string{"add", "site=shop", "--url", answering(t, 503, nil, `{"detail": "it could not be saved"}`)}, 1, "it could not be saved"},
		{"led elsewhere", []string{"list", "--url", answering(t, 302, http.Header{"Location": {"https://sso.example.com/"}}, "")}, 1, `leads to "https://sso.example.com/"`},
		{"another server", []string{"list", "--url", answering(t, 200, nil, "<html>")}, 1, "does not answer as an agent"},
		{"another server's error", []string{"list", "--url", answering(t, 500, nil, "\x1b[2Jbroken\nand more")}, 1, "answers 500, not as an agent of esawatch does:  [2Jbroken\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := esawatch(t, append([]string{"silence"}, tt.args...)...)
			if got.code != tt.code || !strings.Contains(got.errors, tt.want) || got.out != "" {
				t.Errorf("exit code %d, want %d, and %q in %q; printed %q", got.code, tt.code, tt.want, got.errors, got.out)
			}
			if strings.ContainsAny(got.errors, "\x1b") || strings.Contains(got.errors, "hunter2") {
				t.Errorf("it prints what it must not: %q", got.errors)
			}
		})
	}
}

// TestSilenceFindsTheAgent: where the configuration says that it is, below a
// path too, and what it lists cannot draw on the terminal.
func TestSilenceFindsTheAgent(t *testing.T) {
	t.Parallel()
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		_, _ = io.WriteString(w, `[{"id": "abc", "state": "active", "matchers": ["site=\"shop\""], "author": "a\u001b[2Jna", "comment": "two\nlines"}]`)
	}))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := "sites: [{name: shop, url: 'https://shop.example.com'}]\nweb: {external_url: '" + s.URL + "/esa/'}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := esawatch(t, "silence", "list", "--config", file)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if got.code != exitOK || len(lines) != 2 || !strings.Contains(lines[1], "a [2Jna") || !strings.HasSuffix(lines[1], `site="shop"  two lines`) {
		t.Errorf("exit code %d, %q%s", got.code, lines, got.errors)
	}
	if len(asked) != 1 || asked[0] != "GET /esa/api/v1/silences" {
		t.Errorf("asked %q", asked)
	}
}

// TestSilenceFindsTheAgentOnEveryAddress: an agent that listens everywhere is asked
// on loopback, whatever name this machine has, and whatever it probes from.
func TestSilenceFindsTheAgentOnEveryAddress(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "[]") }))
	defer s.Close()
	_, port, _ := strings.Cut(s.Listener.Addr().String(), ":")
	for _, listen := range []string{":" + port, "0.0.0.0:" + port} {
		file := filepath.Join(t.TempDir(), "config.yaml")
		writeText(t, file, "sites: [{name: shop, url: 'https://shop.example.com'}]\nagent: {location: fra-1}\nweb: {listen: '"+listen+"'}\n")
		if got := esawatch(t, "silence", "list", "--config", file); got.code != exitOK {
			t.Errorf("listen %q: exit code %d: %s", listen, got.code, got.errors)
		}
	}
}
