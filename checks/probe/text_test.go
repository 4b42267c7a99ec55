package probe

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain text":                      "plain text",
		"zwei\nZeilen\tund\rmehr":         "zwei Zeilen und mehr",
		"\x1b[31mred":                     ".[31mred",
		"a\u202eb\u200bc\ufeff":           "a.b.c.",
		"bad \xff\xfe utf-8":              "bad .. utf-8",
		"滑动验证页面":                          "滑动验证页面",
		"0123456789012345678901234567890": "012345678901234567890123…",
		"滑动验证页面滑动验证页面":                    "滑动验证页面滑动…",
		"":                                "",
	} {
		if got := Printable(in, 27); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\u202eb", 10)
	f.Add(strings.Repeat("界", 50), 100)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 3 || limit > 1000 {
			return
		}
		got := Printable(s, limit)
		if len(got) > limit || !utf8.ValidString(got) || got != Printable(got, limit) || len(s) <= limit && strings.HasSuffix(got, "…") && !strings.HasSuffix(s, "…") {
			t.Errorf("Printable(%q, %d) = %q", s, limit, got)
		}
	})
}

func TestRedactor(t *testing.T) {
	var r redactor
	r.add("hunter2", "ab", "")
	r.addHeader([]string{"true", "sid=0123456789; lang=german", "Bearer topsecret"})
	if got := r.clean("true sid 0123456789 german topsecret Bearer"); got != "true sid <secret> german <secret> Bearer" {
		t.Errorf("got %q", got)
	}
	if got := r.clean("got hunter2, hunter2 and ab"); got != "got <secret>, <secret> and ab" {
		t.Errorf("got %q", got)
	}
}

// TestLongestSecretFirst: of one that begins another, nothing of that is left.
func TestLongestSecretFirst(t *testing.T) {
	var r redactor
	r.add("abcdefgh12")
	r.add("abcdefgh12IJKL")
	if got := r.clean("id abcdefgh12IJKL and abcdefgh12"); got != "id <secret> and <secret>" {
		t.Errorf("got %q", got)
	}
}

// TestQuotedSecretsAreFound: in JSON, in a page and in an error of Go.
func TestQuotedSecretsAreFound(t *testing.T) {
	var r redactor
	r.add(`p"w<&'\x`)
	for _, quoted := range []string{`p"w<&'\x`, `p\"w\u003c\u0026'\\x`, `p&#34;w&lt;&amp;&#39;\x`, `p\"w<&'\\x`} {
		if got := r.clean("you sent " + quoted + "!"); got != "you sent "+redacted+"!" {
			t.Errorf("%s: %s", quoted, got)
		}
	}
}

func TestExcerptCutsNoSecret(t *testing.T) {
	r := Response{Body: []byte("the key topsecret123 is wrong, topsecret123 it was")}
	r.secrets.add("topsecret123")
	for start := range len(r.Body) {
		for end := start; end <= len(r.Body); end++ {
			got, from, to := r.Excerpt(start, end)
			rest := strings.NewReplacer(redacted, "", " ", "").Replace(got)
			if from > start || to < end || strings.ContainsAny(rest, "123") || strings.Contains(rest, "tops") || strings.Contains(rest, "cret") {
				t.Errorf("%d to %d: got %q, %d to %d", start, end, got, from, to)
			}
		}
	}
}

// TestExcerptShowsNoBeginningOfASecret: a body that was not read to its end may end
// within one.
func TestExcerptShowsNoBeginningOfASecret(t *testing.T) {
	r := Response{Body: []byte("you sent password=topsecr"), BodyTruncated: true}
	r.secrets.add("topsecret123")
	if got, _, _ := r.Excerpt(0, len(r.Body)); got != "you sent password="+redacted {
		t.Errorf("got %q", got)
	}
	r.BodyTruncated = false
	if got, _, _ := r.Excerpt(0, len(r.Body)); got != string(r.Body) {
		t.Errorf("a whole body: got %q", got)
	}
}

func TestEscapedSecretsAreFound(t *testing.T) {
	var r redactor
	r.add("s3cr/et+value")
	for _, escaped := range []string{"s3cr/et+value", "s3cr%2Fet%2Bvalue", "s3cr%2fet%2bvalue", "s3cr%2Fet+value", `s3cr\/et+value`} {
		if got := r.clean("https://a.example/?t=" + escaped); got != "https://a.example/?t="+redacted {
			t.Errorf("%s: %s", escaped, got)
		}
	}
}
