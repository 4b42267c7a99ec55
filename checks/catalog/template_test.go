package catalog

import (
	"os/exec"
	"strings"
	"testing"
	"unicode"
)

// TestShellWord lets a real shell read the word back.
func TestShellWord(t *testing.T) {
	for _, v := range []string{
		"shop.example.com", "203.0.113.10:443", "[2001:db8::1]:443", "https://a.example/?q=1&r=$HOME;ls|cat",
		"it's", "''", `"`, `\`, `a\'b`, "$(touch x)", "${IFS}", "a b", "*", "~root", "!!", "#x", "bücher.example", "a{b,c}", "=ls", "{host}",
	} {
		word := shellWord(v)
		out, err := exec.Command("sh", "-c", "printf %s x"+word).Output()
		if err != nil || string(out) != "x"+v {
			t.Errorf("shellWord(%q) = %s, which a shell reads as %q (%v)", v, word, out, err)
		}
	}
	for _, v := range []string{"", "-oProxyCommand=x", "`id`", "a\nb", "a\x1b[31m", "a\x00b", "\u202eabc", "\xff"} {
		if word := shellWord(v); word != "" {
			t.Errorf("shellWord(%q) = %q, want none", v, word)
		}
	}
}

func TestTemplate(t *testing.T) {
	w := &Default().built.words
	f := facts{known: [numFacts]string{factHost: "a.example", factPOP: "de`7", factRequestID: "{host}"}}
	for _, tt := range []struct{ source, want string }{
		{"plain", "plain"},
		{"", ""},
		{"{host}", "a.example"},
		{"POP {pop}, id {request_id}, node {node_ip}", "POP de'7, id {host}, node unknown"},
		{"`mtr {node_ip}` and {host}", "`mtr ESA_NODE_IP` and a.example"},
		{`jq '{a: {host}, "b": {}}' {`, `jq '{a: a.example, "b": {}}' {`},
		{"{nothing} {host", "{nothing} {host"},
		{"`grep {pop}`", "`grep POP`"},
	} {
		compiled, _ := compile(tt.source)
		if got := compiled.fill(&f, w, english); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.source, got, tt.want)
		}
	}
}

func FuzzShellWord(f *testing.F) {
	for _, seed := range []string{"a", "it's", "`", "-x", "$(id)", "\u202e", "'\\''"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		word := shellWord(v)
		switch {
		case word == "":
			return
		case strings.ContainsFunc(word, func(r rune) bool { return r == '`' || !unicode.IsPrint(r) }):
			t.Errorf("shellWord(%q) = %q: unfit for a command", v, word)
		case word == v:
			if strings.ContainsAny(word, " \t'\"$;&|<>()*?[]#~=!{}\\") {
				t.Errorf("shellWord(%q) is not quoted", v)
			}
		default: // read the quotes back: '…' pieces and \'
			back := strings.ReplaceAll(word[1:len(word)-1], `'\''`, "\x00")
			if strings.Contains(back, "'") || strings.ReplaceAll(back, "\x00", "'") != v {
				t.Errorf("shellWord(%q) = %q does not read back", v, word)
			}
		}
	})
}
