package assert

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
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

	// In lower case, for these are words of a page that its owner may set.
	captchaMark = []byte("aliyuncaptcha")
	blockedMark = []byte("sorry, you have been blocked")
	ruleMark    = []byte("ruleid:")
	deniedMark  = []byte("denied by http_")
	brandMarks  = [][]byte{[]byte("performance &amp; security by"), []byte("performance & security by"), []byte("阿里云esa")}
	requestMark = []byte("RequestID:") // as it is
)

// markedPart is how much of a body is searched: ESA's own pages are short, and
// a mark deep inside a long page is quoted.
const markedPart = 32 << 10

// challengePage says which of ESA's pages an answer is, "" when it is none.
func challengePage(r *probe.Response) string {
	b := r.Body[:min(len(r.Body), markedPart)]
	switch {
	case bytes.Contains(b, sliderTitle):
		return "a slider captcha page"
	case bytes.Contains(b, scriptName) && scriptArg.Match(b):
		return "a JavaScript challenge page"
	}
	// Every check of every page comes here, so only few go on.
	denied := strings.HasPrefix(strings.ToLower(strings.TrimSpace(r.Header.Get("X-Tengine-Error"))), "denied by ")
	waf, request := bytes.Contains(b, wafObject), bytes.Contains(b, requestMark)
	if !denied && !waf && !request {
		return ""
	}
	b = bytes.ToLower(b)
	captcha, blocked := bytes.Contains(b, captchaMark), bytes.Contains(b, blockedMark)
	branded := blocked || slices.ContainsFunc(brandMarks, func(mark []byte) bool { return bytes.Contains(b, mark) })
	switch {
	case waf && captcha:
		return "a captcha page"
	case denied && (captcha || bytes.Contains(b, scriptName)):
		return "a challenge page"
	case denied && blocked,
		request && branded && (bytes.Contains(b, ruleMark) || bytes.Contains(b, deniedMark)):
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
