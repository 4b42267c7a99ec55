package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

func TestProbeNamesTheFlag(t *testing.T) {
	for _, test := range []struct{ flag, value, want string }{
		{"--origin", "foo", `--origin: "foo"`},
		{"--ca-file", "testdata/no-such-file", "--ca-file: "},
		{"--expect-status", "999", `--expect-status: "999"`},
		{"--data", "@testdata", "--data: "},
		{"--http-version", "9", `--http-version: "9"`},
		{"--connect-to", "x", `--connect-to: "x"`},
		{"--header", "no colon", `--header: got "no colon"`},
	} {
		var stdout, stderr strings.Builder
		code := run(t.Context(), []string{"probe", "http://site.invalid/", test.flag, test.value}, &stdout, &stderr)
		if code != exitUsage || !strings.Contains(stderr.String(), test.want) || stdout.Len() > 0 {
			t.Errorf("%s %s: exit %d, stdout %q, stderr %q; want exit %d and %q",
				test.flag, test.value, code, stdout.String(), stderr.String(), exitUsage, test.want)
		}
	}
}

// TestProbeWithPassword: who asks is told the site, and the password nobody else.
func TestProbeWithPassword(t *testing.T) {
	const password = "hunter2-probe"
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, given, _ := r.BasicAuth(); user != "ana" || given != password {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+" "+password) // as a page for debugging does
	}))
	defer site.Close()
	dir := t.TempDir()
	file, empty, wrong := filepath.Join(dir, "password"), filepath.Join(dir, "empty"), filepath.Join(dir, "wrong")
	writeText(t, file, password+"\n")
	writeText(t, empty, "\n")
	writeText(t, wrong, "hunter2-wrong")
	host := strings.TrimPrefix(site.URL, "http://")
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{site.URL, "--user", "ana", "--password-file", file}, exitOK, "PASS"},
		{[]string{site.URL, "--user", "ana", "--password-file", file, "--output", "json"}, exitOK, `"status_code": 200`},
		{[]string{site.URL, "--user", "ana", "--password-file", file, "--expect-status", "204"}, exitFailed, "FAIL"},
		{[]string{site.URL, "--user", "ana", "--password-file", wrong}, exitFailed, "401"},
		{[]string{site.URL}, exitFailed, "401"},
		{[]string{site.URL, "--user", "ana"}, exitUsage, "--user NAME and --password-file FILE go together"},
		{[]string{site.URL, "--password-file", file}, exitUsage, "--user NAME and --password-file FILE go together"},
		{[]string{site.URL, "--user", "ana", "--password-file", empty}, exitUsage, "--password-file: "},
		{[]string{site.URL, "--user", "ana", "--password-file", file + "x"}, exitUsage, "--password-file: open "},
		{[]string{site.URL, "--user", "ana", "--password-file", file, "--header", "Authorization: Bearer x"}, exitUsage, "--user: and a header Authorization exclude each other"},
		{[]string{"http://ana:" + password + "@" + host + "/"}, exitUsage, "--user NAME --password-file FILE"},
	} {
		got := esawatch(t, append([]string{"probe"}, test.args...)...)
		if got.code != test.code || !strings.Contains(got.out+got.errors, test.want) {
			t.Errorf("%q: exit %d, %q %q; want exit %d and %q", test.args, got.code, got.out, got.errors, test.code, test.want)
		}
		if strings.Contains(got.out+got.errors, "hunter2") || strings.Contains(got.out+got.errors, "auth.basic") {
			t.Errorf("%q: it prints what it must not: %q %q", test.args, got.out, got.errors)
		}
	}
}
