package agent

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/edgetest"
)

// TestRestartKeepsThePage stops an agent and starts it with checks that do not
// run for a long time: its page shows what the one before saw.
func TestRestartKeepsThePage(t *testing.T) {
	t.Parallel()
	const sites = "sites:\n" +
		"  - {name: shop, url: EDGE, checks: [{name: home, path: /}, {name: gone, path: /gone}]}\n" +
		"  - {name: blog, url: EDGE}\n"
	h := newHouse(t, quick+sites)
	h.start()
	results := func() (all []checks.Result) {
		_, text := h.get("/api/v1/results")
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	h.until("results", func() bool { return len(results()) == 3 })
	h.edge.Set(edgetest.Status(522))
	h.until("a failure of each", func() bool {
		_, text := h.get("/")
		return strings.Count(text, "522 Connection timed out in ") >= 3
	})
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}

	h.write(strings.ReplaceAll(quick+sites, "schedule: 1s", `schedule: "0 0 29 2 *"`))
	h.start()
	if got := results(); len(got) != 0 {
		t.Errorf("the API gives %d results of the time before as whole ones", len(got))
	}
	for path, want := range map[string]string{"/": "522 Connection timed out in ", "/sites/shop": "522 Connection timed out in "} {
		if _, text := h.get(path); !strings.Contains(text, want) || strings.Contains(text, "no result yet") {
			t.Errorf("%s after the restart: no %q, or a check without a result:\n%s", path, want, text)
		}
	}

	// What leaves the configuration is forgotten.
	h.write(strings.ReplaceAll(quick, "schedule: 1s", `schedule: "0 0 29 2 *"`) + "sites: [{name: shop, url: EDGE}]\n")
	if err := h.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	kv, _, err := openStore(h.current().Config.Agent.DataDir, h.Agent.log)
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	keys, err := kv.Keys(t.Context(), "recent/")
	if err != nil || len(keys) != 1 || keys[0] != "recent/shop" {
		t.Fatalf("the store has %q, %v, want that of shop alone", keys, err)
	}
	if e, err := kv.Get(t.Context(), keys[0]); err != nil || strings.Contains(string(e.Value), "gone") {
		t.Errorf("recent/shop is %q, %v, want it without its check gone", e.Value, err)
	}
}
