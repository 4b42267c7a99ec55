package main

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestManualPage holds that the page has every command and every flag that the
// help has.
func TestManualPage(t *testing.T) {
	got := esawatch(t, "man")
	if got.code != exitOK {
		t.Fatalf("exit code %d: %s", got.code, got.errors)
	}
	page := strings.ReplaceAll(got.out, `\-`, "-")
	for _, want := range []string{".SH NAME\nesawatch - watch sites", ".SS esawatch run", ".SS esawatch silence add MATCHER...",
		"--allow-no-sites", "--expect-status", "SIGHUP", "/etc/esawatch/config.yaml", ".SS esawatch completion"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, never := range []string{"esawatch man", "bench agent", ".SS esawatch help"} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
	for _, c := range newRoot().Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" && !strings.Contains(page, ".SS esawatch "+c.Name()) {
			t.Errorf("the page has no command %q", c.Name())
		}
	}
}

// TestManualPageIsSoundRoff has groff say what it dislikes. Its encoding is said
// to it, as man does.
func TestManualPageIsSoundRoff(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not in PATH")
	}
	cmd := exec.CommandContext(t.Context(), groff, "-Kutf8", "-man", "-Tutf8", "-ww", "-P-c")
	cmd.Stdin = strings.NewReader(esawatch(t, "man").out)
	var page, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &page, &complaints
	if err := cmd.Run(); err != nil || complaints.Len() > 0 {
		t.Fatalf("groff: %v\n%s", err, complaints.String())
	}
	// What begins with a dot or a quote, or holds a backslash, must not be lost.
	text := regexp.MustCompile(".\x08").ReplaceAllString(page.String(), "") // bold, as printers had it
	if !strings.Contains(text, "'check=~\"log.*\"'") {
		t.Errorf("an example is not as it is typed:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 120 {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
}
