package agent

import (
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/checks/catalog"
)

func TestMaintenanceWindow(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	monthly, err := windowOf(&config.Maintenance{Name: "patching", Schedule: "0 2 1 * *", Duration: 2 * time.Hour, Timezone: "Asia/Shanghai"})
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Time]bool{
		time.Date(2026, 12, 1, 1, 59, 59, 0, shanghai): false,
		time.Date(2026, 12, 1, 2, 0, 0, 0, shanghai):   true,
		time.Date(2026, 12, 1, 3, 59, 59, 0, shanghai): true,
		time.Date(2026, 12, 1, 4, 0, 0, 0, shanghai):   false,
		time.Date(2026, 12, 2, 3, 0, 0, 0, shanghai):   false,
		time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC):   false,
	} {
		if got := monthly.Active(at); got != want {
			t.Errorf("at %v: %t, want %t", at, got, want)
		}
	}
	start := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	once, err := windowOf(&config.Maintenance{Name: "migration", Start: start, End: start.Add(4 * time.Hour)})
	if err != nil || !once.Active(start.Add(time.Hour)) || once.Active(start.Add(5*time.Hour)) || len(once.Mute.Matchers) != 0 {
		t.Errorf("one span: %+v, %v", once, err)
	}
}

// In New York the hour from 01:00 comes twice on the first of November, and
// that from 02:00 not at all on the second Sunday of March. A window lasts for
// as long as it says all the same.
func TestMaintenanceOverAChangeOfTheClock(t *testing.T) {
	w, err := windowOf(&config.Maintenance{Name: "nightly", Schedule: "30 0 * * *", Duration: 4 * time.Hour, Timezone: "America/New_York"})
	if err != nil {
		t.Fatal(err)
	}
	for _, begin := range []time.Time{
		time.Date(2026, 11, 1, 4, 30, 0, 0, time.UTC), time.Date(2026, 3, 8, 5, 30, 0, 0, time.UTC),
	} {
		for after, want := range map[time.Duration]bool{
			-time.Second: false, 0: true, 4*time.Hour - time.Second: true, 4 * time.Hour: false,
		} {
			if got := w.Active(begin.Add(after)); got != want {
				t.Errorf("%v after %v: %t, want %t", after, begin, got, want)
			}
		}
	}
}

func TestMaintenanceMatch(t *testing.T) {
	m, err := muteOf("x", &config.Match{Severity: []catalog.Severity{"warning", "info"}, Site: []string{"a.b", "shop"}, Labels: map[string]string{"team": "web"}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, matcher := range m.Matchers {
		got[matcher.Name] = matcher.Op + matcher.Value
	}
	if len(got) != 3 || got["severity"] != "=~warning|info" || got["site"] != `=~a\.b|shop` || got["team"] != "=~web" {
		t.Errorf("matchers %v", got)
	}
}
