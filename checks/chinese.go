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

// inChinese puts the labels of evidence into Chinese.
func inChinese(evidence []string) []string {
	lines := make([]string, len(evidence))
	for i, line := range evidence {
		lines[i] = line
		label, value, ok := strings.Cut(line, ": ")
		if zh := chineseLabels[label]; ok && zh != "" {
			lines[i] = zh + ": " + strings.ReplaceAll(value, ", want ", "，应为 ")
		}
	}
	return lines
}
