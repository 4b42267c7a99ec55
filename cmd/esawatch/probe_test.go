package main

import (
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
