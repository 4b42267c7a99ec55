package exposition_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/esawatch/esawatch/checks/exposition"
)

var (
	up   = exposition.Family{Name: "up", Help: "Whether it is up.", Kind: exposition.Gauge}
	runs = exposition.Family{Name: "runs_total", Help: "Runs by outcome.", Kind: exposition.Counter,
		Labels: []string{"outcome", "by"}}
	took = exposition.Family{Name: "took_seconds", Help: "How long runs took.", Kind: exposition.Histogram,
		Bounds: []float64{0.5, 1, 2.5}, Exemplar: "request_id"}
	none = exposition.Family{Name: "none", Help: "Nobody has it.", Kind: exposition.Gauge}
)

// write writes families by f in one format.
func write(t testing.TB, format exposition.Format, f func(*exposition.Writer)) string {
	t.Helper()
	var out bytes.Buffer
	w := exposition.NewWriter(&out, format)
	f(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func example(w *exposition.Writer) {
	base := w.Base("site", "shop", "check", `a "b" \c`+"\n")
	w.Family(&up, func() {
		w.Sample(base, 1)
		w.Sample(w.Base("site", "bad \xff byte"), 0.25)
	})
	w.Family(&none, func() {})
	w.Family(&runs, func() { w.Sample(base, 1e6, "pass", "日本") })
	w.Family(&took, func() {
		w.Histogram(base, &exposition.Distribution{Count: 4, Sum: 7.5, Classic: []uint32{1, 2, 0}, Schema: 3, ZeroThreshold: 1e-9,
			Native:   []exposition.Bucket{{Index: -8, Count: 1}, {Index: -1, Count: 2}, {Index: 20, Count: 1}},
			Exemplar: exposition.Exemplar{Label: "a3b5", Value: 0.75, UnixMillis: 1_795_446_245_007}})
		w.Histogram(w.Base("site", "new"), &exposition.Distribution{Classic: make([]uint32, 3)})
	})
}

const exampleText = `# HELP up Whether it is up.
# TYPE up gauge
up{site="shop",check="a \"b\" \\c\n"} 1
up{site="bad � byte"} 0.25
# HELP runs_total Runs by outcome.
# TYPE runs_total counter
runs_total{site="shop",check="a \"b\" \\c\n",outcome="pass",by="日本"} 1000000
# HELP took_seconds How long runs took.
# TYPE took_seconds histogram
took_seconds_bucket{site="shop",check="a \"b\" \\c\n",le="0.5"} 1
took_seconds_bucket{site="shop",check="a \"b\" \\c\n",le="1"} 3
took_seconds_bucket{site="shop",check="a \"b\" \\c\n",le="2.5"} 3
took_seconds_bucket{site="shop",check="a \"b\" \\c\n",le="+Inf"} 4
took_seconds_sum{site="shop",check="a \"b\" \\c\n"} 7.5
took_seconds_count{site="shop",check="a \"b\" \\c\n"} 4
took_seconds_bucket{site="new",le="0.5"} 0
took_seconds_bucket{site="new",le="1"} 0
took_seconds_bucket{site="new",le="2.5"} 0
took_seconds_bucket{site="new",le="+Inf"} 0
took_seconds_sum{site="new"} 0
took_seconds_count{site="new"} 0
`

func TestText(t *testing.T) {
	if got := write(t, exposition.Text, example); got != exampleText {
		t.Errorf("got\n%s", got)
	}
}

// TestOpenMetrics differs from the text in three things only.
func TestOpenMetrics(t *testing.T) {
	want := strings.NewReplacer(
		"# HELP runs_total ", "# HELP runs ", "# TYPE runs_total ", "# TYPE runs ",
		`le="1"`, `le="1.0"`,
		`le="1"} 3`, `le="1.0"} 3 # {request_id="a3b5"} 0.75 1795446245.007`,
	).Replace(exampleText)
	want = strings.Replace(want, `le="1.0"} 3`, `le="1.0"} 3 # {request_id="a3b5"} 0.75 1795446245.007`, 1)
	if got := write(t, exposition.OpenMetrics, example); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestPlacesOfExemplars holds that an exemplar is with the bucket that it lies in.
func TestPlacesOfExemplars(t *testing.T) {
	for value, want := range map[float64]string{0: "0.5", 0.5: "0.5", 0.51: "1.0", 2.5: "2.5", 3: "+Inf", math.Inf(1): "+Inf"} {
		text := write(t, exposition.OpenMetrics, func(w *exposition.Writer) {
			w.Family(&took, func() {
				w.Histogram(w.Base("site", "shop"), &exposition.Distribution{Classic: make([]uint32, 3),
					Exemplar: exposition.Exemplar{Label: "x", Value: value}})
			})
		})
		before, _, _ := strings.Cut(text, " # {")
		if strings.Count(text, " # {") != 1 || !strings.HasSuffix(before, `le="`+want+`"} 0`) {
			t.Errorf("%v: want one exemplar, at %s:\n%s", value, want, text)
		}
	}
}

// TestErrorsEndTheWriting holds that a client that has gone costs nothing more.
func TestErrorsEndTheWriting(t *testing.T) {
	gone := errors.New("gone")
	for _, format := range []exposition.Format{exposition.Text, exposition.OpenMetrics, exposition.Protobuf} {
		out := &failing{after: 1, err: gone}
		w := exposition.NewWriter(out, format)
		asked := 0
		for range 3 {
			w.Family(&up, func() {
				asked++
				for range 10_000 {
					w.Sample(w.Base("site", "shop"), 1)
				}
			})
		}
		if err := w.Flush(); !errors.Is(err, gone) || out.calls != 2 || asked > 2 {
			t.Errorf("format %d: got %v after %d writes, and %d looks at the series", format, err, out.calls, asked)
		}
	}
}

// failing is a writer that fails after some writes.
type failing struct {
	after, calls int
	err          error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.calls++; f.calls > f.after {
		return 0, f.err
	}
	return len(p), nil
}

// TestLittleAtOnce holds that a family of any size is written in small pieces.
func TestLittleAtOnce(t *testing.T) {
	for _, format := range []exposition.Format{exposition.Text, exposition.OpenMetrics, exposition.Protobuf} {
		most := &largest{}
		w := exposition.NewWriter(most, format)
		w.Family(&up, func() {
			for range 100_000 {
				w.Sample(w.Base("site", "shop"), 1)
			}
		})
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if most.total < 1_000_000 || most.most > 64<<10 {
			t.Errorf("format %d: %d bytes, up to %d at once", format, most.total, most.most)
		}
	}
}

type largest struct{ most, total int }

func (l *largest) Write(p []byte) (int, error) {
	l.most, l.total = max(l.most, len(p)), l.total+len(p)
	return len(p), nil
}
