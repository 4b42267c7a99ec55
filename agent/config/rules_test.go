package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"
)

// TestEveryRuleIsKnown walks the tags: a rule that checkString does not know
// would panic at the first operator who uses the field.
func TestEveryRuleIsKnown(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(schemas, reflect.Type)
	walk = func(s schemas, typ reflect.Type) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		for _, f := range s.of(typ).fields {
			item := f
			if f.typ.Kind() == reflect.Slice || f.typ.Kind() == reflect.Map {
				item.typ = f.typ.Elem()
			}
			switch {
			case item.section() != nil:
				walk(s, item.section())
			case item.typ.Kind() == reflect.String:
				checkString(f.rule, "x")
			case item.typ.Kind() == reflect.Int:
				if p := checkInt(f.rule, 1); p != nil {
					t.Errorf("%s.%s: 1 is refused: %v", typ, f.key, p)
				}
			}
			if f.typ.Kind() == reflect.Map {
				if f.keyRule == "" {
					t.Errorf("%s.%s: no rule for its keys", typ, f.key)
				}
				checkString(f.keyRule, "x")
			}
		}
	}
	walk(schemas{}, reflect.TypeFor[Config]())
}

// TestConditionsAreTheCatalogs reads the catalog's constants, so that a new one
// can be overridden.
func TestConditionsAreTheCatalogs(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../checks/catalog/condition.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Condition" {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, value)
		}
		return true
	})
	if got := namedConditions(); len(want) < 20 || !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "500ms": 500 * time.Millisecond, "30s": 30 * time.Second, "5m": 5 * time.Minute, "1.5h": 90 * time.Minute,
		"1d": 24 * time.Hour, "2w": 336 * time.Hour, "1d12h": 36 * time.Hour, "1m30s": 90 * time.Second,
	} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("ParseDuration(%q): got %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "10", "-5s", "s", "1x", "1 s", "1S", "1.2.3s", "1us", "1e3s", "+1s", "300000w", "5m30", "∞s", "0x1s"} {
		if got, err := ParseDuration(s); err == nil {
			t.Errorf("ParseDuration(%q): got %v, want an error", s, got)
		}
	}
}

// TestDurationsRoundTrip writes and reads durations of whole milliseconds.
func TestDurationsRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		d := time.Duration(r.Int64N(int64(1)<<(r.IntN(40)+1))) * time.Millisecond
		if got, err := ParseDuration(formatDuration(d)); err != nil || got != d {
			t.Fatalf("%v is written %q and read %v, %v", d, formatDuration(d), got, err)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]int64{"1MiB": 1 << 20, "512KiB": 512 << 10, "1GiB": 1 << 30, "10": 10, "7B": 7, "1MB": 1e6, "2kB": 2000, "0.5KiB": 512} {
		if got, p := parseBytes(s); p != nil || got != want {
			t.Errorf("parseBytes(%q): got %v, %v, want %v", s, got, p, want)
		}
	}
	for _, s := range []string{"", "-1", "1mib", "MiB", "1 MiB", "1TiB", "99999999999GiB"} {
		if got, p := parseBytes(s); p == nil {
			t.Errorf("parseBytes(%q): got %v, want an error", s, got)
		}
	}
}

func TestParseSchedule(t *testing.T) {
	at := time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC) // a Monday
	for spec, want := range map[string]time.Time{
		"*/5 8-20 * * 1-5":                time.Date(2026, 11, 23, 15, 5, 0, 0, time.UTC),
		"CRON_TZ=Asia/Shanghai 0 9 * * *": time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC),
		"TZ=Europe/Berlin 0 9 * * *":      time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC),
		"0 9 * * *":                       time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC),
		"@hourly":                         time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC),
		"0 0 29 2 *":                      time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC),
	} {
		s, err := ParseSchedule(spec)
		if err != nil {
			t.Errorf("%q: %v", spec, err)
			continue
		}
		if got := s.Cron.Next(at); !got.Equal(want) {
			t.Errorf("%q: got %v, want %v", spec, got.UTC(), want)
		}
	}
	if s, err := ParseSchedule("1m30s"); err != nil || s.Every != 90*time.Second || s.Cron != nil {
		t.Errorf("got %+v, %v", s, err)
	}
	for _, spec := range []string{"", " ", "TZ=UTC", "CRON_TZ=UTC", "CRON_TZ=", "CRON_TZ= ", "CRON_TZ= * * * * *", "CRON_TZ=Local * * * * *",
		"CRON_TZ=../../etc/passwd * * * * *", "TZ=UTC CRON_TZ=UTC * * * * *", "0 0 31 2 *", "0 0 * * 7", "* * * * * *", "@every 1s", "@reboot", "999ms", "367d", "0s"} {
		if s, err := ParseSchedule(spec); err == nil {
			t.Errorf("%q: got %+v, want an error", spec, s)
		}
	}
}

func TestClosest(t *testing.T) {
	known := []string{"timeout", "schedule", "url", "name", "max_redirects", "tls"}
	for word, want := range map[string]string{
		"timout": "timeout", "tiemout": "timeout", "Timeout": "timeout", "schedul": "schedule", "nmae": "name", "ulr": "url",
		"maxredirects": "max_redirects", "x": "", "zzzzzzz": "", "": "", "tl": "", "URL": "url",
	} {
		if got := closest(word, known); got != want {
			t.Errorf("closest(%q): got %q, want %q", word, got, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct{ rule, good string }{
		{"hostport", "[2001:db8::1]:443"}, {"hostport", "shop.example.com:8443"}, {"hostport", "203.0.113.10:1"}, {"hostport", "xn--a_b.example:65535"},
		{"listen", ":9522"}, {"listen", "127.0.0.1:0"}, {"listen", "[::]:80"},
		{"host", "shop.example.com"}, {"host", "shop.example.com:8443"}, {"host", "2001:db8::1"}, {"host", "[2001:db8::1]"}, {"host", "例え.example"},
		{"url", "https://[2001:db8::1]:8443/a?b=c"}, {"url", "HTTPS://shop.example.com"}, {"url", "http://shop"},
		{"proxy_url", "socks5://user:pass@proxy:1080"}, {"proxy_url", "http://proxy"},
		{"path", "/a/b?c=d&e=%20"}, {"path", "/路径"},
	} {
		if _, p := checkString(tt.rule, tt.good); p != nil {
			t.Errorf("%s %q: %v", tt.rule, tt.good, p)
		}
	}
	for _, tt := range []struct{ rule, bad string }{
		{"hostport", "2001:db8::1:443"}, {"hostport", "a:b:c"}, {"hostport", ":443"}, {"hostport", "host:0"}, {"hostport", "host:65536"}, {"hostport", "ho st:1"}, {"hostport", "https://a:1"}, {"hostport", ""},
		{"listen", "9522"}, {"listen", "a:http"}, {"host", "a/b"}, {"host", "http://a"}, {"host", "a b"}, {"host", ""},
		{"url", ""}, {"url", "//a"}, {"url", "https:///a"}, {"url", "https://a:0"}, {"url", "https://a:/"}, {"url", "mailto:a@b"}, {"url", "https://a\n"}, {"url", "javascript://a"},
		{"base_url", "https://a/?"}, {"base_url", "https://a/#b"}, {"proxy_url", "socks4://a"}, {"path", "a"}, {"path", "/%zz"}, {"path", "/a b"}, {"path", "/a\x00"},
	} {
		if got, p := checkString(tt.rule, tt.bad); p == nil {
			t.Errorf("%s %q: got %q, want an error", tt.rule, tt.bad, got)
		}
	}
}
