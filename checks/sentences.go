package checks

import (
	"regexp"
	"sync"
)

// sentence is what we write in English, whole, and the same in Chinese.
type sentence struct {
	english *regexp.Regexp
	chinese string
}

func say(english, chinese string) sentence {
	return sentence{regexp.MustCompile(`^(?:` + english + `)$`), chinese}
}

// sentences are what is written under the labels of the evidence; "got" and "want"
// are what was met and what had been expected. An error of the system is none of
// ours, and stays what people search for. They are made ready for whoever reads
// Chinese, and take no memory from others.
var sentences = sync.OnceValue(func() map[string][]sentence {
	return map[string][]sentence{
		"addresses": {say(`(\d+) of (IPv[46]) only, such as (.+)`, "只有 ${2}，共 ${1} 个，例如 ${3}")},
		"age":       {say(`(\d+) s`, "${1} 秒")},
		"answer":    {say(`plain HTTP, on a port that should speak TLS`, "明文 HTTP，而该端口本应是 TLS")},
		"cause": {
			say(`resolve (\S+): no such name \(NXDOMAIN\)`, "解析 ${1}：域名不存在（NXDOMAIN）"),
			say(`resolve (\S+): the name server failed \((.+)\)`, "解析 ${1}：DNS 服务器出错（${2}）"),
			say(`resolve (\S+): the name exists, but has no (IPv[46] )?address`, "解析 ${1}：域名存在，但没有 ${2}地址"),
			say(`resolve (\S+): no answer from the name server in time`, "解析 ${1}：DNS 服务器未及时应答"),
			say(`resolve (\S+): no such name, or no (IPv[46] )?address for it`, "解析 ${1}：域名不存在，或没有 ${2}地址"),
			say(`connect (\S+): no answer within (\S+)`, "连接 ${1}：${2} 内没有应答"),
			say(`connected, but no TLS handshake within (\S+)`, "已连接，但 ${1} 内未完成 TLS 握手"),
			say(`connected and asked, but no answer within (\S+)`, "已连接并发出请求，但 ${1} 内没有应答"),
			say(`the answer began, but was not complete within (\S+)`, "已开始应答，但 ${1} 内没有收完"),
			say(`the server does not speak TLS`, "对方不是 TLS 服务"),
			say(`redirected more than (\d+) times, at last to (.+)`, "跳转超过 ${1} 次，最后到 ${2}"),
			say(`certificate is not for (\S+)`, "证书不适用于 ${1}"),
			say(`certificate is self-signed`, "自签名证书"),
			say(`certificate chain is incomplete: an intermediate certificate is missing`, "证书链不完整：缺少中间证书"),
			say(`certificate is signed by an authority that this machine does not trust`, "证书由本机不信任的机构签发"),
			say(`certificate expired on (\S+), (\d+) days ago`, "证书已于 ${1} 过期，至今 ${2} 天"),
			say(`certificate expired on (\S+), (\d+) hours ago`, "证书已于 ${1} 过期，至今 ${2} 小时"),
			say(`certificate expired on (\S+), (\S+) ago`, "证书已于 ${1} 过期，至今 ${2}"),
			say(`intermediate certificate (.+) expired on (\S+), (\d+) days ago`, "中间证书 ${1} 已于 ${2} 过期，至今 ${3} 天"),
			say(`intermediate certificate (.+) expired on (\S+), (\d+) hours ago`, "中间证书 ${1} 已于 ${2} 过期，至今 ${3} 小时"),
			say(`intermediate certificate (.+) expired on (\S+), (\S+) ago`, "中间证书 ${1} 已于 ${2} 过期，至今 ${3}"),
			say(`certificate is not yet valid: it starts on (\S+), in (.+)`, "证书尚未生效：${1} 起有效，还有 ${2}"),
			say(`intermediate certificate (.+) is not yet valid: it starts on (\S+), in (.+)`, "中间证书 ${1} 尚未生效：${2} 起有效，还有 ${3}"),
		},
		"chain": {
			say(`the certificate is self-signed`, "自签名证书"),
			say(`(\d+) certificates? presented, the certificate of (.+) is missing; install the full chain`, "出示了 ${1} 张证书，缺少 ${2} 的证书；请安装完整证书链"),
			say(`(\d+) certificates? presented, up to (.+), which this machine does not trust`, "出示了 ${1} 张证书，直到 ${2}，本机不信任它"),
			say(`(\d+) certificates? presented; the issuer (.+) is a private authority, or its certificate is missing`, "出示了 ${1} 张证书；颁发者 ${2} 是私有机构，或缺少其证书"),
		},
		"client certificate": {say(`the server asked for one, and none that it takes is configured`, "服务器要求提供，但未配置它接受的证书")},
		"cname":              {say(`(.+) \(no known name of ESA\)`, "${1}（不是已知的 ESA 域名）")},
		"got": {
			say(`an empty body`, "空的正文"),
			say(`(\d+) bytes: (.+)`, "${1} 字节：${2}"),
			say(`a slider captcha page with status (.+)`, "滑块验证页，状态码 ${1}"),
			say(`a captcha page with status (.+)`, "验证码页，状态码 ${1}"),
			say(`a JavaScript challenge page with status (.+)`, "JavaScript 质询页，状态码 ${1}"),
			say(`a challenge page with status (.+)`, "质询页，状态码 ${1}"),
			say(`a block page with status (.+)`, "拦截页，状态码 ${1}"),
			say(`a waiting room page with status (.+)`, "等候室页面，状态码 ${1}"),
			say(`no trace of ESA in the headers`, "响应头没有 ESA 的痕迹"),
			say(`no trace of ESA in the headers, (Server: .+)`, "响应头没有 ESA 的痕迹，${1}"),
			say(`an answer through ESA`, "经过 ESA 的应答"),
			say(`cache status STALE, Age: (\d+)`, "缓存状态 STALE，缓存时长 ${1} 秒"),
			say(`cache status STALE`, "缓存状态 STALE"),
			say(`expires on (\S+), in (\d+) days`, "${1} 到期，还有 ${2} 天"),
			say(`expires on (\S+), in (\d+) hours`, "${1} 到期，还有 ${2} 小时"),
			say(`expires on (\S+), in (\S+)`, "${1} 到期，还有 ${2}"),
			say(`intermediate certificate (.+) expires on (\S+), in (\d+) days`, "中间证书 ${1} 将于 ${2} 到期，还有 ${3} 天"),
			say(`intermediate certificate (.+) expires on (\S+), in (\d+) hours`, "中间证书 ${1} 将于 ${2} 到期，还有 ${3} 小时"),
			say(`root certificate (.+) expires on (\S+), in (\d+) days`, "根证书 ${1} 将于 ${2} 到期，还有 ${3} 天"),
			say(`root certificate (.+) expires on (\S+), in (\d+) hours`, "根证书 ${1} 将于 ${2} 到期，还有 ${3} 小时"),
			say(`expired on (\S+), (\d+) days ago`, "已于 ${1} 过期，至今 ${2} 天"),
			say(`expired on (\S+), (\d+) hours ago`, "已于 ${1} 过期，至今 ${2} 小时"),
			say(`intermediate certificate (.+) expired on (\S+), (\d+) days ago`, "中间证书 ${1} 已于 ${2} 过期，至今 ${3} 天"),
			say(`intermediate certificate (.+) expires on (\S+), in (\S+)`, "中间证书 ${1} 将于 ${2} 到期，还有 ${3}"),
			say(`root certificate (.+) expires on (\S+), in (\S+)`, "根证书 ${1} 将于 ${2} 到期，还有 ${3}"),
			say(`intermediate certificate (.+) expired on (\S+), (\d+) hours ago`, "中间证书 ${1} 已于 ${2} 过期，至今 ${3} 小时"),
			say(`intermediate certificate (.+) expired on (\S+), (\S+) ago`, "中间证书 ${1} 已于 ${2} 过期，至今 ${3}"),
			say(`expired on (\S+), (\S+) ago`, "已于 ${1} 过期，至今 ${2}"),
		},
		"limit": {
			say(`ESA waits 30s for an origin before it answers 524; this check gives up after (\S+) and cannot see that`, "ESA 等源站 30 秒后返回 524；本检查 ${1} 就放弃，看不到它"),
		},
		"phase": {
			say(`resolve`, "域名解析"), say(`connect`, "建立连接"), say(`tls`, "TLS 握手"), say(`request`, "发送请求"),
			say(`processing`, "等待应答"), say(`transfer`, "接收应答"),
		},
		"POP":            {say(`(\S+), node (\S+)`, "${1}，节点 ${2}"), say(`node (\S+)`, "节点 ${1}")},
		"received":       {say(`(\d+) bytes of the body`, "${1} 字节正文")},
		"redirect":       {say(`from https down to http`, "从 https 降为 http")},
		"redirects":      {say(`(\d+), the last to (.+)`, "${1} 次，最后跳转到 ${2}")},
		"valid":          {say(`(\S+) to (\S+)`, "${1} 至 ${2}")},
		"origin via ESA": {say(`yes`, "是")},
		"via ESA":        {say(`yes`, "是"), say(`possible`, "可能"), say(`no`, "否")},
		"want": {
			say(`at most (\S+)`, "不超过 ${1}"),
			say(`body with (.+)`, "正文含 ${1}"),
			say(`no body with (.+)`, "正文不含 ${1}"),
			say(`body that matches (.+)`, "正文匹配 ${1}"),
			say(`no body that matches (.+)`, "正文不匹配 ${1}"),
			say(`(\S+) that matches (.+)`, "${1} 匹配 ${2}"),
			say(`valid for at least (\d+) days`, "至少还有 ${1} 天"),
			say(`valid for at least (\d+) hours`, "至少还有 ${1} 小时"),
			say(`the site's own page`, "站点自己的页面"),
			say(`a fresh answer`, "最新的应答"),
			say(`an answer through ESA`, "经过 ESA 的应答"),
			say(`one that is not`, "不经过 ESA 的应答"),
		},
	}
})

// inSentence is the Chinese of what stands under a label, or the same.
func inSentence(label, value string) string {
	for _, s := range sentences()[label] {
		if s.english.MatchString(value) {
			return s.english.ReplaceAllString(value, s.chinese)
		}
	}
	return value
}
