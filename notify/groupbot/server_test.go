package groupbot

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/esawatch/esawatch/notify"
)

const (
	testToken  = "bot-token-test-only"
	testSecret = "SEC-test-only"
)

// urlOf is where a bot of the service listens, its token in it as the service has it.
func urlOf(s Service, server string) string {
	switch s {
	case DingTalk:
		return server + "/robot/send?access_token=" + testToken
	case Feishu:
		return server + "/open-apis/bot/v2/hook/" + testToken
	}
	return server + "/cgi-bin/webhook/send?key=" + testToken
}

// newTestNotifier is a notifier for a bot that wants a signature where it can.
func newTestNotifier(t *testing.T, s Service, server, mention string, timeout time.Duration) *Notifier {
	t.Helper()
	given := func(v string) func() (string, error) { return func() (string, error) { return v, nil } }
	o := Options{Service: s, WebhookURL: given(urlOf(s, server) + "\n"), Mention: mention, Timeout: timeout, Location: time.UTC}
	if s != WeCom {
		o.Secret = given(testSecret)
	}
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// bot is a server that judges as the service does, and remembers what it took.
type bot struct {
	service Service
	took    []string // the text of each message
	called  []string // who was called, as the service has it in the body
}

func (b *bot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	code, reason := b.judge(r)
	names := [2]string{"errcode", "errmsg"}
	if b.service == Feishu {
		names = [2]string{"code", "msg"}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{%q:%d,%q:%q}`, names[0], code, names[1], reason)
}

func (b *bot) judge(r *http.Request) (code int, reason string) {
	raw, err := io.ReadAll(r.Body)
	var body struct {
		MsgType   string `json:"msgtype"`
		MsgType2  string `json:"msg_type"`
		Timestamp string
		Sign      string
		Text      struct {
			Content   string
			Mentioned []string `json:"mentioned_list"`
			Mobiles   []string `json:"mentioned_mobile_list"`
		}
		At      map[string]any
		Content struct {
			Post map[string]struct {
				Title   string
				Content [][]map[string]string
			}
		}
	}
	if err != nil || !utf8.Valid(raw) || json.Unmarshal(raw, &body) != nil {
		return 9499, "Bad Request"
	}
	text, called := body.Text.Content, fmt.Sprint(body.At["isAtAll"], body.At["atMobiles"], body.At["atUserIds"])
	switch b.service {
	case DingTalk:
		q := r.URL.Query()
		ms, _ := strconv.ParseInt(q.Get("timestamp"), 10, 64)
		switch {
		case q.Get("access_token") != testToken:
			return 300001, "token is not exist"
		case time.Since(time.UnixMilli(ms)).Abs() > time.Hour:
			return 310000, "invalid timestamp"
		case q.Get("sign") != hmacBase64(testSecret, q.Get("timestamp")+"\n"+testSecret):
			return 310000, "sign not match"
		case body.MsgType != "text" || len(raw) > 20000:
			return 460101, "message too long, exceed 20000 bytes"
		}
	case Feishu:
		seconds, _ := strconv.ParseInt(body.Timestamp, 10, 64)
		if time.Since(time.Unix(seconds, 0)).Abs() > time.Hour || body.Sign != hmacBase64(body.Timestamp+"\n"+testSecret, "") {
			return 19021, "sign match fail or timestamp is not within one hour from current time"
		}
		if body.MsgType2 != "post" || len(body.Content.Post) != 1 || len(raw) > 20<<10 {
			return 9499, "Bad Request"
		}
		called = ""
		for _, post := range body.Content.Post {
			text = post.Title
			for _, paragraph := range post.Content {
				for _, part := range paragraph {
					if part["tag"] == "at" {
						called += part["user_id"] + " "
						continue
					}
					text += "\n" + part["text"]
				}
			}
		}
	case WeCom:
		if r.URL.Query().Get("key") != testToken {
			return 93000, "invalid webhook url"
		}
		if body.MsgType != "text" || len(text) > 2048 {
			return 40058, "text.content exceed max length 2048"
		}
		called = fmt.Sprint(body.Text.Mentioned, body.Text.Mobiles)
	}
	b.took, b.called = append(b.took, text), append(b.called, called)
	return 0, "ok"
}

var services = []Service{DingTalk, Feishu, WeCom}

var _ notify.Notifier = (*Notifier)(nil)
