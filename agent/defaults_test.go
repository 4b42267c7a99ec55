package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/incident"
)

// The thresholds of other monitors default to none, and users do not find them:
// what the smallest configuration does is what nearly everybody gets.
func TestUptimeKuma5112ThresholdsDefaultToNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	const smallest = "sites: [{name: shop, url: 'https://shop.example.com'}]\n"
	if err := os.WriteFile(file, []byte(smallest), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load([]string{file}, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Build(cfg, BuildOptions{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	p := plan.Policies["shop/home"]
	if p.Failures != 3 || p.ResolveAfter != 2 || p.Flapping != (incident.Flapping{Changes: 6, Window: 30 * time.Minute}) {
		t.Errorf("policy %+v", p)
	}
	if spec := plan.specs["shop/home"]; spec.confirm.Failures != 3 || spec.confirm.Interval != 5*time.Second || spec.settle != 2 {
		t.Errorf("looks again: %+v", spec)
	}
	if len(plan.canaries) != 0 || len(plan.Policies) != 1 {
		t.Errorf("%d canaries, policies of %d checks, want none and of one", len(plan.canaries), len(plan.Policies))
	}
}
