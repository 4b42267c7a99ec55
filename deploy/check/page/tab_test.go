package page

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is one tab of the browser with a profile of its own. At the end of the
// test it demands that nothing was complained of in it: no error on the console,
// no violation of the policy, no request to any host but the agent's.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu         sync.Mutex
	complaints []string
	allowed    []string // what a test expects to be complained of
}

// open opens a tab for the agent's pages.
func (a *agent) open() *tab {
	a.t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	a.t.Cleanup(cancel)
	p := &tab{t: a.t, ctx: ctx, base: a.base}
	if err := chromedp.Do(ctx); err != nil { // opens it, which must not be timed: see NewContext
		a.t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		a.t.Fatal(err)
	}
	call(p, network.Enable, network.EnableParams{})
	call(p, log.Enable, cdp.Empty{})
	call(p, audits.Enable, cdp.Empty{})
	call(p, runtime.Enable, cdp.Empty{})
	a.t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range p.complaints {
			if !p.expects(c) {
				a.t.Errorf("the browser: %s", c)
			}
		}
	})
	return p
}

func (p *tab) expects(complaint string) bool {
	for _, text := range p.allowed {
		if strings.Contains(complaint, text) {
			return true
		}
	}
	return false
}

// hear notes what must not be.
func (p *tab) hear(event any) {
	complaint := ""
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			for _, arg := range e.Args {
				complaint += fmt.Sprintf("console: %s %s ", arg.Value, arg.Description)
			}
		}
	case *runtime.EventExceptionThrown:
		complaint = fmt.Sprintf("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			complaint = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		if e.Issue.Code == audits.InspectorIssueCodeContentSecurityPolicyIssue {
			complaint = fmt.Sprintf("policy: %+v", e.Issue.Details.ContentSecurityPolicyIssueDetails)
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || "http://"+u.Host != p.base && u.Scheme != "data" && u.Scheme != "about" {
			complaint = "request to " + e.Request.URL
		}
	}
	if complaint != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.complaints = append(p.complaints, complaint)
	}
}

// run does what gives no value.
func (p *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	get(p, chromedp.Steps(actions...))
}

// get does what gives a value.
func get[T any](p *tab, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// call sends a command of the protocol.
func call[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	return get(p, func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, command, params) })
}

// visit goes to a page of the agent.
func (p *tab) visit(path string) {
	p.t.Helper()
	p.run(chromedp.Navigate(p.base + path))
}

// look sets the width in CSS pixels and the colour scheme, "light" or "dark".
func (p *tab) look(width int, scheme string) {
	p.t.Helper()
	p.run(chromedp.EmulateViewport(int64(width), 900))
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
}

// withoutScripts has the pages to come run none.
func (p *tab) withoutScripts() {
	p.t.Helper()
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// ask evaluates an expression in the page. The debugger is not bound by the
// page's policy.
func ask[T any](p *tab, expression string) T {
	p.t.Helper()
	return get(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// typed types into a field.
func typed(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(selector, text)
}

// click clicks what the selector finds, wherever on the page it is.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.run(chromedp.Click(selector))
}

// has waits until the page's text holds what is wanted.
func (p *tab) has(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("the page says %q", text), fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

// until waits for an expression to be true.
func (p *tab) until(what, expression string) {
	p.t.Helper()
	holds := func() bool {
		ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
		defer cancel()
		// It may be asked in the middle of a navigation, when there is no body.
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("document.body ? Boolean("+expression+") : false"))
		return err == nil && ok
	}
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s: not within 20 s; the page says:\n%s", what, ask[string](p, "document.body.innerText"))
		}
	}
}

// shoot looks at a page 390 and 1280 pixels wide, light and dark: it must fit
// and be accessible, and is pictured.
func (p *tab) shoot(name, path string) {
	p.t.Helper()
	for _, width := range []int{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			p.look(width, scheme)
			p.visit(path)
			p.fits(path, width)
			p.accessible(path)
			p.picture(fmt.Sprintf("%s-%d-%s", name, width, scheme))
		}
	}
}

// picture writes a picture of the page to the folder that ESAWATCH_SCREENSHOTS
// names, and none without it.
func (p *tab) picture(name string) {
	p.t.Helper()
	dir := os.Getenv("ESAWATCH_SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), get(p, chromedp.FullScreenshot(100)), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// fits demands that nothing lies beside the window.
func (p *tab) fits(path string, width int) {
	p.t.Helper()
	if w := ask[int](p, "document.documentElement.scrollWidth"); w > width {
		p.t.Errorf("%s is %d pixels wide in a window of %d; beside it: %s", path, w, width, ask[string](p, `
			[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
			.slice(0, 5).map((e) => e.outerHTML.slice(0, 120)).join("\n")`))
	}
}
