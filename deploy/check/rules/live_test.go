package rules

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// told is an alert as Alertmanager has it.
type told struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
}

// untilTold waits until Alertmanager has an alert of that name and condition.
func untilTold(t *testing.T, s *stack.Stack, name, condition string) told {
	t.Helper()
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(100 * time.Millisecond) {
		var alerts []told
		if err := json.Unmarshal(s.Get(t, s.Alertmanager+"/api/v2/alerts", nil), &alerts); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(alerts, func(a told) bool { return a.Labels["alertname"] == name && a.Labels["condition"] == condition })
		if i >= 0 {
			return alerts[i]
		}
	}
	t.Fatalf("Alertmanager has no %s of %s", name, condition)
	return told{}
}

// TestSiteDownReachesAlertmanager loads the rule files as they are, and follows
// a broken site through agent, Prometheus and Alertmanager. This Prometheus has
// native histograms in place of classic ones.
func TestSiteDownReachesAlertmanager(t *testing.T) {
	t.Parallel()
	s := stack.Start(t, stack.Options{RuleFiles: ruleFiles(t), Alertmanager: true, NativeHistograms: true})
	got := untilTold(t, s, "EsawatchSiteDown", "522")
	t.Logf("Alertmanager has:\n%s", indented(t, got))
	for name, want := range map[string]string{"site": "blog", "location": "fra-1", "fault": "origin_link", "severity": "critical"} {
		if got.Labels[name] != want {
			t.Errorf("label %s is %q, want %q", name, got.Labels[name], want)
		}
	}
	for _, name := range []string{"title", "owner", "remediation"} {
		if _, ok := got.Labels[name]; ok {
			t.Errorf("%s is a label: an alert would be another one after its catalog entry changed", name)
		}
		if got.Annotations[name] == "" {
			t.Errorf("the annotation %s is empty", name)
		}
	}
	if r := got.Annotations["remediation"]; !strings.HasPrefix(r, "1. ") || !strings.Contains(r, "\n2. ") {
		t.Errorf("the remediation is not the catalog's steps: %q", r)
	}
	if d := got.Annotations["description"]; !strings.Contains(d, "Failing checks: home.") {
		t.Errorf("the description does not name the check: %q", d)
	}
	// The page that the alert leads to is there.
	if page := s.Get(t, got.Annotations["runbook_url"], nil); !strings.Contains(string(page), "522") {
		t.Errorf("%s says nothing of 522", got.Annotations["runbook_url"])
	}
	s.Until(t, `instance:esawatch_schedule_delay_seconds:p99_rate5m unless on () esawatch_schedule_delay_seconds_bucket`, 10*time.Second, nil)
	healthy(t, s)
}

func indented(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// healthy demands that Prometheus has evaluated every rule without an error.
func healthy(t *testing.T, s *stack.Stack) {
	t.Helper()
	result, err := s.API().Rules(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, g := range result.Groups {
		for _, rule := range g.Rules {
			count++
			name, health, last := "", promv1.RuleHealth(""), ""
			switch r := rule.(type) {
			case promv1.AlertingRule:
				name, health, last = r.Name, r.Health, r.LastError
			case promv1.RecordingRule:
				name, health, last = r.Name, r.Health, r.LastError
			}
			// A group of its own interval may not have had its turn yet.
			if health == promv1.RuleHealthBad {
				t.Errorf("%s: %s", name, last)
			}
		}
	}
	if want := len(loadRules(t)); count != want {
		t.Errorf("Prometheus has %d rules, the files %d", count, want)
	}
}

// TestTogetherAlertsOnce has agents in two places judge together: what both show
// is one alert, of no location, until one of them is gone.
func TestTogetherAlertsOnce(t *testing.T) {
	t.Parallel()
	s := stack.Start(t, stack.Options{Locations: []string{"fra-1", "sin-1"}, RuleFiles: shortened(t), Together: true})
	alerts := func(labels string) string { return `ALERTS{alertstate="firing",` + labels + `}` }
	s.Until(t, `count(site_condition:esawatch_incident_open:info{site="blog",condition="522"})`, 40*time.Second, stack.Is(2))
	down := `alertname="EsawatchSiteDown",site="blog"`
	s.Until(t, `count(`+alerts(down)+`)`, 40*time.Second, stack.Is(1))
	for _, v := range s.Query(t, alerts(down)) {
		for _, name := range []model.LabelName{"location", "instance"} {
			if v.Metric[name] != "" {
				t.Errorf("it has the %s %s", name, v.Metric[name])
			}
		}
	}
	s.Until(t, `count(`+alerts(`alertname="EsawatchNotificationQueueStuck",receiver="broken"`)+`)`, 40*time.Second, stack.Is(1))
	s.Until(t, `count(location:esawatch_cluster_members:max == 1)`, 40*time.Second, stack.Is(2))
	if v := s.Query(t, alerts(`alertname=~"EsawatchCutOff|EsawatchAlone|EsawatchMembersMissing|EsawatchBelowQuorum"`)); len(v) > 0 {
		t.Errorf("fires, and should not: %v", v)
	}
	s.Agents[1].Kill()
	s.Until(t, alerts(`alertname="EsawatchMembersMissing",location="sin-1"`), 40*time.Second, nil)
	healthy(t, s)
}

// shortened are copies of the rule files that differ in time alone: nothing
// waits before it alerts or goes on after it, and every group is evaluated at
// each second. Windows and thresholds are as they are.
func shortened(t *testing.T) []string {
	t.Helper()
	wait := regexp.MustCompile(`(?m)^( +)(for|keep_firing_for): \d+[smh]`)
	interval := regexp.MustCompile(`(?m)^ +interval: \d+m\n`)
	var copies []string
	for _, file := range ruleFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = interval.ReplaceAll(wait.ReplaceAll(text, []byte("$1$2: 1s")), nil)
		path := filepath.Join(t.TempDir(), filepath.Base(file))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		copies = append(copies, path)
	}
	return copies
}

// TestAlertsOfRealTrouble makes real agents meet what the alerts are for, all
// that can be brought about within seconds.
func TestAlertsOfRealTrouble(t *testing.T) {
	t.Parallel()
	s := stack.Start(t, stack.Options{Locations: []string{"fra-1", "sin-1"}, RuleFiles: shortened(t)})
	fires := func(labels string) model.Vector {
		t.Helper()
		return s.Until(t, `ALERTS{alertstate="firing",`+labels+`}`, 40*time.Second, nil)
	}
	for _, labels := range []string{
		`alertname="EsawatchSiteDown",site="blog",condition="522",location="fra-1"`,
		`alertname="EsawatchSiteDown",site="blog",condition="522",location="sin-1"`,
		`alertname="EsawatchSiteDown",site="wiki",condition="521",fault="origin"`,
		`alertname="EsawatchSiteDown",site="legacy",condition="tls_expired"`,
		`alertname="EsawatchSiteDegraded",site="docs",condition="stale"`,
		`alertname="EsawatchSiteDegraded",site="search",condition="slow"`,
		`alertname="EsawatchNotViaESA",site="intra"`,
		`alertname="EsawatchChallenged",site="members"`,
		`alertname="EsawatchCertificateExpiring",site="pay",severity="warning"`,
		`alertname="EsawatchCertificateExpiring",site="legacy",severity="critical"`, // its handshakes fail
		`alertname="EsawatchNotificationQueueStuck",receiver="broken"`,
		`alertname="EsawatchNotificationsFailing",receiver="broken"`,
		`alertname="EsawatchErrorBudgetBurn",site="blog",window="1h"`,
		`alertname="EsawatchErrorBudgetBurn",site="blog",window="6h"`,
		`alertname="EsawatchErrorBudgetBurn",site="blog",window="1d"`,
		`alertname="EsawatchErrorBudgetBurn",site="blog",window="3d"`,
	} {
		fires(labels)
	}
	for _, labels := range []string{
		`site="shop"`, `receiver="hook"`, `site=~"agent@.*"`,
		`alertname=~"EsawatchAgent.*|EsawatchNoAgent|EsawatchLocationSilent|EsawatchReloadFailed|EsawatchScheduleLate|EsawatchRunsMissed|EsawatchCheckBroken"`,
		`alertname="EsawatchSiteDown",site=~"docs|search|intra|members|pay"`,
		`alertname="EsawatchErrorBudgetBurn",site=~"docs|search|pay"`, // degraded is good
	} {
		if v := s.Query(t, `ALERTS{alertstate="firing",`+labels+`}`); len(v) > 0 {
			t.Errorf("fires, and should not: %v", v)
		}
	}
	for _, r := range loadRules(t) {
		// These agents do not judge together.
		if r.Record != "" && !strings.Contains(r.Record, ":esawatch_cluster_") {
			s.Until(t, r.Record, 10*time.Second, nil)
		}
	}

	// What the agents dropped before Prometheus came is no rise that it could see.
	s.Site(stack.Healthy).Set(stack.Status(503))
	fires(`alertname="EsawatchSiteDown",site="shop",condition="503"`)
	fires(`alertname="EsawatchNotificationsDropped",receiver="refusing"`)
	s.Site(stack.Broken).Set(stack.Answers())
	s.Until(t, `count(ALERTS{alertname="EsawatchSiteDown",site="blog"}) or vector(0)`, 40*time.Second, stack.Is(0))

	if err := os.WriteFile(s.Agents[0].Config, []byte("sites: {"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Reload(t, s.Agents[0])
	fires(`alertname="EsawatchReloadFailed"`)
	s.Canary().Set(stack.Aborts())
	fires(`alertname="EsawatchAgentOffline"`)
	s.Agents[1].Kill()
	fires(`alertname="EsawatchAgentSilent"`)
	fires(`alertname="EsawatchLocationSilent",location="sin-1"`)
	healthy(t, s)
}
