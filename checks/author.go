package checks

import (
	"bytes"
	"strings"

	"github.com/esawatch/esawatch/checks/probe"
)

// madeBy is the label of what author says, and jsonError what it says of the
// weakest mark: ESA's own error pages can be set to JSON, too.
const (
	madeBy    = "made by"
	jsonError = "an application, or ESA with a page that is set to JSON"
)

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
	if resp.StatusCode < 400 || resp.StatusCode >= 520 || resp.Edge.ErrorToken != "" || resp.Edge.ProxyStatus != "" {
		return "" // ESA's own codes, or it says itself what it did
	}
	if strings.HasPrefix(resp.Header.Get("X-Swift-Error"), "orig response") {
		return "the origin; X-Swift-Error says that it answered so"
	}
	for _, name := range []string{"X-Powered-By", "X-Runtime", "X-AspNet-Version"} {
		if resp.Header.Get(name) != "" {
			return "most likely the origin's application, which sends " + name
		}
	}
	page := bytes.ToLower(resp.Body[:min(len(resp.Body), authorPart)])
	for _, server := range []struct{ mark, name string }{
		{"<center>nginx", "nginx"}, {"<center>openresty", "OpenResty"}, {"<address>apache", "Apache"},
	} {
		if bytes.Contains(page, []byte(server.mark)) {
			return "most likely the origin's web server; the page is " + server.name + "'s own"
		}
	}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") && bytes.HasPrefix(bytes.TrimSpace(page), []byte("{")) {
		return jsonError
	}
	return ""
}
