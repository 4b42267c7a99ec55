package alertmanager

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/notify/notifytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds what is posted for some samples.
func TestGolden(t *testing.T) {
	until := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for _, s := range notifytest.Samples() {
		if !slices.Contains([]string{"one-check", "left", "resolved", "chinese", "summary-only", "hostile"}, s.Name) {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			alerts, _ := Next(s.Notification)
			bodies, err := encode(alerts, until)
			if err != nil {
				t.Fatal(err)
			}
			var v any
			if err := json.Unmarshal(bodies[0], &v); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			e := json.NewEncoder(&got)
			e.SetEscapeHTML(false)
			e.SetIndent("", " ")
			if err := e.Encode(v); err != nil {
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
