package agent

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/probe"
)

const anySite = "sites: [{name: shop, url: 'https://shop.example.com'}]\n"

// TestEveryKindOfReceiverIsBuilt holds that a kind that the configuration knows
// is one that the agent can make.
func TestEveryKindOfReceiverIsBuilt(t *testing.T) {
	token := writeFile(t, filepath.Join(t.TempDir(), "token"), "xoxb-secret\n")
	kinds := []string{
		`slack: {token_file: ` + token + `, channel: "#oncall"}`,
		`slack: {webhook_url: "https://hooks.example.com/services/T/B/x"}`,
		`webhook: {url: "https://hooks.example.com/x"}`,
		`alertmanager: {urls: ["http://alertmanager.example.com:9093"]}`,
		`pagerduty: {routing_key: 0123456789abcdef0123456789abcdef}`,
		`email: {smarthost: "smtp.example.com:587", from: esawatch@example.com, to: [oncall@example.com]}`,
		`email: {smarthost: "smtp.example.com:587", from: esawatch@example.com, to: [oncall@example.com], username: u, password: p}`,
		`dingtalk: {webhook_url: "https://oapi.dingtalk.com/robot/send?access_token=x", secret: SECx, mention: all}`,
		`feishu: {webhook_url: "https://open.feishu.cn/open-apis/bot/v2/hook/x"}`,
		`wecom: {webhook_url: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x", mention: "13800000000"}`,
		`console: {}`,
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			plan := planOf(t, anySite+"receivers: [{name: oncall, "+kind+"}]")
			if len(plan.Receivers) != 1 || plan.Receivers[0].Notifier == nil || plan.Receivers[0].Name != "oncall" {
				t.Errorf("receivers %+v", plan.Receivers)
			}
		})
	}
	if _, err := buildNotifier(&config.Receiver{Name: "none"}, BuildOptions{}); err == nil {
		t.Error("a receiver of no kind was built")
	}
}

// TestReceiverKeepsItsSettings holds what the outbox goes by.
func TestReceiverKeepsItsSettings(t *testing.T) {
	plan := planOf(t, anySite+`
receivers:
  - {name: all, console: {}}
  - name: some
    match: {severity: [critical, warning], fault: [origin], site: [shop], labels: {team: web}}
    send_resolved: false
    lang: zh
    console: {}
`)
	all, some := plan.Receivers[0], plan.Receivers[1]
	if all.Name != "all" || !all.SendResolved || all.Lang != "en" || all.Translate != nil ||
		len(all.Match.Severity)+len(all.Match.Fault)+len(all.Match.Site)+len(all.Match.Labels) != 0 {
		t.Errorf("receiver by default %+v", all)
	}
	if some.Name != "some" || some.SendResolved || some.Lang != "zh" || some.Translate == nil ||
		!slices.Equal(some.Match.Severity, []string{"critical", "warning"}) || !slices.Equal(some.Match.Fault, []string{"origin"}) ||
		!slices.Equal(some.Match.Site, []string{"shop"}) || !maps.Equal(some.Match.Labels, map[string]string{"team": "web"}) {
		t.Errorf("receiver %+v", some)
	}
}

// TestReceiverInChinese holds that a result is put into a receiver's language
// by its check, in the check's own words, and stays when that is gone.
func TestReceiverInChinese(t *testing.T) {
	plan := planOf(t, anySite+`
receivers: [{name: zh, lang: zh, console: {}}]
catalog: [{condition: "522", owner: storefront team}]
`)
	check := plan.Checks[0]
	check.Edge = answering{522}
	english := check.Run(t.Context())
	chinese := plan.Receivers[0].Translate(english)
	if chinese.Diagnosis.Title == english.Diagnosis.Title || chinese.Diagnosis.Owner != "storefront team" || chinese.Condition() != "522" {
		t.Errorf("in Chinese: %+v", chinese.Diagnosis)
	}
	removed := english
	removed.Check = "removed"
	if got := plan.Receivers[0].Translate(removed); got.Diagnosis != english.Diagnosis {
		t.Errorf("the result of a check that is gone became %+v", got.Diagnosis)
	}
}

// answering is a leg that got a status.
type answering struct{ status int }

func (a answering) Do(context.Context) *probe.Response {
	return &probe.Response{StatusCode: a.status, Edge: probe.Edge{ViaESA: probe.ViaYes}}
}

var _ checks.Prober = answering{}

// TestSamples tells the real receivers of a sample incident, and the caller how
// that went.
func TestSamples(t *testing.T) {
	bodies := make(chan string, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		bodies <- b.String()
		if r.URL.Path == "/refuses" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	var screen bytes.Buffer
	cfg := configOf(t, anySite+`
receivers:
  - {name: screen, console: {}}
  - {name: hook, webhook: {url: "`+server.URL+`/takes"}}
  - {name: broken, webhook: {url: "`+server.URL+`/refuses"}}
`)
	plan, err := Build(cfg, BuildOptions{Console: &screen})
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()

	told, err := plan.SendSamples(t.Context(), nil)
	if err != nil || len(told) != 3 {
		t.Fatalf("told %+v, error %v", told, err)
	}
	for i, name := range []string{"screen", "hook", "broken"} {
		if told[i].Receiver != name || (told[i].Err != nil) != (name == "broken") {
			t.Errorf("told %+v, want %s", told[i], name)
		}
	}
	if text := screen.String(); !strings.Contains(text, "RESOLVED") || strings.Index(text, "RESOLVED") < strings.Index(text, "What to do") {
		t.Errorf("the screen shows no incident and then its end:\n%s", text)
	}
	if status := []string{<-bodies, <-bodies}; !strings.Contains(status[0], `"status":"firing"`) || !strings.Contains(status[1], `"status":"resolved"`) {
		t.Errorf("the webhook got %q", status)
	}

	screen.Reset()
	if told, err := plan.SendSamples(t.Context(), []string{"screen"}); err != nil || len(told) != 1 || screen.Len() == 0 {
		t.Errorf("by name: told %+v, error %v", told, err)
	}
	if _, err := plan.SendSamples(t.Context(), []string{"screen", "scren"}); err == nil || !strings.Contains(err.Error(), `"scren"`) || !strings.Contains(err.Error(), "screen, hook, broken") {
		t.Errorf("an unknown name gives %v, want those that there are", err)
	}
	if _, err := planOf(t, anySite).SendSamples(t.Context(), nil); err == nil {
		t.Error("nobody was told, and that is no error")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if told, err := plan.SendSamples(ended, []string{"hook"}); err != nil || len(told) != 1 || !errors.Is(told[0].Err, context.Canceled) {
		t.Errorf("after the end: told %+v, error %v", told, err)
	}
}
