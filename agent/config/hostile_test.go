package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bomb is aliases of aliases: nine to the power of levels.
func bomb(levels int) string {
	var b strings.Builder
	b.WriteString("sites:\n  - name: a\n    url: https://a.example.com\n    checks:\n      - name: a\n        expect:\n          json:\n            $.l0: &l0 [x, x, x, x, x, x, x, x, x]\n")
	for i := range levels {
		fmt.Fprintf(&b, "            $.l%d: &l%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d, ", i), 9), ", "))
	}
	return b.String()
}

// mergeBomb is merges of merges: four to the power of levels.
func mergeBomb(levels int) string {
	var b strings.Builder
	b.WriteString("m0: &m0 {web: {}}\n")
	for i := range levels {
		fmt.Fprintf(&b, "m%d: &m%d {<<: [*m%d, *m%d, *m%d, *m%d]}\n", i+1, i+1, i, i, i, i)
	}
	fmt.Fprintf(&b, "<<: *m%d\n", levels)
	return b.String()
}

// TestHostile wants an error, soon, of whatever is thrown at it.
func TestHostile(t *testing.T) {
	const valid = "sites:\n  - name: a\n    url: https://a.example.com\n"
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":            {"", "the file is empty"},
		"white space":        {" \n\n", "the file is empty"},
		"null":               {"~\n", "the file is empty"},
		"binary":             {"\x7fELF\x00\x01\xff", "is not YAML"},
		"gzip":               {"\x1f\x8b\x08\x00", "is not YAML"},
		"UTF-16 of nonsense": {"\xff\xfe\x00\x01", "not a section"},
		"not UTF-8":          {"a: \"\xff\"", "is not YAML"},
		"ten megabytes":      {"#" + strings.Repeat("x", 10<<20), "larger than 8 MiB"},
		"alias bomb":         {bomb(30), "aliases make this file too large"},
		"alias bomb, merged": {mergeBomb(30), "aliases make this file too large"},
		"a merge of itself":  {"<<: &a {<<: *a}\n", "too deeply"},
		"deep flow":          {strings.Repeat("[", 200_000), "is not YAML"},
		"deep blocks":        {strings.Repeat("- ", 50_000) + "x", "is not YAML"},
		"deep value":         {valid + "    expect: {json: {$.a: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}}\n", "too deeply"},
		"deep unknown":       {"x: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "unknown key"},
		"a long key":         {valid + "? " + strings.Repeat("k", 1000) + "\n: 1\n", "unknown key"},
		"a very long key":    {"? " + strings.Repeat("k", 1<<20) + "\n: 1\n", "unknown key"},
		"many errors":        {strings.Repeat("- x\n", 100_000), "not a section"},
		"a long name":        {"sites: [{name: " + strings.Repeat("n", 1<<20) + ", url: https://a.example.com}]\n", "is not a name"},
		"a long value":       {valid + "    body: " + strings.Repeat("n", 2<<20) + "\n", "too long"},
		"a long pattern":     {valid + "    expect: {body_matches: ['" + strings.Repeat("(a|b)*", 5000) + "']}\n", "too long"},
		"a pattern bomb":     {valid + "    expect: {body_matches: ['((a{100}){100}){100}']}\n", "not a regular expression"},
		"a long cron line":   {valid + "    schedule: '" + strings.Repeat("*,", 5000) + "* * * * *'\n", "too long"},
		"a huge number":      {valid + "    resolve_after: 99999999999999999999\n", "out of range"},
		"a huge duration":    {valid + "    timeout: 99999999999999999999w\n", "not a duration"},
		"an odd duration":    {valid + "    timeout: .s\n", "not a duration"},
		"a directive":        {"%YAML 9.9\n---\n" + valid, "is not YAML"},
		"a second, empty":    {valid + "---\n", "second document"},
		"secret in an array": {valid + "    auth: {bearer: {token: [[[x]]]}}\n", "not a single value"},
		"an alias as key":    {"a: &a [1]\n? *a\n: 1\n", "must be plain text"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := load(t, tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				shown := fmt.Sprint(err)
				t.Errorf("got %.300s, want %q", shown, tt.want)
			}
			if err != nil && len(err.Error()) > 1<<20 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestHarmless is what looks odd and is right.
func TestHarmless(t *testing.T) {
	for name, text := range map[string]string{
		"byte order mark":   "\ufeffsites:\n  - name: a\n    url: https://a.example.com\n",
		"carriage returns":  "sites:\r\n  - name: a\r\n    url: https://a.example.com\r\n",
		"document marks":    "---\nsites:\n  - name: a\n    url: https://a.example.com\n...\n",
		"JSON":              `{"sites": [{"name": "a", "url": "https://a.example.com"}]}`,
		"no last newline":   "sites: [{name: a, url: https://a.example.com}]",
		"empty sections":    "web:\nlog:\ndefaults:\n  expect:\nsites:\n  - name: a\n    url: https://a.example.com\n    checks: []\n",
		"anchors":           "sites:\n  - &a\n    name: a\n    url: https://a.example.com\n    labels: &l {x: y}\n  - {<<: *a, name: b, labels: *l}\n",
		"merges":            "sites:\n  - {<<: [&x {timeout: 5s}, &y {timeout: 6s, schedule: 1m}], name: a, url: https://a.example.com}\n",
		"names of numbers":  "sites: [{name: 1.10, url: https://a.example.com}]\n",
		"names of booleans": "sites: [{name: no, url: https://a.example.com}]\n",
		"Chinese":           "sites: [{name: a, url: https://例え.example.com/路径, labels: {team: 店铺}}]\n",
	} {
		c, err := load(t, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		switch name {
		case "merges":
			if s := c.Sites[0]; s.Timeout != 5*time.Second || s.Schedule != "1m" {
				t.Errorf("merges: got timeout %v, schedule %q", s.Timeout, s.Schedule)
			}
		case "anchors":
			if s := c.Sites[1]; s.Name != "b" || s.URL != "https://a.example.com" || s.Labels["x"] != "y" {
				t.Errorf("anchors: got %+v", s)
			}
		case "names of numbers":
			if c.Sites[0].Name != "1.10" {
				t.Errorf("names of numbers: got %q", c.Sites[0].Name)
			}
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.yaml")
	_, err := Load([]string{missing, dir}, Options{Environ: []string{}})
	want := dir + ": the directory holds no configuration (its *.yaml are read)\n" + missing + ": cannot be read: no such file or directory"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if _, ok := errors.AsType[Errors](err); !ok {
		t.Errorf("got %T, want Errors", err)
	}
	if e, ok := errors.AsType[*Error](err); !ok || e.File != dir {
		t.Errorf("got %+v, want the first Error", e)
	}
	t.Chdir(dir)
	if exists("/etc/esawatch/config.yaml") {
		return // this machine has what the next lines want missing
	}
	_, err = Load(nil, Options{Environ: []string{}})
	if err == nil || err.Error() != "there is no configuration: neither config.yaml nor /etc/esawatch/config.yaml (--config FILE names another)" {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile("config.yaml", []byte(smallest), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(nil, Options{Environ: []string{}}); err != nil {
		t.Error(err)
	}
}

// FuzzLoad wants of any file a configuration or errors, each with its place,
// and that what loads can be asked where things are.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/invalid-*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, example) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(layered))
	f.Add([]byte(bomb(3)))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := write(t, "config.yaml", string(data))
		c, err := Load([]string{path}, Options{Environ: []string{"SET=value"}, Hostname: "host"})
		if err == nil {
			for _, s := range c.Sites {
				if len(s.Checks) == 0 || c.Where(s.Path()).Line == 0 {
					t.Errorf("site %q: %d checks at %s", s.Name, len(s.Checks), c.Where(s.Path()))
				}
			}
			return
		}
		list, ok := errors.AsType[Errors](err)
		if !ok || len(list) == 0 {
			t.Fatalf("got %T %v, want Errors", err, err)
		}
		for _, e := range list {
			if e.File != path || e.Msg == "" || strings.ContainsAny(e.Error(), "\n\r\x00\x1b") {
				t.Errorf("got %q", e.Error())
			}
		}
	})
}

func FuzzParseSchedule(f *testing.F) {
	for _, s := range []string{"30s", "*/5 8-20 * * 1-5", "TZ=UTC", "CRON_TZ=", "CRON_TZ=UTC ", "CRON_TZ= * * * * *", "TZ=", "@every 1s", "@daily", "0 0 31 2 *", "0 0 29 2 *", "@", "1d12h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := ParseSchedule(spec)
		if err == nil && s.Every == 0 && (s.Cron == nil || s.Cron.Next(time.Now()).IsZero()) {
			t.Errorf("%q: got a schedule that never comes", spec)
		}
	})
}

// BenchmarkLoad is 10,000 checks of 1,000 sites.
func BenchmarkLoad(b *testing.B) {
	var text strings.Builder
	text.WriteString("sites:\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "  - name: s%d\n    url: https://s%d.example.com\n    labels: {team: t}\n    checks:\n", i, i)
		for j := range 10 {
			fmt.Fprintf(&text, "      - name: c%d\n        path: /p%d\n        schedule: 1m\n        expect: {status: [200], body_contains: [ok]}\n        labels: {a: b}\n", j, j)
		}
	}
	path := write(b, "config.yaml", text.String())
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load([]string{path}, Options{Environ: []string{}}); err != nil {
			b.Fatal(err)
		}
	}
}
