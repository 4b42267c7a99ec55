package assert

import (
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/probe"
)

const order = `{"status":"ok","n":12345678901234567,"big":123456789012345678901234567890,"f":1.5,"one":1.0,"none":null,"yes":true,
 "parts":[{"name":"db","up":true,"lag":3},{"name":"cache","up":false,"lag":7}],"nest":{"a":[1,2]}}`

func TestJSON(t *testing.T) {
	tests := []struct {
		path string
		want any
		got  string // "" = met
	}{
		{"$.status", "ok", ""},
		{"$.status", "down", `$.status = "ok"`},
		{"$['status']", "ok", ""},
		{"$.n", 12345678901234567, ""},
		{"$.n", int64(12345678901234568), "$.n = 12345678901234567"},
		{"$.n", 12345678901234568.0, "$.n = 12345678901234567"},
		{"$.big", uint64(18446744073709551615), "$.big = 123456789012345678901234567890"},
		{"$.f", 1.5, ""},
		{"$.one", 1, ""},
		{"$.one", "1", "$.one = 1"},
		{"$.none", nil, ""},
		{"$.missing", nil, "nothing at $.missing"},
		{"$.yes", true, ""},
		{"$.yes", "true", "$.yes = true"},
		{"$.parts[0].name", "db", ""},
		{"$.parts[-1].name", "cache", ""},
		{"$.parts[?@.lag > 5].name", "cache", ""},
		{`$.parts[?@.name == "db"].up`, true, ""},
		{"$.parts[*].up", true, "$.parts[*].up = false"},
		{"$..lag", 3, "$..lag = 7"},
		{`$.parts[?match(@.name, "d.")].lag`, 3, ""},
		{"$.nest.a", []any{1, 2}, ""},
		{"$.nest.a", []any{1}, "$.nest.a = [1,2]"},
		{"$.nest", map[string]any{"a": []any{1, 2.0}}, ""},
		{"$.nest", map[string]any{"a": []any{1, 2}, "b": nil}, `$.nest = {"a":[1,2]}`},
	}
	for _, tt := range tests {
		got := one(t, Expect{JSON: map[string]any{tt.path: tt.want}}, answer(200, order))
		want := ""
		if tt.got != "" {
			want = "json_mismatch: got " + tt.got + "; want " + tt.path + " = "
		}
		if !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%s = %v:\ngot  %q\nwant %q", tt.path, tt.want, got, want)
		}
	}
}

func TestJSONOfSeveralPaths(t *testing.T) {
	got := one(t, Expect{JSON: map[string]any{"$.status": "down", "$.yes": true, "$.f": 2}}, answer(200, order))
	if want := `json_mismatch: got $.f = 1.5; $.status = "ok"; want $.f = 2; $.status = "down"`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNoJSON(t *testing.T) {
	for body, want := range map[string]string{
		"":                               "it ends too early",
		"<html>":                         "invalid character '<'",
		`{"a":1} trailing`:               "more after its end",
		`{"a":1`:                         "it ends too early",
		`{'a':1}`:                        "invalid character",
		`[1,]`:                           "invalid character",
		`[NaN]`:                          "invalid character",
		strings.Repeat("[", 500_000):     "exceeded max depth",
		strings.Repeat(`{"a":`, 200_000): "exceeded max depth",
		"{\"a\":\"" + "x\x00" + "\"}":    "invalid character",
	} {
		got := one(t, Expect{JSON: map[string]any{"$..a": 1}}, answer(200, body))
		if !strings.HasPrefix(got, "json_mismatch: got a body that is not JSON") || !strings.Contains(got, want) {
			t.Errorf("%.20q: got %q, want %q", body, got, want)
		}
	}
}

func TestJSONPathErrors(t *testing.T) {
	for path, want := range map[string]string{
		"a.b":          "column 1: a path begins with $",
		"":             "column 1: a path begins with $",
		"$.":           "column 3: not terminated",
		"$.a b":        "column 4: parse error",
		"$.a[?@.x == ": "column 13: '' is not a value or function",
		"$..a..b":      "more than one ..",
	} {
		_, err := Build(Expect{JSON: map[string]any{path: 1}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", path, err, want)
		}
	}
	if _, err := JSON(map[string]any{"$.a": time.Now()}); err == nil {
		t.Error("a time was taken as a value")
	}
}

// TestJSONOfManyValues bounds the time for the largest body that is read.
func TestJSONOfManyValues(t *testing.T) {
	body := "[" + strings.Repeat("1,", probe.DefaultMaxBodyBytes/2-2) + "2]"
	for _, path := range []string{"$[-1]", "$..x", "$[?@ > 1]"} {
		start := time.Now() // what is slower than linear takes minutes
		one(t, Expect{JSON: map[string]any{path: 2}}, answer(200, body))
		t.Logf("%s: %s", path, time.Since(start).Round(time.Millisecond))
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range [][2]string{
		{"$.status", order}, {"$..lag", order}, {"$.parts[?@.lag>5].name", order}, {"$[?match(@,'(')]", `["("]`}, {"$[::-1]", `[1,2]`},
		{"$[?length(@.a)==count(@..*)]", `[{"a":1}]`}, {"$['a','b'][0:9223372036854775807]", `{"a":[1]}`}, {"$[?@.a==$.b]", `{"b":1}`}, {"$[-9223372036854775808]", `[1]`},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		if len(path) > 200 || len(body) > 4096 {
			return
		}
		a, err := JSON(map[string]any{path: "x"})
		if err != nil {
			return
		}
		if failure := a.Check(answer(200, body)); failure != nil && (failure.Got == "" || failure.Want == "") {
			t.Errorf("got %+v", failure)
		}
	})
}
