package checks

import "testing"

// TestValuesInChinese holds that what the evidence says in our own words is
// Chinese, and that what servers said is left alone.
func TestValuesInChinese(t *testing.T) {
	for _, tt := range []struct{ english, chinese string }{
		{"status: 502 Bad Gateway, want 2xx", "状态码: 502 Bad Gateway，应为 2xx"},
		{"made by: most likely the origin's web server; the page is nginx's own", "响应来源: 很可能是源站的 Web 服务器，页面出自 nginx"},
		{"made by: most likely the origin's application, which sends X-Runtime", "响应来源: 很可能是源站应用，应答带有 X-Runtime"},
		{"made by: the origin; X-Swift-Error says that it answered so", "响应来源: 源站（X-Swift-Error 表明是源站的应答）"},
		{"origin: 200 in 34 ms", "源站: 200，34 毫秒"},
		{"origin: 200 in 2.1 s, body_mismatch: 12 bytes, want shop in stock", "源站: 200，2.1 秒，正文不符: 12 bytes，应为 shop in stock"},
		{"origin: 404 Not Found in 2.1 ms", "源站: 404 Not Found，2.1 毫秒"},
		{"origin: connect_refused in 0.4 ms: 203.0.113.10:443: connection refused", "源站: connect_refused，0.4 毫秒: 203.0.113.10:443: connection refused"},
		{"POP: de7, node 203.0.113.80", "节点 POP: de7，节点 203.0.113.80"},
		{"POP: node 203.0.113.80", "节点 POP: 节点 203.0.113.80"},
		{"POP: de7", "节点 POP: de7"},
		{"age: 3600 s", "缓存时长: 3600 秒"},
		{"via ESA: yes", "经过 ESA: 是"},
		{"phase: processing", "阶段: 等待应答"},
		{"received: 12 bytes of the body", "已接收: 12 字节正文"},
		{"redirect: https://shop.example.com/en", "跳转: https://shop.example.com/en"},
		{"redirect: from https down to http", "跳转: 从 https 降为 http"},
		{"redirects: 2, the last to https://shop.example.com/en", "跳转: 2 次，最后跳转到 https://shop.example.com/en"},
		{"time: 212 ms (connect 4.0 ms, tls 8.1 ms)", "耗时: 212 毫秒（建立连接 4.0 毫秒，TLS 握手 8.1 毫秒）"},
		{"time: 12 s", "耗时: 12 秒"},
		{"valid: 2026-01-01T00:00:00Z to 2027-01-01T00:00:00Z", "有效期: 2026-01-01T00:00:00Z 至 2027-01-01T00:00:00Z"},
		{"cname: shop.example.com -> cdn.example.net (no known name of ESA)", "CNAME: shop.example.com -> cdn.example.net（不是已知的 ESA 域名）"},
		{"chain: the certificate is self-signed", "证书链: 自签名证书"},
		{"cause: connect 203.0.113.10:443: connection refused", "原因: connect 203.0.113.10:443: connection refused"},
		{"cause: connected and asked, but no answer within 10s", "原因: 已连接并发出请求，但 10s 内没有应答"},
		{"cause: odd, want in 3 s", "原因: odd, want in 3 s"},
		{"origin: connect_timeout in 10 s: connect 203.0.113.10:443: no answer within 10s", "源站: connect_timeout，10 秒: 连接 203.0.113.10:443：10s 内没有应答"},
		{"slow: 2.1s, want at most 2s", "缓慢: 2.1s，应为 不超过 2s"},
		{"tls_expiring: expires on 2026-12-01T00:00:00Z, in 3 days, want valid for at least 14 days", "证书即将到期: 2026-12-01T00:00:00Z 到期，还有 3 天，应为 至少还有 14 天"},
		{"tls_expiring: intermediate certificate CN=R11,O=a, want b expires on 2026-12-01T00:00:00Z, in 3 days, want valid for at least 14 days", "证书即将到期: 中间证书 CN=R11,O=a, want b 将于 2026-12-01T00:00:00Z 到期，还有 3 天，应为 至少还有 14 天"},
		{"tls_expiring: root certificate CN=ours expires on 2026-12-01T00:00:00Z, in 30 hours, want valid for at least 14 days", "证书即将到期: 根证书 CN=ours 将于 2026-12-01T00:00:00Z 到期，还有 30 小时，应为 至少还有 14 天"},
		{"tls_expiring: expired on 2026-12-01T00:00:00Z, 3 days ago, want valid for at least 14 days", "证书即将到期: 已于 2026-12-01T00:00:00Z 过期，至今 3 天，应为 至少还有 14 天"},
		{"tls_expiring: expires on 2026-12-01T00:00:00Z, in 1h30m0s, want valid for at least 14 days", "证书即将到期: 2026-12-01T00:00:00Z 到期，还有 1h30m0s，应为 至少还有 14 天"},
		{"cause: intermediate certificate CN=R11 expired on 2026-12-01T00:00:00Z, 3 days ago", "原因: 中间证书 CN=R11 已于 2026-12-01T00:00:00Z 过期，至今 3 天"},
		{"body_mismatch: 12 bytes: a, want b, want body with \"shop\"", "正文不符: 12 字节：a, want b，应为 正文含 \"shop\""},
		{"body_mismatch: 12 bytes: a, want no body with \"a, want b\"", "正文不符: 12 字节：a，应为 正文不含 \"a, want b\""},
		{"status: 404 Not Found, want 2xx, 3xx", "状态码: 404 Not Found，应为 2xx, 3xx"},
		{"certificate: CN=a, want b to c", "证书: CN=a, want b to c"},
		{"origin: timeout in 1.0 s: connected and asked, but no answer within 1s", "源站: timeout，1.0 秒: 已连接并发出请求，但 1s 内没有应答"},
		{"origin: protocol_error in 2 ms: malformed: PHP, want x in 3 s", "源站: protocol_error，2 毫秒: malformed: PHP, want x in 3 s"},
		{"header_mismatch: no", "响应头不符: no"},
		{"X-Tengine-Error: denied by x, want y in 3 s", "X-Tengine-Error: denied by x, want y in 3 s"},
	} {
		if got := inChinese([]string{tt.english}); got[0] != tt.chinese {
			t.Errorf("%s: got %s, want %s", tt.english, got[0], tt.chinese)
		}
	}
}
