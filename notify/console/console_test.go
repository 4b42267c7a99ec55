package console

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}

func TestSamples(t *testing.T) {
	for _, s := range notifytest.Samples() {
		t.Run(s.Name, func(t *testing.T) {
			var out bytes.Buffer
			if _, err := New(Options{Writer: &out, Location: time.UTC}).Notify(t.Context(), s.Notification); err != nil {
				t.Fatal(err)
			}
			golden(t, s.Name+".txt", out.String())
		})
	}
}

// TestStory is what a terminal shows of one incident from beginning to end.
func TestStory(t *testing.T) {
	var out bytes.Buffer
	n := New(Options{Writer: &out, Location: time.UTC})
	var receipt notify.Receipt
	for _, m := range notifytest.Story() {
		m.Receipt = receipt
		var err error
		if receipt, err = n.Notify(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "story.txt", out.String())
	if got := strings.Count(out.String(), "Compare the origin's firewall"); got != 1 {
		t.Errorf("the steps of one condition are shown %d times, want once", got)
	}
}

func TestColorOnlyWhenTold(t *testing.T) {
	var plain, colored bytes.Buffer
	for _, s := range notifytest.Samples() {
		_, err1 := New(Options{Writer: &plain, Location: time.UTC}).Notify(t.Context(), s.Notification)
		_, err2 := New(Options{Writer: &colored, Location: time.UTC, Color: true}).Notify(t.Context(), s.Notification)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(plain.String(), "\x1b") {
		t.Error("escape sequences without being told")
	}
	stripped := regexp.MustCompile(`\x1b\[[0-9;]+m`).ReplaceAllString(colored.String(), "")
	if diff := cmp.Diff(plain.String(), stripped); diff != "" {
		t.Errorf("colours change the text (-plain +colored):\n%s", diff)
	}
}

// TestHostileTextIsHarmless: nothing reaches the terminal but printable text,
// in lines that fit.
func TestHostileTextIsHarmless(t *testing.T) {
	for _, width := range []int{10, 60, 100, 200} {
		var out bytes.Buffer
		n := New(Options{Writer: &out, Width: width})
		for _, s := range notifytest.Samples() {
			if _, err := n.Notify(t.Context(), s.Notification); err != nil {
				t.Fatal(err)
			}
		}
		if !utf8.Valid(out.Bytes()) {
			t.Error("invalid UTF-8")
		}
		for _, r := range out.String() {
			if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Fatalf("%U reached the terminal", r)
			}
		}
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			// An address stays whole, and the header's rule has a least length.
			if notify.Width(line) > max(width, 100) && !strings.Contains(line, "://") {
				t.Errorf("width %d: line of %d columns: %q", width, notify.Width(line), line)
			}
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestErrors(t *testing.T) {
	m := notifytest.Samples()[0].Notification
	if _, err := New(Options{Writer: brokenWriter{}}).Notify(t.Context(), m); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v, want os.ErrClosed", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if _, err := New(Options{Writer: &out}).Notify(ctx, m); !errors.Is(err, context.Canceled) || out.Len() > 0 {
		t.Errorf("error %v, %d bytes written; want canceled and none", err, out.Len())
	}
}
