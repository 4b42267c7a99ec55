package checks

import "strings"

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

// chineseValues puts the values of evidence into Chinese where we wrote them
// ourselves. Those that a server or the system wrote stay as they are, as do
// causes: they are what people search for.
var chineseValues = map[string]func(string) string{
	"age":   inSeconds,
	"chain": oneOf(map[string]string{"the certificate is self-signed": "自签名证书"}),
	"cname": func(s string) string {
		return strings.Replace(s, " (no known name of ESA)", "（不是已知的 ESA 域名）", 1)
	},
	"made by":   chineseAuthor,
	"origin":    chineseOrigin,
	"phase":     oneOf(chinesePhases),
	"POP":       chinesePOP,
	"received":  func(s string) string { return strings.Replace(s, " bytes of the body", " 字节正文", 1) },
	"redirects": func(s string) string { return strings.Replace(s, ", the last to ", " 次，最后跳转到 ", 1) },
	"time":      chineseTime,
	"valid":     func(s string) string { return strings.Replace(s, " to ", " 至 ", 1) },
	"via ESA":   oneOf(map[string]string{"yes": "是", "possible": "可能", "no": "否"}),
}

var chinesePhases = map[string]string{
	"resolve": "域名解析", "connect": "建立连接", "tls": "TLS 握手", "request": "发送请求",
	"processing": "等待应答", "transfer": "接收应答",
}

// oneOf translates the words that it knows.
func oneOf(words map[string]string) func(string) string {
	return func(s string) string {
		if zh, ok := words[s]; ok {
			return zh
		}
		return s
	}
}

func inSeconds(s string) string { return strings.Replace(s, " s", " 秒", 1) }

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
			parts[i] = oneOf(chinesePhases)(name) + " " + chineseDuration(took)
		}
	}
	return whole + "（" + strings.Join(parts, "，") + "）"
}

// chineseOrigin is what originText wrote: "200 in 34 ms", or a cause behind it.
func chineseOrigin(s string) string {
	answer, rest, ok := strings.Cut(s, " in ")
	if !ok {
		return s
	}
	end := strings.IndexAny(rest, ",:")
	if end < 0 {
		end = len(rest)
	}
	took, why := rest[:end], rest[end:]
	return answer + "，" + chineseDuration(took) + strings.Replace(why, ", ", "，", 1)
}

// chinesePOP is what popText wrote.
func chinesePOP(s string) string {
	if ip, ok := strings.CutPrefix(s, "node "); ok {
		return "节点 " + ip
	}
	return strings.Replace(s, ", node ", "，节点 ", 1)
}

// inChinese puts evidence into Chinese, its labels and what of its values is ours.
func inChinese(evidence []string) []string {
	lines := make([]string, len(evidence))
	for i, line := range evidence {
		lines[i] = line
		label, value, ok := strings.Cut(line, ": ")
		zh := chineseLabels[label]
		if !ok || zh == "" {
			continue
		}
		if ours := chineseValues[label]; ours != nil {
			value = ours(value)
		}
		lines[i] = zh + ": " + strings.ReplaceAll(value, ", want ", "，应为 ")
	}
	return lines
}
