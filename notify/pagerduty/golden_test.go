package pagerduty

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/notify/notifytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds the events of some samples.
func TestGolden(t *testing.T) {
	for _, s := range notifytest.Samples() {
		if !slices.Contains([]string{"one-check", "two-conditions", "left", "resolved", "chinese", "summary-only", "hostile"}, s.Name) {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			var got bytes.Buffer
			e := json.NewEncoder(&got)
			e.SetEscapeHTML(false)
			e.SetIndent("", " ")
			if err := e.Encode(eventOf(s.Notification)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", s.Name+".json")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
			}
		})
	}
}
