package email

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/notify/notifytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds the two forms of some samples' mails.
func TestGolden(t *testing.T) {
	for _, s := range notifytest.Samples() {
		if !slices.Contains([]string{"one-check", "two-conditions", "left", "resolved", "chinese", "summary-only", "hostile", "storm-half"}, s.Name) {
			continue
		}
		p := newPage(s.Notification)
		var text, html bytes.Buffer
		text.WriteString("Subject: " + subject(s.Notification) + "\n\n")
		if err := textPage.Execute(&text, p); err != nil {
			t.Fatal(err)
		}
		if err := htmlPage.Execute(&html, p); err != nil {
			t.Fatal(err)
		}
		golden(t, s.Name+".txt", text.Bytes())
		golden(t, s.Name+".html", html.Bytes())
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}
