package groupbot

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/esawatch/esawatch/notify"
)

// Service is a chat service whose groups have custom bots.
type Service string

// The services.
const (
	DingTalk Service = "dingtalk"
	Feishu   Service = "feishu"
	WeCom    Service = "wecom"
)

// message is what a bot says.
type message struct {
	title   string
	lines   []string
	chinese bool
	mention mention
}

// text is the whole of a message.
func (m message) text() string { return m.title + "\n" + strings.Join(m.lines, "\n") }

// mention is who is called.
type mention struct {
	all          bool
	mobiles, ids []string
}

// dialect is what one service wants otherwise than the others.
type dialect struct {
	limit   int  // of a message's text, in bytes
	mobiles bool // people can be called by their phone number

	body func(message) map[string]any
	// sign adds a signature to the body or to the URL; nil where there is none.
	sign func(body map[string]any, target *url.URL, key string, now time.Time)

	code, reason string         // the members of an answer; code 0 is success
	codes        map[int]remedy // what codes other than 0 mean
}

// remedy makes of what a service said an error that says what to do.
type remedy func(error) error

var (
	slowDown remedy = func(err error) error { return notify.RetryAfter(err, time.Minute) }
	tooLong  remedy = notify.Permanent
	busy     remedy = func(err error) error { return notify.Because(notify.ReasonServer, err) }
)

// mend is a remedy for the operator.
func mend(what string) remedy {
	return func(err error) error { return notify.Misconfigured(fmt.Errorf("%w: %s", err, what)) }
}

const (
	checkURL      = "check webhook_url; the bot may have been removed from the group"
	checkSecurity = "check the bot's security settings: the signature's secret, the words that a message must have, the addresses that may send; and this machine's clock"
)

// dialects are the services. The limits, codes and signatures are those of their
// documentation: open.dingtalk.com (custom robot access), open.feishu.cn (custom
// bot guide) and developer.work.weixin.qq.com (group robot configuration).
var dialects = map[Service]dialect{
	DingTalk: {
		limit: 12000, mobiles: true, body: dingTalkBody, sign: signDingTalk, code: "errcode", reason: "errmsg",
		codes: map[int]remedy{
			-1: busy, 130101: slowDown, 410100: slowDown, 460101: tooLong,
			300001: mend(checkURL), 310000: mend(checkSecurity), 400013: mend(checkURL), 400101: mend(checkURL), 400102: mend(checkURL),
		},
	},
	Feishu: {
		limit: 12000, body: feishuBody, sign: signFeishu, code: "code", reason: "msg",
		codes: map[int]remedy{
			9499: feishuBadRequest, 11232: slowDown,
			19001: mend(checkURL), 19021: mend(checkSecurity), 19022: mend(checkSecurity), 19024: mend(checkSecurity),
		},
	},
	WeCom: {
		limit: 2048, mobiles: true, body: weComBody, code: "errcode", reason: "errmsg",
		codes: map[int]remedy{-1: busy, 45009: slowDown, 45033: slowDown, 45002: tooLong, 93000: mend(checkURL), 40058: tooLong},
	},
}

// feishuBadRequest is one code for two things.
func feishuBadRequest(err error) error {
	if strings.Contains(strings.ToLower(err.Error()), "too many") {
		return slowDown(err)
	}
	return notify.Permanent(err)
}

// judge tells whether a service took a message.
func (d *dialect) judge(a notify.Answer) error {
	var said map[string]any
	parsed := json.Unmarshal(a.Body, &said) == nil
	code, told := said[d.code].(float64)
	if !parsed || !told || code == 0 && !a.OK() {
		if !a.OK() {
			return a.Err("", checkURL)
		}
		return notify.Because(notify.ReasonAnswer, errors.New("the answer does not say whether the message was taken: "+checkURL))
	}
	if code == 0 {
		return nil
	}
	reason, _ := said[d.reason].(string)
	err := fmt.Errorf("%s %.0f: %q", d.code, code, notify.Line(reason, 200))
	if remedy, known := d.codes[int(code)]; known {
		return remedy(err)
	}
	return notify.Because(notify.ReasonAnswer, err)
}

// everybody is how a whole group is called.
var everybody = []string{"all", "everyone", "所有人"}

// parseMention reads what an operator writes.
func (d *dialect) parseMention(s string) (m mention, err error) {
	words := strings.FieldsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || strings.ContainsRune(",，、;；", c) })
	for _, word := range words {
		word = strings.TrimPrefix(word, "@")
		digits := strings.TrimPrefix(word, "+")
		isMobile := len(digits) >= 6 && strings.Trim(digits, "0123456789-") == ""
		switch {
		case slices.Contains(everybody, strings.ToLower(word)):
			m.all = true
		case isMobile && !d.mobiles:
			return mention{}, fmt.Errorf("mention %q: want all, or a user's open_id (ou_…); phone numbers call nobody there", word)
		case isMobile:
			m.mobiles = append(m.mobiles, word)
		case word == "" || strings.ContainsFunc(word, func(c rune) bool { return c < '!' || c > '~' || strings.ContainsRune(`<>"'`, c) }):
			return mention{}, fmt.Errorf("mention %q: want all, a phone number or a user ID", word)
		default:
			m.ids = append(m.ids, word)
		}
	}
	return m, nil
}

func dingTalkBody(m message) map[string]any {
	body := map[string]any{"msgtype": "text", "text": map[string]any{"content": m.text()}}
	at := map[string]any{}
	if m.mention.all {
		at["isAtAll"] = true
	}
	if m.mention.mobiles != nil {
		at["atMobiles"] = m.mention.mobiles
	}
	if m.mention.ids != nil {
		at["atUserIds"] = m.mention.ids
	}
	if len(at) > 0 {
		body["at"] = at
	}
	return body
}

// signDingTalk puts the time in milliseconds and the signature into the URL.
func signDingTalk(_ map[string]any, target *url.URL, key string, now time.Time) {
	timestamp := fmt.Sprint(now.UnixMilli())
	q := target.Query()
	q.Set("timestamp", timestamp)
	q.Set("sign", hmacBase64(key, timestamp+"\n"+key))
	target.RawQuery = q.Encode()
}

// feishuBody is a rich text: in a plain one a text could mention.
func feishuBody(m message) map[string]any {
	type part map[string]string
	var paragraphs [][]part
	var called []part
	if m.mention.all {
		called = append(called, part{"tag": "at", "user_id": "all"})
	}
	for _, id := range m.mention.ids {
		called = append(called, part{"tag": "at", "user_id": id})
	}
	if called != nil {
		paragraphs = append(paragraphs, called)
	}
	for _, line := range m.lines {
		paragraphs = append(paragraphs, []part{{"tag": "text", "text": cmp.Or(line, " ")}})
	}
	language := "en_us"
	if m.chinese {
		language = "zh_cn"
	}
	post := map[string]any{language: map[string]any{"title": m.title, "content": paragraphs}}
	return map[string]any{"msg_type": "post", "content": map[string]any{"post": post}}
}

// signFeishu puts the time in seconds and the signature, of nothing, with both as
// its key, into the body.
func signFeishu(body map[string]any, _ *url.URL, key string, now time.Time) {
	timestamp := fmt.Sprint(now.Unix())
	body["timestamp"], body["sign"] = timestamp, hmacBase64(timestamp+"\n"+key, "")
}

func weComBody(m message) map[string]any {
	text := map[string]any{"content": m.text()}
	ids := m.mention.ids
	if m.mention.all {
		ids = append([]string{"@all"}, ids...)
	}
	if ids != nil {
		text["mentioned_list"] = ids
	}
	if m.mention.mobiles != nil {
		text["mentioned_mobile_list"] = m.mention.mobiles
	}
	return map[string]any{"msgtype": "text", "text": text}
}

func hmacBase64(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
