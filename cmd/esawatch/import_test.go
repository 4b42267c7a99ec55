package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esawatch/esawatch/checks"
)

// runImported imports a source, and runs the checks that it has become.
func runImported(t *testing.T, source string, args ...string) map[string]checks.Result {
	t.Helper()
	dir := t.TempDir()
	file, config := filepath.Join(dir, "source"), filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	imported := esawatch(t, append(append([]string{"import"}, args...), file)...)
	if imported.code != exitOK {
		t.Fatalf("import: code %d: %s", imported.code, imported.errors)
	}
	if err := os.WriteFile(config, []byte(imported.out), 0o600); err != nil {
		t.Fatal(err)
	}
	if valid := esawatch(t, "validate", "--config", config); valid.code != exitOK {
		t.Fatalf("validate: %s%s", valid.out, valid.errors)
	}
	ran := esawatch(t, "check", "--config", config, "--output", "json")
	var results []checks.Result
	if err := json.Unmarshal([]byte(ran.out), &results); err != nil {
		t.Fatalf("check: %v: %s%s", err, ran.out, ran.errors)
	}
	byName := map[string]checks.Result{}
	for _, r := range results {
		byName[r.Check] = r
	}
	return byName
}

// TestImportedConditions holds conditions of Gatus to what Gatus makes of the
// same answer.
func TestImportedConditions(t *testing.T) {
	t.Parallel()
	const body = `{"status":"UP","user":{"name":"john.doe","some-key":"v"},"data":[{"id":1},{"id":2}],"age":7,"id":"7","price":24.99,"ok":true,"items":[{"s":"UP"},{"s":"UP"}],"mixed":[{"s":"UP"},{"s":"DOWN"}],"none":[],"a":"x","b":"x"}`
	tests := []struct {
		status    int
		body      string
		condition string
		pass      bool
	}{
		{200, body, "[STATUS] == 200", true}, {201, body, "[STATUS] == 200", false},
		{299, body, "[STATUS] < 300", true}, {404, body, "[STATUS] < 300", false},
		{404, body, "[STATUS] > 400", true}, {400, body, "[STATUS] > 400", false},
		{429, body, "[STATUS] == any(200, 429)", true}, {201, body, "[STATUS] == any(200, 429)", false},
		{204, "", "[STATUS] == pat(2*)", true}, {404, body, "[STATUS] == pat(2*)", false},
		{404, body, "[STATUS] != 500", true}, {500, body, "[STATUS] != 500", false},
		{500, body, "[CONNECTED] == true", true},
		{200, body, "300 > [STATUS]", true}, {301, body, "300 > [STATUS]", false},
		{200, "1", "[BODY] == 1", true}, {200, "2", "[BODY] == 1", false},
		{200, "OK\n", "[BODY] == OK", true}, {200, "KO", "[BODY] == OK", false}, {200, "KO", "[BODY] == any(OK, KO)", true}, {200, "KO", "[BODY] != KO", false},
		{200, "<h1>Example Domain</h1> and more", "[BODY] == pat(*<h1>Example Domain</h1>*)", true}, {200, "nothing", "[BODY] == pat(*<h1>Example Domain</h1>*)", false},
		{200, "nothing", "[BODY] != pat(*error*)", true}, {200, "an error", "[BODY] != pat(*error*)", false},
		{200, "a\nb", "[BODY] == pat(a*b)", true}, {200, "xa\nb", "[BODY] == pat(a*b)", false},
		{200, body, "[BODY].status == UP", true}, {200, body, "[BODY].status == DOWN", false}, {200, body, "[BODY].missing == UP", false}, {200, "text", "[BODY].status == UP", false},
		{200, body, "[BODY].user.name == john.doe", true}, {200, body, "[BODY].data[0].id == 1", true}, {200, body, "[BODY].data[1].id == 1", false}, {200, body, "[BODY].data[9].id == 1", false},
		{200, body, "[BODY].user.some-key == v", true}, {200, body, "[BODY].price == 24.99", true}, {200, body, "[BODY].ok == true", true}, {200, body, "[BODY].ok == false", false},
		{200, body, "[BODY].a == [BODY].b", true}, {200, body, "[BODY].a == [BODY].status", false}, {200, body, "[BODY].a != [BODY].status", true},
		{200, body, "[BODY].age > 6", true}, {200, body, "[BODY].age > 7", false}, {200, body, "[BODY].age <= 7", true}, {200, body, "[BODY].id >= 7", true}, {200, body, "[BODY].missing > 1", false},
		{200, body, "[BODY].age == any(6, 7)", true}, {200, body, "[BODY].id == any(6, 7)", true}, {200, body, "[BODY].age == any(1, 2)", false}, {200, body, "[BODY].age != 7", false}, {200, body, "[BODY].age != 8", true},
		{200, body, "[BODY].user.name == pat(john*)", true}, {200, body, "[BODY].user.name == pat(bob*)", false}, {200, body, "[BODY].user.name != pat(bob*)", true},
		{200, body, "len([BODY].data) < 5", true}, {200, body, "len([BODY].data) == 3", false}, {200, body, "len([BODY].user.name) == 8", true}, {200, "[1,2]", "len([BODY]) == 2", true}, {200, "text", "len([BODY]) == 4", true},
		{200, body, "has([BODY].errors) == false", true}, {200, body, "has([BODY].status) == false", false}, {200, body, "has([BODY].user.name) == true", true}, {200, body, "has([BODY].user.x.y) == true", false},
		{200, body, "[BODY].items[*].s == any(UP, IDLE)", true}, {200, body, "[BODY].mixed[*].s == any(UP, IDLE)", false}, {200, body, "[BODY].items[*].s == UP", true}, {200, body, "[BODY].mixed[*].s == UP", false},
		{200, body, "[BODY].none[*].s == UP", false}, {200, body, "[BODY].none[*].s == any(UP, IDLE)", false}, {200, body, "[BODY].mixed[*].s != GONE", true}, {200, body, "[BODY].mixed[*].s != DOWN", false},
		{200, body, "[IP] == 127.0.0.1", true}, {200, body, "[IP] == pat(127.*)", true}, {200, body, "[IP] == pat(10.*)", false}, {200, body, "[IP] != 192.0.2.1", true},
		{200, body, "[RESPONSE_TIME] < 60000", true}, {200, body, "[RESPONSE_TIME] >= 60000", false},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var i int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &i); err != nil || i >= len(tests) {
			http.NotFound(w, r)
			return
		}
		w.WriteHeader(tests[i].status)
		if tests[i].body != "" {
			fmt.Fprint(w, tests[i].body)
		}
	}))
	defer server.Close()
	source := "endpoints:\n"
	for i, tt := range tests {
		source += fmt.Sprintf("  - {name: e%d, url: %s/%d, conditions: [%q], client: {ignore-redirect: true}}\n", i, server.URL, i, tt.condition)
	}
	results := runImported(t, source, "gatus")
	for i, tt := range tests {
		r, ok := results[fmt.Sprintf("e%d", i)]
		if !ok {
			t.Errorf("%s: not carried over", tt.condition)
			continue
		}
		if r.Success != tt.pass {
			got := ""
			if r.Diagnosis != nil {
				got = string(r.Diagnosis.Condition) + " " + strings.Join(r.Diagnosis.Evidence, "; ")
			}
			t.Errorf("%s with %d %q: got success %v (%s), want %v", tt.condition, tt.status, tt.body, r.Success, got, tt.pass)
		}
	}
}

// TestImportedModules runs modules of blackbox_exporter against an answer.
func TestImportedModules(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-A", "one")
		w.Header().Add("X-A", "two")
		fmt.Fprintf(w, "%s of %s says welcome", r.Method, r.Host)
	}))
	defer server.Close()
	for module, pass := range map[string]bool{
		"{}":                                                 true,
		"{valid_status_codes: [204]}":                        false,
		"{valid_http_versions: [HTTP/1.1]}":                  true,
		"{valid_http_versions: [HTTP/2]}":                    false,
		"{fail_if_ssl: true}":                                true,
		"{fail_if_not_ssl: true}":                            false,
		"{fail_if_body_matches_regexp: [welcome]}":           false,
		"{fail_if_body_not_matches_regexp: ['(?i)WELCOME']}": true,
		"{method: POST, fail_if_body_not_matches_regexp: ['^POST of example.com']}":                               false,
		"{method: POST, headers: {Host: example.com}, fail_if_body_not_matches_regexp: ['^POST of example.com']}": true,
		"{fail_if_header_not_matches: [{header: x-a, regexp: two}]}":                                              true,
		"{fail_if_header_not_matches: [{header: x-a, regexp: three}]}":                                            false,
		"{fail_if_header_not_matches: [{header: x-b, regexp: a, allow_missing: true}]}":                           true,
		"{fail_if_header_not_matches: [{header: x-b, regexp: a}]}":                                                false,
		"{fail_if_header_not_matches: [{header: x-a, regexp: one}, {header: x-a, regexp: two}]}":                  true,
		"{fail_if_header_matches: [{header: x-a, regexp: two}]}":                                                  false,
		"{fail_if_header_matches: [{header: x-a, regexp: three}]}":                                                true,
		"{fail_if_header_matches: [{header: x-b, regexp: a}]}":                                                    false,
		"{fail_if_header_matches: [{header: x-b, regexp: a, allow_missing: true}]}":                               true,
	} {
		results := runImported(t, "modules: {http_2xx: {prober: http, http: "+module+"}}\n", "blackbox", "--target", server.URL)
		if r := results["home"]; r.Success != pass {
			t.Errorf("%s: got success %v (%+v), want %v", module, r.Success, r.Diagnosis, pass)
		}
	}
}

// TestImportedMonitors runs monitors of Uptime Kuma against an answer.
func TestImportedMonitors(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); r.URL.Path == "/private" && (!ok || user != "probe" || password != "hunter2") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"status":"ok","count":3,"text":"3","list":[{"a":"b"}],"kind":%q}`, r.Header.Get("Content-Type"))
	}))
	defer server.Close()
	monitors := []struct {
		pass bool
		more string
	}{
		{true, `"type":"http","url":"/"`},
		{false, `"type":"http","url":"/","accepted_statuscodes":["300-399","404"]`},
		{true, `"type":"keyword","url":"/","keyword":"\"ok\""`},
		{false, `"type":"keyword","url":"/","keyword":"gone"`},
		{true, `"type":"keyword","url":"/","keyword":"gone","invertKeyword":true`},
		{true, `"type":"json-query","url":"/","jsonPath":"status","expectedValue":"ok"`},
		{true, `"type":"json-query","url":"/","jsonPath":"$.list[0].a","expectedValue":"b"`},
		{true, `"type":"json-query","url":"/","jsonPath":"$.count","expectedValue":"3"`},
		{true, `"type":"json-query","url":"/","jsonPath":"$.text","expectedValue":"3"`},
		{false, `"type":"json-query","url":"/","jsonPath":"$.count","expectedValue":"4"`},
		{true, `"type":"json-query","url":"/","jsonPath":"$.count","jsonPathOperator":">","expectedValue":"2"`},
		{true, `"type":"json-query","url":"/","jsonPath":"$.status","jsonPathOperator":"contains","expectedValue":"o"`},
		{false, `"type":"json-query","url":"/","jsonPath":"$.status","jsonPathOperator":"!=","expectedValue":"ok"`},
		{false, `"type":"http","url":"/private"`},
		{true, `"type":"keyword","url":"/","method":"POST","body":"{}","keyword":"application/json"`},
		{true, `"type":"keyword","url":"/","method":"POST","body":"a=b","httpBodyEncoding":"form","keyword":"x-www-form-urlencoded"`},
	}
	var source []string
	for i, m := range monitors {
		more := strings.Replace(m.more, `"url":"/`, `"url":"`+server.URL+`/`, 1)
		source = append(source, fmt.Sprintf(`{"id":%d,"name":"m%d","interval":60,%s}`, i, i, more))
	}
	results := runImported(t, "["+strings.Join(source, ",\n")+"]", "uptime-kuma")
	for i, m := range monitors {
		if r, ok := results[fmt.Sprintf("m%d", i)]; !ok || r.Success != m.pass {
			t.Errorf("%s: got success %v (%+v), want %v", m.more, r.Success, r.Diagnosis, m.pass)
		}
	}
}

// TestImportedFilesValidate holds what files of the shapes of the projects' own
// examples come to to what esawatch validate says, with the variables set that
// the import asks for.
func TestImportedFilesValidate(t *testing.T) {
	const testdata = "../../agent/config/migrate/testdata/"
	for _, args := range [][]string{
		{"blackbox", testdata + "blackbox.yml", "--prometheus", testdata + "prometheus.yml"},
		{"gatus", testdata + "gatus.yaml"},
		{"uptime-kuma", testdata + "uptime-kuma.json"},
		{"uptime-kuma", testdata + "uptime-kuma-rows.json"},
		{"uptime-kuma", testdata + "uptime-kuma-db.json"},
	} {
		imported := esawatch(t, append([]string{"import"}, args...)...)
		if imported.code != exitOK {
			t.Fatalf("%v: code %d: %s", args, imported.code, imported.errors)
		}
		asked := 0
		for line := range strings.Lines(imported.errors) {
			if rest, ok := strings.CutPrefix(line, "  the variable "); ok {
				name, _, _ := strings.Cut(rest, ",")
				t.Setenv(name, map[bool]string{true: "https://hooks.example.com/x", false: "value"}[strings.Contains(name, "URL") || name == "SLACK_CORE"])
				asked++
			}
		}
		if asked == 0 && strings.Contains(imported.out, "${") {
			t.Errorf("%v: asks for no variable, and uses some", args)
		}
		// There is no such file here, and no need for one.
		out := strings.ReplaceAll(imported.out, "ca_file: /certs/my_ca.crt", "ca_file: ''")
		config := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(config, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
		if valid := esawatch(t, "validate", "--config", config); valid.code != exitOK {
			t.Errorf("%v: %s%s", args, valid.out, valid.errors)
		}
	}
}
