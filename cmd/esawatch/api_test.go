package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/esawatch/esawatch/checks/edgetest"
)

// described is the schema of a part of the API, as a daemon describes it.
func (d *daemon) described(name string) *jsonschema.Schema {
	d.t.Helper()
	status, _, body := d.page("GET", "/api/v1/openapi.json", nil)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if status != http.StatusOK || err != nil {
		d.t.Fatalf("the description: %d, %v: %.200s", status, err, body)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", doc); err != nil {
		d.t.Fatal(err)
	}
	schema, err := c.Compile("openapi.json#/components/schemas/" + name)
	if err != nil {
		d.t.Fatal(err)
	}
	return schema
}

// each holds every object of a list against a schema, and returns how many there are.
func each(t *testing.T, schema *jsonschema.Schema, what, list string) int {
	t.Helper()
	var all []json.RawMessage
	if err := json.Unmarshal([]byte(list), &all); err != nil {
		t.Fatalf("%s: %v: %.200s", what, err, list)
	}
	for _, one := range all {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(one))
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", what, err, one)
		}
	}
	return len(all)
}

// TestResultsAreAsDescribed holds real results, wherever they are shown, against
// the description that the daemon serves.
func TestResultsAreAsDescribed(t *testing.T) {
	t.Parallel()
	h := newHome(t, strings.ReplaceAll(shopSite, "    checks:", "    origin: {address: \"${ORIGIN}\"}\n    checks:"))
	d := h.start()
	result, incident := d.described("Result"), d.described("Incident")
	file := filepath.Join(t.TempDir(), "config.yaml")
	secure := newEdge(t, edgetest.Options{TLS: true})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, secure.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	sites := "sites:\n  - {name: plain, url: '" + h.edge.URL() + "', origin: {address: '" + h.edge.Origin().Addr() + "'}}\n" +
		"  - {name: secure, url: '" + secure.URL() + "', checks: [{name: ok, path: /, tls: {ca_file: " + ca + "}}, {name: untrusted, path: /}]}\n" +
		"  - {name: nowhere, url: 'http://nothing.invalid'}\n"
	if err := os.WriteFile(file, []byte(sites), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]edgetest.Behaviour{
		"healthy": edgetest.Healthy(), "521": edgetest.Status(521), "challenge": edgetest.Challenge(403), "blocked": edgetest.Blocked(),
		"stale": edgetest.StaleCopy(), "other": edgetest.NotESA(), "tls": edgetest.ProxyStatusTLS(),
	} {
		h.edge.Set(b)
		got := esawatch(t, "check", "--config", file, "--output", "json")
		if n := each(t, result, "check "+name, got.out); n != 4 {
			t.Errorf("%s: %d results, want 4: %s", name, n, got.errors)
		}
		got = esawatch(t, "probe", h.edge.URL(), "--output", "json")
		if n := each(t, result, "probe "+name, got.out); n != 1 {
			t.Errorf("%s: %d results, want 1: %s", name, n, got.errors)
		}
	}
	h.edge.Set(edgetest.Status(521))
	d.untilOpen("shop", "521")
	for path, schema := range map[string]*jsonschema.Schema{"results": result, "incidents": incident} {
		status, header, body := d.page("GET", "/api/v1/"+path, nil)
		if status != http.StatusOK || header.Get("Content-Type") != "application/json" || each(t, schema, path, body) == 0 {
			t.Errorf("%s: %d %s: %.200s", path, status, header.Get("Content-Type"), body)
		}
	}
}

// TestReloadOverHTTP: what is wrong with the configuration is answered, as a
// text or as a problem.
func TestReloadOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite)
	d := h.start()
	if status, _, body := d.page("POST", "/-/reload", nil); status != http.StatusOK || body != "reloaded\n" {
		t.Errorf("got %d %q", status, body)
	}
	h.write("10.yaml", strings.Replace(homeSite, "url:", "urll:", 1))
	status, _, body := d.page("POST", "/-/reload", nil)
	if status != http.StatusInternalServerError || !strings.Contains(body, `did you mean "url"?`) {
		t.Errorf("got %d %q", status, body)
	}
	status, header, body := d.page("POST", "/-/reload", http.Header{"Accept": {"application/json"}})
	var problem struct {
		Status int
		Detail string
		Errors []struct{ Detail string }
	}
	if err := json.Unmarshal([]byte(body), &problem); err != nil || header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("got %d %s %q: %v", status, header.Get("Content-Type"), body, err)
	}
	if problem.Status != 500 || len(problem.Errors) == 0 || !strings.Contains(problem.Errors[0].Detail, "10.yaml:") {
		t.Errorf("got %+v", problem)
	}
}

// TestAPIRefusesAForm: what curl -d sends says that it is a form.
func TestAPIRefusesAForm(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite)
	d := h.start()
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+d.addr+"/api/v1/silences", strings.NewReader(`{"matchers": ["site=shop"], "duration": "1h", "author": "ana"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusUnsupportedMediaType || !strings.Contains(string(body), "want the header Content-Type: application/json") {
		t.Errorf("got %d %s, %v", resp.StatusCode, body, err)
	}
}
