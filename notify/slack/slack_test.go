package slack

import (
	"strings"
	"testing"

	"github.com/esawatch/esawatch/notify/notifytest"
)

func TestNewRefuses(t *testing.T) {
	secret := func() (string, error) { return "", nil }
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{}, "want either a token or a webhook URL"},
		{Options{Token: secret, WebhookURL: secret, Channel: "#x"}, "want either a token or a webhook URL"},
		{Options{Token: secret}, "a token needs a channel"},
		{Options{Token: secret, Channel: "#x", APIURL: "slack"}, `"slack" is not a URL`},
		{Options{Token: secret, Channel: "#x", Mention: "@oncall"}, `mention "@oncall"`},
	} {
		if _, err := New(test.options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
}

func TestParseMention(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"@here":                 "<!here>",
		"channel":               "<!channel>",
		"U012AB3CD":             "<@U012AB3CD>",
		"@S012AB3CD":            "<!subteam^S012AB3CD>",
		"<@U012AB3CD>":          "<@U012AB3CD>",
		"<!subteam^S01|@sre>":   "<!subteam^S01|@sre>",
		"<!here> @U012AB3CD":    "<!here> <@U012AB3CD>",
		"<https://evil|@here>":  "error",
		"<!date^1^x|y>":         "error",
		"someone":               "error",
		"<@U012AB3CD> & others": "error",
	} {
		got, err := parseMention(in)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("parseMention(%q) = %q (%v), want %q", in, got, err, want)
		}
	}
}

// TestInert: what Slack could take for markup is gone, names stay readable.
func TestInert(t *testing.T) {
	for in, want := range map[string]string{
		"plain text, 34 ms":     "plain text, 34 ms",
		"connect_timeout":       "connect_timeout",
		"_italic_ a_b _":        "ˍitalicˍ a_b ˍ",
		"*b* ~s~ `c`":           "∗b∗ ∼s∼ 'c'",
		"<!channel> & <@U1>":    "&lt;!channel&gt; &amp; &lt;@\u200bU1&gt;",
		"@here #general":        "@\u200bhere #\u200bgeneral",
		"https://evil.example/": "https:\u200b//evil.example/",
		"a\nb\x1b[31mc":         "a b c",
	} {
		if got := inert(in, 100); got != want {
			t.Errorf("inert(%q) = %q, want %q", in, got, want)
		}
	}
	hostile := inert(notifytest.HostileText(), 20000)
	for _, bad := range []string{"<", ">", "*", "`", "~", "@here", "@everyone", "://", "\u202e", "\x1b", "\n"} {
		if strings.Contains(hostile, bad) {
			t.Errorf("inert leaves %q in", bad)
		}
	}
}

func TestChannelID(t *testing.T) {
	for in, want := range map[string]bool{
		"C0ONCALL": true, "C012AB3CD": true, "G012AB3CD": true, "#oncall": false, "oncall": false, "C1": false, "": false, "CALL-CENTER": false,
	} {
		if got := isChannelID(in); got != want {
			t.Errorf("isChannelID(%q) = %v", in, got)
		}
	}
}
