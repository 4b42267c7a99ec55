package edgetest

import (
	"fmt"
	"io"
	"net/http"
)

// The pages carry the marks by which ESA's own are told apart, and not much else.
const (
	shopPage = `<!DOCTYPE html>
<html><head><title>Shop</title></head>
<body><h1>Welcome to the shop</h1><p>Everything is in stock.</p></body></html>
`

	// blockedPage takes the request id and the rule id.
	blockedPage = `<!DOCTYPE html>
<html><head><title>403 Forbidden</title></head>
<body><h1>Sorry, you have been blocked</h1>
<p>This site protects itself against unwanted requests.</p>
<p>RequestID: %s</p><p>RuleID: %s</p>
<footer>Performance &amp; Security by Alibaba Cloud ESA</footer></body></html>
`

	// sliderPage takes the request id.
	sliderPage = `<!DOCTYPE html>
<html><head><title>滑动验证页面</title><script>window.CF_APP_WAF = {"traceid":"%s"};</script></head>
<body><div id="aliyunCaptcha"></div>
<script>window.AliyunCaptchaConfig = {region: "cn", prefix: "edgetest"};</script>
<p>阿里云ESA</p></body></html>
`

	scriptPage = `<html><script>var arg1='0123456789ABCDEF0123456789ABCDEF01234567';` +
		`document.cookie="acw_sc__v2="+arg1.split("").reverse().join("")+";path=/";location.reload();</script></html>
`

	waitingPage = `<!DOCTYPE html>
<html><head><title>Waiting room</title><meta http-equiv="refresh" content="20"></head>
<body><h1>You are in line</h1><p>The estimated wait is 4 minutes.</p></body></html>
`
	waitingJSON = `{"waitingroom":{"inWaitingRoom":true,"waitTime":4,"refreshIntervalSeconds":20}}` + "\n"
)

// nginxReasons are the reason phrases in which nginx differs from net/http.
var nginxReasons = map[int]string{
	401: "Authorization Required",
	405: "Not Allowed",
	408: "Request Time-out",
	413: "Request Entity Too Large",
	414: "Request-URI Too Large",
	503: "Service Temporarily Unavailable",
	504: "Gateway Time-out",
}

// nginxPage is the body of nginx's own page for a status. Most origins have one
// like it, and it survives the way through the edge.
func nginxPage(status int) string {
	reason, ok := nginxReasons[status]
	if !ok {
		reason = http.StatusText(status)
	}
	return fmt.Sprintf("<html>\r\n<head><title>%[1]d %[2]s</title></head>\r\n<body>\r\n"+
		"<center><h1>%[1]d %[2]s</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n", status, reason)
}

func writePage(w http.ResponseWriter, r *http.Request, status int, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	writeBody(w, r, status, body)
}

// writeBody writes a status and a body, where the method and the status allow
// one. A client that has left is no concern of a simulation.
func writeBody(w http.ResponseWriter, r *http.Request, status int, body string) {
	if !bodyAllowed(status) {
		w.Header().Del("Content-Type")
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, body)
	}
}

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}
