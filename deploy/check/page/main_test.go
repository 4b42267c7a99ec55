package page

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"
)

// program is the built esawatch, and browser the one Chromium that all tests
// share, each with a profile of its own. Both are "" or nil where there is no Chromium.
var (
	program string
	browser context.Context
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return m.Run() // each test says that it is missing
	}
	dir, err := os.MkdirTemp("", "esawatch-page-")
	if err != nil {
		return complain(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "esawatch")
	build := exec.CommandContext(context.Background(), "go", "build", "-C", "../../..", "-o", program, "./cmd/esawatch")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return complain(err)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(time.Minute))...)
	defer stop()
	var end context.CancelFunc
	browser, end = chromedp.NewContext(allocator)
	defer end()
	if err := chromedp.Do(browser); err != nil {
		return complain(fmt.Errorf("start chromium: %w", err))
	}
	code := m.Run()
	if err := chromedp.Cancel(browser); err != nil {
		return complain(fmt.Errorf("stop chromium: %w", err))
	}
	stop()
	if err := goleak.Find(); err != nil && code == 0 {
		return complain(err)
	}
	return code
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// needBrowser ends the test where there is no Chromium: it says so, or fails
// when ESAWATCH_REQUIRE_SERVERS is set.
func needBrowser(t *testing.T) {
	t.Helper()
	if browser == nil {
		missing(t, "this test needs chromium in PATH")
	}
}

func missing(t *testing.T, text string) {
	t.Helper()
	if os.Getenv("ESAWATCH_REQUIRE_SERVERS") != "" {
		t.Fatalf("ESAWATCH_REQUIRE_SERVERS is set: %s", text)
	}
	t.Skip(text)
}
