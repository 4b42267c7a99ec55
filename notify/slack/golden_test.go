package slack

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	slackapi "github.com/slack-go/slack"

	"github.com/esawatch/esawatch/notify/notifytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds what each sample looks like. The files can be pasted into
// Slack's Block Kit Builder.
func TestGolden(t *testing.T) {
	n := &Notifier{mention: "<!here>"}
	for _, s := range notifytest.Samples() {
		for kind, msg := range map[string]message{
			"":        n.incident(s.Notification),
			".change": n.change(s.Notification),
			".reply":  n.history(s.Notification, s.Notification.Events),
		} {
			name := s.Name + kind + ".json"
			t.Run(name, func(t *testing.T) { golden(t, name, msg) })
		}
	}
}

func golden(t *testing.T, name string, msg message) {
	t.Helper()
	raw, err := json.Marshal(map[string]any{
		"text": msg.text, "plain": msg.plain, "blocks": slackapi.Blocks{BlockSet: msg.blocks}, "attachments": msg.attachments(),
	})
	if err != nil {
		t.Fatal(err)
	}
	// Decoded and encoded again, it is readable: < is < and not \u003c.
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	e := json.NewEncoder(&got)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name)
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
	if size := msg.size(); size > maxMessage {
		t.Errorf("%d characters, want at most %d", size, maxMessage)
	}
}
