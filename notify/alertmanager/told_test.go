package alertmanager

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

// short is an alert in a few characters: "login/522/critical fires".
func short(alerts []Alert) []string {
	var all []string
	for _, a := range alerts {
		state := "fires"
		if !a.Firing() {
			state = "ended " + a.EndsAt.Sub(a.StartsAt).String()
		}
		all = append(all, fmt.Sprintf("%s/%s/%s %s", a.Labels["check"], a.Labels["condition"], a.Labels["severity"], state))
	}
	return all
}

// TestNext follows one incident: what fires is told each time, an end once, and
// an alert under its old labels ends as soon as these have changed.
func TestNext(t *testing.T) {
	want := [][]string{
		{"login/slow/warning fires"},
		{"login/slow/warning fires", "home/slow/warning fires"},
		{"login/522/warning fires", "home/slow/warning fires", "login/slow/warning ended 2m0s"},
		{"login/522/critical fires", "home/522/critical fires", "login/522/warning ended 3m0s", "home/slow/warning ended 3m0s"},
		{"login/522/critical fires", "home/522/critical fires"},
		{"login/522/critical fires", "home/522/critical ended 4h9m0s"},
		{"login/522/critical ended 4h19m0s"},
	}
	var receipt notify.Receipt
	for i, n := range notifytest.Story() {
		n.Receipt = receipt
		alerts, told := Next(n)
		if diff := cmp.Diff(want[i], short(alerts)); diff != "" {
			t.Errorf("notification %d (-want +got):\n%s", i, diff)
		}
		// A failed attempt must not change what the next one says.
		again := n
		again.Receipt = Doubt(n)
		if second, _ := Next(again); !cmp.Equal(alerts, second) {
			t.Errorf("notification %d, tried again: %s", i, cmp.Diff(alerts, second))
		}
		told.Ended = nil // all of them took it
		receipt = told.Receipt()
	}
}

// TestNextAfterGaps is for a receiver that was not told of all that happened.
func TestNextAfterGaps(t *testing.T) {
	story := notifytest.Story()
	for _, test := range []struct {
		name string
		told []int // of the story
		then int
		want []string
	}{
		{"only the end", nil, 6, []string{"login/522/critical ended 4h19m0s", "home/522/critical ended 4h9m0s"}},
		{"the change was missed", []int{0}, 3, []string{"login/522/critical fires", "home/522/critical fires", "login/slow/warning ended 3m0s"}},
		{"the change and the end were missed", []int{1}, 6, []string{"login/slow/warning ended 4h19m0s", "home/slow/warning ended 4h9m0s"}},
		{"the end again", []int{0, 1, 2, 3, 4, 5, 6}, 6, []string{"login/522/critical ended 4h19m0s", "home/522/critical ended 4h9m0s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var receipt notify.Receipt
			for _, i := range test.told {
				n := story[i]
				n.Receipt = receipt
				_, told := Next(n)
				told.Ended = nil
				receipt = told.Receipt()
			}
			n := story[test.then]
			n.Receipt = receipt
			alerts, _ := Next(n)
			if diff := cmp.Diff(test.want, short(alerts)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestDoubt: what may have got through is ended when its labels change.
func TestDoubt(t *testing.T) {
	story := notifytest.Story()
	n := story[3]
	n.Receipt = Doubt(story[0])
	alerts, _ := Next(n)
	if got := short(alerts); !slices.Contains(got, "login/slow/warning ended 3m0s") {
		t.Errorf("told %q", got)
	}
}

func TestReceiptThatIsNone(t *testing.T) {
	fresh, _ := Next(notifytest.Story()[1])
	for _, r := range []notify.Receipt{{}, {"ts": "1"}, {receiptKey: "{"}, {receiptKey: "[]"}, {receiptKey: `{"at":7}`}} {
		n := notifytest.Story()[1]
		n.Receipt = r
		if got, _ := Next(n); !cmp.Equal(fresh, got) {
			t.Errorf("%v: %s", r, cmp.Diff(fresh, got))
		}
	}
}

// TestFingerprint holds ours to Prometheus'.
func TestFingerprint(t *testing.T) {
	for _, s := range notifytest.Samples() {
		for _, a := range alertsOf(s.Notification) {
			set := model.LabelSet{}
			for name, value := range a.Labels {
				set[model.LabelName(name)] = model.LabelValue(value)
			}
			if got, want := a.Fingerprint(), set.Fingerprint().String(); got != want {
				t.Errorf("%s: %s, want %s", s.Name, got, want)
			}
		}
	}
}

func TestLabels(t *testing.T) {
	n := notifytest.Story()[0]
	n.Alerts[0].Labels = map[string]string{
		"team": "storefront", "site": "taken", "with-dash": "x", "": "x", "1st": "x", "empty": "", strings.Repeat("a", 64): "x",
	}
	want := map[string]string{
		"alertname": "EsawatchCheckFailed", "site": "shop", "check": "login", "condition": "slow", "fault": "origin",
		"severity": "warning", "location": "fra-1", "team": "storefront",
	}
	if diff := cmp.Diff(want, alertsOf(n)[0].Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

// TestDigest: a notification about no check is one alert of its own.
func TestDigest(t *testing.T) {
	n := notifytest.SummaryOnly()
	alerts, told := Next(n)
	if len(alerts) != 1 || alerts[0].Labels["alertname"] != IncidentAlert || alerts[0].Labels["incident"] != n.ID ||
		!strings.HasPrefix(alerts[0].Annotations["summary"], "23 incidents") {
		t.Fatalf("told %+v", alerts)
	}
	n.Firing, n.ResolvedAt, n.Receipt = false, n.At.Add(time.Minute), told.Receipt()
	ends, _ := Next(n)
	if len(ends) != 1 || ends[0].Fingerprint() != alerts[0].Fingerprint() || !ends[0].EndsAt.Equal(n.ResolvedAt) {
		t.Errorf("told %+v", ends)
	}
}

// TestClockSetBack: Alertmanager refuses a whole request for one alert that
// ends before it starts.
func TestClockSetBack(t *testing.T) {
	n := notifytest.Story()[6]
	for i := range n.Alerts {
		n.Alerts[i].ResolvedAt = n.Alerts[i].Since.Add(-time.Hour)
	}
	alerts, _ := Next(n)
	for _, a := range alerts {
		if a.EndsAt.Before(a.StartsAt) {
			t.Errorf("ends %v before %v", a.EndsAt, a.StartsAt)
		}
	}
	bodies, err := encode([]Alert{{StartsAt: n.Since}}, n.Since.Add(-time.Hour))
	if err != nil || !strings.Contains(string(bodies[0]), `"endsAt":"2026-11-23T15:04:05Z"`) {
		t.Errorf("%s, %v", bodies, err)
	}
}

func TestEncodeInBatches(t *testing.T) {
	bodies, err := encode(make([]Alert, 2*maxBatch+1), time.Now())
	if err != nil || len(bodies) != 3 {
		t.Errorf("%d requests, %v", len(bodies), err)
	}
}

// TestDigestKeepsSitesApart: in a digest checks of many sites have one name.
func TestDigestKeepsSitesApart(t *testing.T) {
	storm := notifytest.Storm()
	alerts, told := Next(storm[0])
	if len(alerts) != 23 || len(told.Firing) != 23 {
		t.Fatalf("%d alerts, %d fire, want 23", len(alerts), len(told.Firing))
	}
	for i, a := range alerts {
		if want := storm[0].Alerts[i].Site; a.Labels["site"] != want {
			t.Errorf("alert %d is of the site %q, want %q", i, a.Labels["site"], want)
		}
	}
	half := storm[1]
	half.Receipt = told.Receipt()
	alerts, told = Next(half)
	if len(alerts) != 24 || len(told.Firing) != 4 || len(told.Ended) != 20 {
		t.Fatalf("%d alerts, %d fire, %d ended; want 24, 4 and 20", len(alerts), len(told.Firing), len(told.Ended))
	}
	// An alert that is known to fire and is in no notification any more ends,
	// whatever became of the same check of another site.
	half.Alerts = half.Alerts[1:]
	half.Receipt = told.Receipt()
	alerts, _ = Next(half)
	for _, a := range alerts {
		if a.Labels["site"] == "blog" && (a.Firing() || !a.EndsAt.Equal(half.At)) {
			t.Errorf("blog's alert ends at %v, want %v", a.EndsAt, half.At)
		}
	}
}
