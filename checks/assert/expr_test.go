package assert

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/probe"
)

func exprAnswer() *probe.Response {
	r := answer(200, order, "Content-Type", "application/json", "X-Site-Cache-Status", "HIT", "X-A", "1", "X-A", "2")
	r.Phases = probe.Phases{Connect: 20 * time.Millisecond, Processing: 150 * time.Millisecond}
	r.TLS = &probe.TLSState{Version: "TLS 1.3", NotAfter: time.Now().Add(48 * time.Hour), DNSNames: []string{"shop.test"}}
	r.RemoteAddr, r.Redirects = "192.0.2.1:443", 1
	return r
}

func TestExpr(t *testing.T) {
	for _, source := range []string{
		`status == 200 && status_code in 200..299`,
		`http_version == "2.0" and url startsWith "https://" and redirects == 1 and remote_address endsWith ":443"`,
		`duration_seconds < 0.5 && phases.connect < phases_seconds.processing && phases.tls == 0`,
		`headers["Content-Type"] contains "json" && headers["X-A"] == "1, 2"`,
		`headers["Absent"] == ""`,
		`body contains "\"ok\"" && body_bytes > 100 && body matches "lag.:7"`,
		`json.status == "ok" && json.n == 12345678901234567 && json.parts[1].lag == 7`,
		`json?.absent?.deeper == nil`,
		`all(json.parts, .lag < 10) && count(json.parts, not .up) == 1 && sum(json.parts, .lag) == 10`,
		`let slow = filter(json.parts, .lag > 5); len(slow) == 1 && slow[0].name == "cache"`,
		`tls.version == "TLS 1.3" && tls.not_after > now() + duration("24h") && "shop.test" in tls.dns_names`,
		`edge.via_esa == "yes" && edge.cache_status in ["HIT", "MISS"] && edge.error_token == ""`,
	} {
		if got := one(t, Expect{Expr: []string{source}}, exprAnswer()); got != "" {
			t.Errorf("%s\n%s", source, got)
		}
	}
}

func TestExprFalse(t *testing.T) {
	for source, want := range map[string]string{
		`status == 200 && json.n < 5`:      `got status = 200, json.n = 12345678901234567; want status == 200 && json.n < 5`,
		`json.parts[0].up == false`:        `got json.parts[0].up = true; want`,
		`all(json.parts, .up)`:             `got json.parts = [{"lag":3,"name":"db","up":true},{"lag":7,"name":"cache","up":false}]; want`,
		`let x = json.f; x > 2`:            `got json.f = 1.5; want`,
		`edge.pop == "de7"`:                `got edge.pop = ""; want`,
		`false`:                            `got false; want false`,
		`json.absent.deeper == 1`:          `got column 13: cannot fetch deeper from <nil>; want`,
		`json.status > 5`:                  `got column 13: invalid operation: string > int; want`,
		`json.parts[9].up`:                 `got column 11: index out of range: 9 (array length is 2)`,
		`headers["X-A"] == "3"`:            `got headers["X-A"] = "1, 2"; want`,
		`len(map(1..150000, [#, #])) == 1`: `got column 20: memory budget exceeded`,
		`tls.not_after < tls.not_before`:   `got tls.not_after = "`,
		`body contains "z"`:                `got false; want`,
	} {
		got := one(t, Expect{Expr: []string{source}}, exprAnswer())
		if !strings.HasPrefix(got, "expr_mismatch: "+want) {
			t.Errorf("%s\ngot  %s\nwant %s", source, got, want)
		}
	}
}

func TestExprWithoutJSON(t *testing.T) {
	r := answer(200, "<html>")
	if got := one(t, Expect{Expr: []string{"json == nil"}}, r); got != "" {
		t.Error(got)
	}
	if got := one(t, Expect{Expr: []string{"json.a == 1", "tls.version == ''"}}, r); !strings.Contains(got, "cannot fetch a from <nil>") {
		t.Error(got)
	}
}

func TestExprErrors(t *testing.T) {
	for source, want := range map[string]string{
		`stat == 200`:                    "column 1: unknown name stat; there are status, status_code, url, ",
		`status == 200 && duration < 1`:  "column 18: unknown name duration (only duration(…) is a function); there are status, status_code, ",
		`now != nil`:                     "column 1: unknown name now (only now(…) is a function); there are ",
		`date > "2026"`:                  "column 1: unknown name date",
		`let now = 1; now > 0`:           "cannot redeclare builtin now",
		`tls.expires > now()`:            "column 5: no field expires; there are version, cipher, not_before, ",
		`status == "200"`:                "column 8: invalid operation: == (mismatched types int and string)",
		`edge.popp == ""`:                "column 6: no field popp; there are via_esa, request_id, ",
		"status == 200 &&\n  foo":        "line 2, column 3: unknown name foo",
		`status`:                         "expected bool, but got int",
		`(status`:                        "column 7: unexpected token EOF",
		``:                               "unexpected token EOF",
		`all(json.a, any(json.b, true))`: "column 25: a predicate within a predicate",
		`all(json.a, # > len(filter(json.a, # > 1)))`: "column 36: a predicate within a predicate",
		`any(json.a, body contains #)`:                "column 13: the body cannot be searched once for each element",
		`len(repeat("a", 100)) > 0`:                   "column 5: repeat cannot be used",
		`reduce(json.a, #acc + #) > 0`:                "column 1: reduce cannot be used",
		`$env["status"] == 200`:                       "$env cannot be used",
		strings.Repeat("!", 1200) + "true":            "exceeds maximum allowed nodes",
		strings.Repeat(" ", 5000) + "true":            "5004 bytes, at most 4096",
	} {
		_, err := Expr(source)
		if err == nil || !strings.HasPrefix(err.Error(), "expr[0]: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q", source, err, want)
		}
	}
}

// TestExprBounded lets a server send the body that makes allowed expressions
// work the most.
func TestExprBounded(t *testing.T) {
	many := answer(200, "["+strings.Repeat("1,", exprValues)+"2]")
	if got := one(t, Expect{Expr: []string{"all(json, # == 1)"}}, many); !strings.Contains(got, "more than 10000 values") {
		t.Error(got)
	}
	list := strings.Repeat("1,", exprValues/2-10) + "1"
	worst := answer(200, fmt.Sprintf(`{"a":[%s],"b":[%s]}`, list, strings.ReplaceAll(list, "1", "2")))
	for _, source := range []string{"any(json.a, # in json.b)", "any(json.a, json.a != json.a)", "len(sortBy(json.a, #)) == 0"} {
		start := time.Now()
		if got := one(t, Expect{Expr: []string{source}}, worst); got == "" {
			t.Errorf("%s: is true", source)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: took %s", source, took)
		} else {
			t.Logf("%s: %s", source, took)
		}
	}
}

func FuzzExpr(f *testing.F) {
	for _, s := range []string{`status == 200`, `all(json.a, .b > 1)`, `let x = json; x == nil`, `headers["A"] matches "("`, `1..5 == json`, `json?.a.b`, `"\u{110000}" == body`, `tls.not_after.Year() > 1`} {
		f.Add(s, order)
	}
	f.Fuzz(func(t *testing.T, source, body string) {
		if len(source) > 200 || len(body) > 4096 {
			return
		}
		a, err := Expr(source)
		if err != nil {
			return
		}
		if failure := a.Check(answer(200, body)); failure != nil && (failure.Got == "" || failure.Want == "") {
			t.Errorf("got %+v", failure)
		}
	})
}
