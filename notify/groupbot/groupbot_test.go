package groupbot

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestContract(t *testing.T) {
	for _, s := range services {
		t.Run(string(s), func(t *testing.T) {
			notifytest.Run(t, notifytest.Kind{
				New: func(t *testing.T, url string, timeout time.Duration) notify.Notifier {
					return newTestNotifier(t, s, url, "all", timeout)
				},
				Server:  func() http.Handler { return &bot{service: s} },
				Secrets: []string{testToken, testSecret},
			})
		})
	}
}

// TestMessages holds what each service's group reads of an incident from beginning
// to end, in both languages.
func TestMessages(t *testing.T) {
	for _, s := range services {
		for _, lang := range []string{"en", "zh"} {
			b := &bot{service: s}
			server := httptest.NewServer(b)
			mention := "all 13800000000 u1"
			if s == Feishu {
				mention = "all ou_1"
			}
			n := newTestNotifier(t, s, server.URL, mention, time.Minute)
			var receipt notify.Receipt
			for _, m := range notifytest.Story() {
				m.Receipt, m.Lang = receipt, lang
				var err error
				if receipt, err = n.Notify(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			server.Close()
			var all strings.Builder
			for i, text := range b.took {
				fmt.Fprintf(&all, "--- called: %s\n%s\n", b.called[i], text)
			}
			golden(t, string(s)+"-"+lang+".txt", all.String())
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}

var ofAStep = regexp.MustCompile(`^\d+\. `)

// TestHostileTextIsHarmless: whatever a server wrote is one line, makes no link and
// calls nobody, and the message fits.
func TestHostileTextIsHarmless(t *testing.T) {
	for _, s := range services {
		b := &bot{service: s}
		server := httptest.NewServer(b)
		n := newTestNotifier(t, s, server.URL, "", time.Minute)
		for _, sample := range notifytest.Samples() {
			if _, err := n.Notify(t.Context(), sample.Notification); err != nil {
				t.Errorf("%s, %s: %v", s, sample.Name, err)
			}
		}
		server.Close()
		for i, text := range b.took {
			for _, r := range text {
				if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
					t.Fatalf("%s: %U reached the group", s, r)
				}
			}
			if called := strings.Trim(b.called[i], "[] <nil>"); called != "" {
				t.Errorf("%s: calls %q", s, called)
			}
			if strings.Contains(text, "<@") {
				t.Errorf("%s: a text that calls: %s", s, text)
			}
			for line := range strings.Lines(text) {
				if strings.Contains(line, "://evil") && !ofAStep.MatchString(line) {
					t.Errorf("%s: a server's address is a link: %s", s, line)
				}
			}
		}
	}
}

// TestAnswers holds what is made of what the services answer.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		service   Service
		status    int
		answer    string
		reason    notify.Reason // "" = taken
		permanent bool
		says      string
	}{
		{DingTalk, 200, `{"errcode":0,"errmsg":"ok"}`, "", false, ""},
		{DingTalk, 200, `{"errcode":310000,"errmsg":"keywords not in content"}`, notify.ReasonMisconfigured, false, "the words that a message must have"},
		{DingTalk, 200, `{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}`, notify.ReasonThrottled, false, "too fast"},
		{DingTalk, 200, `{"errcode":300001,"errmsg":"token is not exist"}`, notify.ReasonMisconfigured, false, "webhook_url"},
		{DingTalk, 200, `{"errcode":-1,"errmsg":"busy"}`, notify.ReasonServer, false, "busy"},
		{DingTalk, 200, `{"errcode":4711,"errmsg":"\u001b[31mnew"}`, notify.ReasonAnswer, false, "4711"},
		{DingTalk, 200, `{"errcode":"0"}`, notify.ReasonAnswer, false, "does not say"},
		{Feishu, 200, `{"code":0,"msg":"success"}`, "", false, ""},
		{Feishu, 400, `{"code":9499,"msg":"Bad Request"}`, notify.ReasonRefused, true, "9499"},
		{Feishu, 400, `{"code":9499,"msg":"too many request"}`, notify.ReasonThrottled, false, "too many"},
		{Feishu, 200, `{"code":11232,"msg":"frequency limited"}`, notify.ReasonThrottled, false, "11232"},
		{Feishu, 200, `{"code":19021,"msg":"sign match fail"}`, notify.ReasonMisconfigured, false, "this machine's clock"},
		{Feishu, 502, `<html>`, notify.ReasonServer, false, "502"},
		{WeCom, 200, `{"errcode":93000,"errmsg":"invalid webhook url"}`, notify.ReasonMisconfigured, false, "webhook_url"},
		{WeCom, 200, `{"errcode":45009,"errmsg":"api freq out of limit"}`, notify.ReasonThrottled, false, "45009"},
		{WeCom, 500, `{"errcode":0}`, notify.ReasonServer, false, "500"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.answer))
		}))
		_, err := newTestNotifier(t, tt.service, server.URL, "", time.Minute).Notify(t.Context(), notifytest.Story()[0])
		server.Close()
		switch {
		case tt.reason == "" && err == nil:
		case err == nil || notify.ReasonOf(err) != tt.reason || notify.IsPermanent(err) != tt.permanent || !strings.Contains(err.Error(), tt.says):
			t.Errorf("%s %s: got %v (%s), want %s with %q", tt.service, tt.answer, err, notify.ReasonOf(err), tt.reason, tt.says)
		case strings.ContainsRune(err.Error(), '\x1b'):
			t.Errorf("%s: %q holds what a terminal obeys", tt.answer, err)
		}
	}
}

// TestWhoIsCalled holds that people are called for a new incident and for one that
// became critical, and not for its end.
func TestWhoIsCalled(t *testing.T) {
	first := notifytest.Story()[0]
	told := notify.Receipt{"explained": ""}
	rose := []notify.Event{{Kind: "severity"}}
	for _, tt := range []struct {
		name string
		edit func(*notify.Notification)
		want bool
	}{
		{"new", func(m *notify.Notification) {}, true},
		{"a change", func(m *notify.Notification) { m.Receipt, m.Events = told, []notify.Event{{Kind: "joined"}} }, false},
		{"became critical", func(m *notify.Notification) { m.Receipt, m.Events, m.Severity = told, rose, "critical" }, true},
		{"eased", func(m *notify.Notification) { m.Receipt, m.Events, m.Severity = told, rose, "warning" }, false},
		{"over", func(m *notify.Notification) { m.Firing = false }, false},
	} {
		m := first
		tt.edit(&m)
		if got := callsFor(m); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestOptions(t *testing.T) {
	given := func() (string, error) { return "https://chat.example/hook", nil }
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{Service: "icq", WebhookURL: given}, "no chat service"},
		{Options{Service: DingTalk}, "webhook URL"},
		{Options{Service: WeCom, WebhookURL: given, Secret: given}, "no signature"},
		{Options{Service: Feishu, WebhookURL: given, Mention: "13800000000"}, "open_id"},
	} {
		if _, err := New(tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q", tt.o, err, tt.want)
		}
	}
}
