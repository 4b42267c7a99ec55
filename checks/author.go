package checks

import (
	"bytes"
	"strings"

	"github.com/esawatch/esawatch/checks/probe"
)

// madeBy is the label of what author says, and the others are what it says. The
// weakest mark is jsonError: ESA's own error pages can be set to JSON, too.
const (
	madeBy      = "made by"
	originSaid  = "the origin; X-Swift-Error says that it answered so"
	application = "most likely the origin's application, which sends "
	webServer   = "most likely the origin's web server; the page is "
	itsOwn      = "'s own"
	jsonError   = "an application, or ESA with a page that is set to JSON"
)

// chineseAuthor is what author says, in Chinese.
func chineseAuthor(author string) string {
	return strings.NewReplacer(
		originSaid, "源站（X-Swift-Error 表明是源站的应答）",
		application, "很可能是源站应用，应答带有 ",
		webServer, "很可能是源站的 Web 服务器，页面出自 ",
		itsOwn, "",
		jsonError, "应用，或设为 JSON 错误页的 ESA",
	).Replace(author)
}

// provesOrigin tells whether what author says is reason enough to look for an
// error at the origin first.
func provesOrigin(author string) bool { return author != "" && author != jsonError }

// authorPart is how much of an error page is searched for the marks of servers,
// in bytes: such pages are short.
const authorPart = 4 << 10

// author says who made an error that an origin and ESA can both make, by marks
// that only one of them leaves; "" when there is none. Only ESA's own word is
// proof, the rest is worded as likely. Nothing that a server wrote is repeated.
func author(resp *probe.Response) string {
	if resp.StatusCode < 400 || resp.StatusCode >= 520 || resp.Edge.ProxyStatus != "" {
		return "" // ESA's own codes, or it says itself what it did
	}
	if strings.HasPrefix(resp.Header.Get("X-Swift-Error"), "orig response") {
		return originSaid
	}
	for _, name := range []string{"X-Powered-By", "X-Runtime", "X-AspNet-Version"} {
		if resp.Header.Get(name) != "" {
			return application + name
		}
	}
	page := bytes.ToLower(resp.Body[:min(len(resp.Body), authorPart)])
	for _, server := range []struct{ mark, name string }{
		{"<center>nginx", "nginx"}, {"<center>openresty", "OpenResty"}, {"<address>apache", "Apache"},
	} {
		if bytes.Contains(page, []byte(server.mark)) {
			return webServer + server.name + itsOwn
		}
	}
	if resp.Edge.ErrorToken == "" && strings.Contains(resp.Header.Get("Content-Type"), "json") && bytes.HasPrefix(bytes.TrimSpace(page), []byte("{")) {
		return jsonError
	}
	return ""
}
