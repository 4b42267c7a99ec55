package assert

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

type noChallenge struct{}

// NoChallenge expects the site's page and not one by which ESA's firewall tests
// or turns away its visitor. Such a page may come with any status, 200 too.
func NoChallenge() Assertion { return noChallenge{} }

func (noChallenge) Check(r *probe.Response) *Failure {
	if r.StatusCode == 0 || r.Condition != "" {
		return nil
	}
	page := challengePage(r)
	if page == "" {
		return nil
	}
	got := fmt.Sprintf("%s with status %d", page, r.StatusCode)
	if r.Edge.ErrorToken != "" {
		got += ", X-Tengine-Error: " + r.Header.Get("X-Tengine-Error")
	}
	return mismatch(r, catalog.Challenge, got, "the site's own page")
}

// The marks of ESA's pages. Each of the first kind is proof on its own; those of
// the second kind also stand on ordinary pages (a login with a captcha, an
// article about one) and count only beside ESA's own word in X-Tengine-Error,
// which in turn is also sent with ordinary pages while a rule merely observes.
var (
	sliderTitle = []byte("<title>滑动验证页面</title>")
	wafObject   = []byte("CF_APP_WAF")
	scriptArg   = regexp.MustCompile(`var\s+arg1\s*=\s*['"][0-9A-Fa-f]{16,}['"]`)
	scriptName  = []byte("acw_sc__v2")

	captchaMark  = []byte("aliyuncaptcha")
	blockedMark  = []byte("sorry, you have been blocked")
	ruleMark     = []byte("ruleid:")
	deniedMark   = []byte("denied by http_")
	requestMark  = []byte("requestid:")
	brandMark    = []byte("performance &amp; security by")
	brandMarkRaw = []byte("performance & security by")
	brandMarkZh  = []byte("阿里云esa")
)

// markedPart is how much of a body is searched: ESA's own pages are short, and
// a mark deep inside a long page is quoted.
const markedPart = 64 << 10

// challengePage says which of ESA's pages an answer is, "" when it is none.
func challengePage(r *probe.Response) string {
	b := r.Body[:min(len(r.Body), markedPart)]
	has := func(mark []byte) bool { return bytes.Contains(b, mark) }
	switch {
	case has(sliderTitle):
		return "a slider captcha page"
	case has(scriptName) && scriptArg.Match(b):
		return "a JavaScript challenge page"
	}
	lower := bytes.ToLower(b)
	hasLower := func(mark []byte) bool { return bytes.Contains(lower, mark) }
	isDenied := strings.HasPrefix(strings.ToLower(strings.TrimSpace(r.Header.Get("X-Tengine-Error"))), "denied by ")
	switch {
	case has(wafObject) && hasLower(captchaMark):
		return "a captcha page"
	case isDenied && (hasLower(captchaMark) || has(scriptName)):
		return "a challenge page"
	case hasLower(requestMark) && (hasLower(ruleMark) || hasLower(deniedMark)) && (hasLower(blockedMark) || hasLower(brandMark) || hasLower(brandMarkRaw) || hasLower(brandMarkZh)),
		isDenied && hasLower(blockedMark):
		return "a block page"
	}
	return ""
}

type noWaitingRoom struct{}

// NoWaitingRoom expects the site's page and not ESA's waiting room.
func NoWaitingRoom() Assertion { return noWaitingRoom{} }

func (noWaitingRoom) Check(r *probe.Response) *Failure {
	if r.StatusCode == 0 || r.Condition != "" || !inWaitingRoom(r) {
		return nil
	}
	return mismatch(r, catalog.WaitingRoom, fmt.Sprintf("a waiting room page with status %d", r.StatusCode), "the site's own page")
}

// waitingRoomCookie begins the name of the cookie that a waiting room sets.
const waitingRoomCookie = "__aliwaitingroom"

// waitingWords tell a waiting room's page.
var waitingWords = regexp.MustCompile(`(?i)waiting[ _-]?room|http-equiv=["']?refresh|排队|排隊|等候室`)

// inWaitingRoom tells whether an answer is a waiting room's. The cookie alone is
// no proof: a visitor who was let in has one too.
func inWaitingRoom(r *probe.Response) bool {
	cookie := false
	for _, line := range r.Header["Set-Cookie"] {
		cookie = cookie || strings.HasPrefix(strings.TrimSpace(line), waitingRoomCookie)
	}
	if !cookie {
		return false
	}
	return r.StatusCode == http.StatusAccepted || r.StatusCode == http.StatusTooManyRequests ||
		r.Header.Get("Refresh") != "" || waitingWords.Match(r.Body[:min(len(r.Body), markedPart)])
}
