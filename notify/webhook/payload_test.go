package webhook

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

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/alertmanager"
	"github.com/esawatch/esawatch/notify/notifytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds what is posted: some samples by themselves, and the story as
// it is told to one receiver.
func TestGolden(t *testing.T) {
	for _, s := range notifytest.Samples() {
		if slices.Contains([]string{"two-conditions", "removed", "chinese", "summary-only", "hostile", "storm-over"}, s.Name) {
			golden(t, s.Name, s.Notification)
		}
	}
	var receipt notify.Receipt
	for i, name := range []string{"story-1-opened", "story-2-joined", "story-3-changed", "story-4-severity", "story-5-reminder", "story-6-left", "story-7-resolved"} {
		n := notifytest.Story()[i]
		n.Receipt = receipt
		receipt = golden(t, name, n)
	}
}

func golden(t *testing.T, name string, n notify.Notification) (receipt notify.Receipt) {
	t.Run(name, func(t *testing.T) {
		body, told, err := payload(n)
		if err != nil {
			t.Fatal(err)
		}
		receipt = told
		var indented bytes.Buffer
		if err := json.Indent(&indented, body, "", " "); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(file, indented.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), indented.String()); diff != "" {
			t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
		}
	})
	return receipt
}

// TestBodyIsStable: however often an attempt fails, what is sent stays the same.
func TestBodyIsStable(t *testing.T) {
	var receipt notify.Receipt
	for i, n := range notifytest.Story() {
		n.Receipt = receipt
		first, told, err := payload(n)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // no time of ours may be in it
		n.Receipt, n.Doubtful = alertmanager.Doubt(n), true
		second, _, err := payload(n)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Errorf("notification %d: %s", i, cmp.Diff(string(first), string(second)))
		}
		receipt = told
	}
}

func TestReason(t *testing.T) {
	want := []string{"first notification", "new alerts added", "new alerts added", "new alerts added", "repeat interval elapsed", "some alerts resolved", "all alerts resolved"}
	var receipt notify.Receipt
	for i, n := range notifytest.Story() {
		n.Receipt = receipt
		body, told, err := payload(n)
		if err != nil {
			t.Fatal(err)
		}
		var m message
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		if m.Reason != want[i] {
			t.Errorf("notification %d: %q, want %q", i, m.Reason, want[i])
		}
		receipt = told
	}
}

func TestTruncated(t *testing.T) {
	n := notifytest.Story()[0]
	for i := range maxAlerts + 5 {
		a := n.Alerts[0]
		a.Check = "check-" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
		n.Alerts = append(n.Alerts, a)
	}
	body, _, err := payload(n)
	if err != nil {
		t.Fatal(err)
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Alerts) != maxAlerts || m.TruncatedAlerts != 6 {
		t.Errorf("%d alerts, %d truncated", len(m.Alerts), m.TruncatedAlerts)
	}
}
