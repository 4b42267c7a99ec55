package assert

import (
	"strings"
	"testing"
)

func TestChallenge(t *testing.T) {
	const token = "X-Tengine-Error"
	tests := []struct {
		name string
		r    []string // body, then header pairs
		code int
		want string
	}{
		{"slider", []string{`<html><head><title>滑动验证页面</title></head></html>`, token, "denied by http_custom"}, 200,
			"challenge: got a slider captcha page with status 200, X-Tengine-Error: denied by http_custom; want the site's own page"},
		{"slider without header", []string{`<title>滑动验证页面</title>`}, 200, "challenge: got a slider captcha page with status 200; want the site's own page"},
		{"JavaScript challenge", []string{`<html><script>var arg1='0123456789ABCDEF0123456789ABCDEF01234567';x="acw_sc__v2"</script></html>`}, 200,
			"challenge: got a JavaScript challenge page with status 200; want the site's own page"},
		{"captcha", []string{`<script>window.CF_APP_WAF={}</script><div id="aliyunCaptcha">`}, 200, "challenge: got a captcha page with status 200; want the site's own page"},
		{"captcha by the header", []string{`<script src="https://o.alicdn.com/AliyunCaptcha.js">`, token, "denied by http_bot"}, 202,
			"challenge: got a challenge page with status 202, X-Tengine-Error: denied by http_bot; want the site's own page"},
		{"block page with 200", []string{`<h1>Sorry, you have been blocked</h1><p>RequestID: a</p><p>RuleID: 1</p>Performance &amp; Security by Alibaba Cloud ESA`}, 200,
			"challenge: got a block page with status 200; want the site's own page"},
		{"block page by the header", []string{`Sorry, You Have Been Blocked`, token, "denied by http_ratelimit"}, 200,
			"challenge: got a block page with status 200, X-Tengine-Error: denied by http_ratelimit; want the site's own page"},

		{"ordinary page", []string{"<h1>Shop</h1>", "Set-Cookie", "acw_tc=a3b54e98;path=/;HttpOnly;Max-Age=3600", "Set-Cookie", "cdn_sec_tc=a3b5;Max-Age=3600"}, 200, ""},
		{"login with a captcha", []string{`<form><div id="captcha"></div><script src="AliyunCaptcha.js"></script><script>initAliyunCaptcha({})</script></form>`}, 200, ""},
		{"rule that only observes", []string{"<h1>Shop</h1>", token, "denied by intelligent_cc_acl"}, 200, ""},
		{"article about challenges", []string{`<p>The page sets <code>acw_sc__v2</code> from <code>var arg1='…'</code>; its title is 滑动验证页面, and CF_APP_WAF is defined.</p>`}, 200, ""},
		{"the site's own words", []string{`<p>Sorry, you have been blocked from posting.</p>`}, 200, ""},
		{"own forbidden page", []string{`{"error":"forbidden","requestId":"RequestID: 7"}`}, 200, ""},
		{"mark deep in a long page", []string{strings.Repeat("x", markedPart) + `<title>滑动验证页面</title>`}, 200, ""},

		{"waiting room", []string{`<title>Waiting room</title>`, "Set-Cookie", "__aliwaitingroom_shop=1;path=/"}, 200,
			"waiting_room: got a waiting room page with status 200; want the site's own page"},
		{"waiting room as JSON", []string{`{"waitingroom":{"inWaitingRoom":true}}`, "Set-Cookie", "__aliwaitingroom_shop=1"}, 200,
			"waiting_room: got a waiting room page with status 200; want the site's own page"},
		{"waiting room with 202", []string{`<h1>Patience</h1>`, "Set-Cookie", "a=b", "Set-Cookie", "__aliwaitingroom_shop=1"}, 202,
			"waiting_room: got a waiting room page with status 202; want the site's own page"},
		{"let in", []string{`<h1>Shop</h1>`, "Set-Cookie", "__aliwaitingroom_shop=1"}, 200, ""},
		{"article about waiting rooms", []string{`<h1>The waiting room</h1>`}, 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := answer(tt.code, tt.r[0], tt.r[1:]...)
			if got := one(t, Expect{}, r); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if got := one(t, Expect{Challenge: "allow"}, r); got != "" {
				t.Errorf("allowed, but got %q", got)
			}
		})
	}
}
