package checks_test

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/edgetest"
	"github.com/esawatch/esawatch/checks/probe"
)

// pair makes a check with both legs.
func pair(t *testing.T, edge *edgetest.Edge) *checks.Check {
	t.Helper()
	request := probe.Request{URL: edge.URL() + "/", Timeout: 5 * time.Second}
	through, err := probe.New(request)
	if err != nil {
		t.Fatal(err)
	}
	request.ConnectTo = edge.Origin().Addr()
	direct, err := probe.New(request)
	if err != nil {
		t.Fatal(err)
	}
	expect, err := assert.Build(assert.Expect{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { through.Close(); direct.Close() })
	return &checks.Check{Site: "shop", Name: "home", URL: request.URL, Method: "GET",
		Edge: through, Expect: expect, Origin: &checks.OriginLeg{Prober: direct, Expect: expect, Addr: request.ConnectTo},
		Catalog: catalog.Default(), Severity: catalog.Info, RunbookURL: "https://wiki.example.com/shop"}
}

func TestResultInChinese(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	c := pair(t, edge)

	edge.Set(edgetest.ConnectTimeout())
	english := c.Run(t.Context())
	chinese := c.In("zh", english)
	if english.Diagnosis == nil || chinese.Diagnosis == nil {
		t.Fatalf("no diagnosis: %+v, %+v", english.Diagnosis, chinese.Diagnosis)
	}
	e, z := english.Diagnosis, chinese.Diagnosis
	if e.Title != "Connection timed out" || z.Title != "连接源站超时" {
		t.Errorf("titles %q and %q", e.Title, z.Title)
	}
	if z.Condition != e.Condition || z.Severity != catalog.Info || z.RunbookURL != e.RunbookURL || z.Fault != e.Fault {
		t.Errorf("got %+v, want the facts of %+v", z, e)
	}
	if z.Verdict == "" || z.Verdict == e.Verdict || len(z.Steps) != len(e.Steps) {
		t.Errorf("verdict %q with %d steps, want another than %q with %d", z.Verdict, len(z.Steps), e.Verdict, len(e.Steps))
	}
	for i, line := range z.Evidence {
		label, _, _ := strings.Cut(line, ": ")
		if english, _, _ := strings.Cut(e.Evidence[i], ": "); label == english && !strings.Contains(label, "-") {
			t.Errorf("evidence label %q has no Chinese", label)
		}
	}
	if again := c.In("en", english); again.Diagnosis != e {
		t.Error("English was made anew")
	}
}

// TestNotesInChinese holds that what is noted of certificates and timeouts has
// Chinese labels too.
func TestNotesInChinese(t *testing.T) {
	for _, request := range []probe.Request{
		secured(t, time.Now().Add(-time.Hour), "shop.invalid"),
		secured(t, time.Now().Add(-72*time.Hour), "shop.invalid"),
		secured(t, time.Now().Add(time.Hour), "other.invalid"),
		{URL: "http://" + listener(t, ""), Timeout: 100 * time.Millisecond},
	} {
		p, err := probe.New(request)
		if err != nil {
			t.Fatal(err)
		}
		c := checkOf(t, p, nil, assert.Expect{ViaESA: "true"})
		for _, line := range c.In("zh", c.Run(t.Context())).Diagnosis.Evidence {
			label, value, _ := strings.Cut(line, ": ")
			if strings.Trim(label, "abcdefghijklmnopqrstuvwxyz _") == "" {
				t.Errorf("no Chinese label: %s", line)
			}
			if ours := []string{"原因", "证书链", "时限", "有效期", "耗时", "阶段"}; slices.Contains(ours, label) && !strings.ContainsFunc(value, isHan) {
				t.Errorf("no Chinese value: %s", line)
			}
		}
		p.Close()
	}
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

func TestHiddenOutageInChinese(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	c := pair(t, edge)
	if err := edge.Origin().Set(edgetest.OriginStopped()); err != nil {
		t.Fatal(err)
	}
	edge.Set(edgetest.Status(200))
	r := c.Run(t.Context())
	if r.Condition() != catalog.OriginDown || r.Outcome != checks.Degraded || !r.Success || r.Origin.Success {
		t.Fatalf("got %s, outcome %s, origin %+v; want origin_down, degraded", r.Condition(), r.Outcome, r.Origin)
	}
	if z := c.In("zh", r); z.Condition() != catalog.OriginDown || z.Diagnosis.Title == r.Diagnosis.Title {
		t.Errorf("in Chinese: %+v", z.Diagnosis)
	}
}

// TestAgeInChinese holds that the age of a cached error is not lost on the way.
func TestAgeInChinese(t *testing.T) {
	edge, err := edgetest.New(edgetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(edge.Close)
	edge.Set(edgetest.CachedError(502, time.Hour))
	c := pair(t, edge)
	r := c.Run(t.Context())
	if en, zh := r.Diagnosis.Summary, c.In("zh", r).Diagnosis.Summary; !strings.Contains(en, "age 3600 s") || !strings.Contains(zh, "缓存时长 3600 秒") {
		t.Errorf("the age is missing: %q, %q", en, zh)
	}
}
