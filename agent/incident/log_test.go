package incident

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

func TestKeeperLogsEachEventOnce(t *testing.T) {
	var out bytes.Buffer
	k := NewKeeper(memstore.New(), Options{Location: "t", Log: slog.New(slog.NewTextHandler(&out, nil))})
	if err := k.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.SetPolicies(t.Context(), map[string]Policy{"shop/home": {Failures: 1, ResolveAfter: 1}}, Timings{}); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	for i, condition := range []catalog.Condition{"521", "521", "522", "", ""} {
		r := checks.Result{Site: "shop", Check: "home", Location: "t", StartedAt: at.Add(time.Duration(i) * time.Minute), Outcome: checks.Pass, Success: true}
		if condition != "" {
			r.Outcome, r.Success = checks.Fail, false
			r.Diagnosis = &catalog.Diagnosis{Condition: condition, Severity: catalog.Critical}
		}
		if err := k.Observe(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	log := out.String()
	for _, want := range []string{`msg="incident opened"`, `msg="incident changed"`, `msg="incident resolved"`} {
		if n := strings.Count(log, want); n != 1 {
			t.Errorf("%s is logged %d times, want once:\n%s", want, n, log)
		}
	}
	if !strings.Contains(log, "condition=522 was=521") {
		t.Errorf("the change does not name both conditions:\n%s", log)
	}
}
