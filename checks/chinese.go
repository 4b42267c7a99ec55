package checks

import (
	"cmp"
	"slices"
	"strings"

	"github.com/esawatch/esawatch/checks/catalog"
)

// chineseLabels are the labels of the evidence in Chinese. Those of headers stay.
var chineseLabels = map[string]string{
	"address":            "地址",
	"addresses":          "地址数",
	"age":                "缓存时长",
	"answer":             "应答",
	"asked for":          "请求的域名",
	"body_mismatch":      "正文不符",
	"cache status":       "缓存状态",
	"cause":              "原因",
	"certificate":        "证书",
	"chain":              "证书链",
	"challenge":          "质询",
	"client certificate": "客户端证书",
	"cname":              "CNAME",
	"ESA request id":     "ESA 请求 ID",
	"expr_mismatch":      "表达式不成立",
	"handshake":          "握手",
	"header_mismatch":    "响应头不符",
	"issuer":             "颁发者",
	"json_mismatch":      "JSON 不符",
	"limit":              "时限",
	"made by":            "响应来源",
	"name server":        "DNS 服务器",
	"names":              "证书域名",
	"not_via_esa":        "未经过 ESA",
	"origin":             "源站",
	"origin via ESA":     "源站经过 ESA",
	"phase":              "阶段",
	"POP":                "节点 POP",
	"received":           "已接收",
	"redirect":           "跳转",
	"redirected to":      "跳转到",
	"redirects":          "跳转",
	"slow":               "缓慢",
	"stale":              "过期副本",
	"status":             "状态码",
	"time":               "耗时",
	"tls_expiring":       "证书即将到期",
	"unexpected_status":  "意外状态码",
	"valid":              "有效期",
	"via ESA":            "经过 ESA",
	"waiting_room":       "等候室",
}

// chineseValues puts into Chinese what is more than a sentence.
var chineseValues = map[string]func(string) string{
	"made by": chineseAuthor,
	"origin":  chineseOrigin,
	"time":    chineseTime,
}

// chineseTime is what phasesText wrote: "212 ms (connect 4.0 ms, tls 8.1 ms)".
func chineseTime(s string) string {
	whole, phases, ok := strings.Cut(strings.TrimSuffix(s, ")"), " (")
	whole = chineseDuration(whole)
	if !ok {
		return whole
	}
	parts := strings.Split(phases, ", ")
	for i, part := range parts {
		if name, took, ok := strings.Cut(part, " "); ok {
			parts[i] = inSentence("phase", name) + " " + chineseDuration(took)
		}
	}
	return whole + "（" + strings.Join(parts, "，") + "）"
}

// chineseDuration is what Milliseconds wrote.
func chineseDuration(s string) string {
	if whole, ok := strings.CutSuffix(s, " ms"); ok {
		return whole + " 毫秒"
	}
	if whole, ok := strings.CutSuffix(s, " s"); ok {
		return whole + " 秒"
	}
	return s
}

// chineseOrigin is what originText wrote: "200 in 34 ms", or why behind it.
func chineseOrigin(s string) string {
	answer, rest, ok := strings.Cut(s, " in ")
	if !ok {
		return s
	}
	took, why, ok := strings.Cut(rest, ": ")
	took, condition, failed := strings.Cut(took, ", ")
	text := answer + "，" + chineseDuration(took)
	switch {
	case failed:
		return text + "，" + cmp.Or(chineseLabels[condition], condition) + ": " + chineseWants(why)
	case ok:
		return text + ": " + inSentence("cause", why)
	}
	return text
}

// chineseWants is what gotWant wrote: "404 Not Found, want 2xx". Either side may
// quote the word itself, so that one of our own sentences behind it counts most.
func chineseWants(s string) string {
	first := strings.Index(s, wants)
	if first < 0 {
		return inSentence("got", s)
	}
	for at := first; ; {
		want := s[at+len(wants):]
		if zh := inSentence("want", want); zh != want {
			return inSentence("got", s[:at]) + wantsInChinese + zh
		}
		next := strings.Index(want, wants)
		if next < 0 {
			break
		}
		at += len(wants) + next
	}
	return inSentence("got", s[:first]) + wantsInChinese + s[first+len(wants):]
}

const wantsInChinese = "，应为 "

// expectations are the labels, beside the status, under which gotWant writes.
var expectations = []catalog.Condition{
	catalog.BodyMismatch, catalog.HeaderMismatch, catalog.JSONMismatch, catalog.ExprMismatch, catalog.Slow, catalog.TLSExpiring,
	catalog.UnexpectedStatus, catalog.Challenge, catalog.WaitingRoom, catalog.Stale, catalog.NotViaESA,
}

// inChinese puts evidence into Chinese, its labels and what of its values is ours.
// Those that a server or the system wrote stay as they are.
func inChinese(evidence []string) []string {
	lines := make([]string, len(evidence))
	for i, line := range evidence {
		lines[i] = line
		label, value, ok := strings.Cut(line, ": ")
		zh := chineseLabels[label]
		switch ours := chineseValues[label]; {
		case !ok, zh == "":
			continue
		case ours != nil:
			value = ours(value)
		case label == "status", slices.Contains(expectations, catalog.Condition(label)):
			value = chineseWants(value)
		default:
			value = inSentence(label, value)
		}
		lines[i] = zh + ": " + value
	}
	return lines
}
