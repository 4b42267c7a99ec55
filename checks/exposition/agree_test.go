package exposition_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/esawatch/esawatch/checks/exposition"
)

// TestFormatsAgree reads the example back and has Prometheus's own library write
// it in the other formats.
func TestFormatsAgree(t *testing.T) { agree(t, example) }

// FuzzFormatsAgree does the same with whatever may be in a label or a value.
func FuzzFormatsAgree(f *testing.F) {
	f.Add("shop", "home", "522", "a3b5", 0.25, int64(1_795_446_245_123), uint32(3), int32(-5))
	f.Add("\"} 1\n", "\\", "\xff\xfe", "id\"} 1 1\n# EOF\n", math.NaN(), int64(0), uint32(0), int32(0))
	f.Add("", "a,b=\"c\"", "\x00\x1b[31m", "日本", math.Inf(-1), int64(1), uint32(math.MaxUint32), int32(math.MaxInt32))
	f.Add("\\n", "\\\\\"", "\u2028\ufeff", strings.Repeat("x", 300), 1e-300, int64(999), uint32(7), int32(math.MinInt32/2))
	f.Fuzz(func(t *testing.T, site, check, own, id string, value float64, at int64, count uint32, index int32) {
		agree(t, func(w *exposition.Writer) {
			base := w.Base("site", site, "check", check)
			w.Family(&up, func() { w.Sample(base, value) })
			w.Family(&runs, func() {
				w.Sample(base, value, own, "1")
				w.Sample(base, -value, "", own)
			})
			w.Family(&took, func() {
				w.Histogram(base, &exposition.Distribution{Count: uint64(count) + 2, Sum: value, Classic: []uint32{count, 1, 0},
					Schema: index % 8, ZeroThreshold: 1e-9, Zero: count,
					Native:   []exposition.Bucket{{Index: index / 2, Count: count}, {Index: index/2 + 1, Count: 1}, {Index: index/2 + 9, Count: 1}},
					Exemplar: exposition.Exemplar{Label: id, Value: value, UnixMillis: at & (1<<42 - 1)}})
			})
		})
	})
}

// agree writes in all formats, reads each back, and compares what they say.
func agree(t *testing.T, f func(*exposition.Writer)) {
	t.Helper()
	families := decode(t, write(t, exposition.Protobuf, f))
	for format, theirs := range map[exposition.Format]expfmt.FormatType{
		exposition.Text: expfmt.TypeTextPlain, exposition.OpenMetrics: expfmt.TypeOpenMetrics,
	} {
		var want bytes.Buffer
		enc := expfmt.NewEncoder(&want, expfmt.NewFormat(theirs))
		for _, family := range families {
			if err := enc.Encode(family); err != nil {
				t.Fatal(err)
			}
		}
		own := write(t, format, f)
		if diff := cmp.Diff(read(t, want.String()), read(t, own), cmpopts.EquateNaNs(), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("%v: Prometheus's library says other than we do (-theirs +own):\n%s", theirs, diff)
		}
		if format == exposition.Text {
			parser := expfmt.NewTextParser(model.UTF8Validation)
			if _, err := parser.TextToMetricFamilies(strings.NewReader(own)); err != nil {
				t.Errorf("Prometheus's parser: %v:\n%s", err, own)
			}
		}
	}
}

// decode reads protobuf by Prometheus's library.
func decode(t *testing.T, text string) []*dto.MetricFamily {
	t.Helper()
	var families []*dto.MetricFamily
	dec := expfmt.NewDecoder(strings.NewReader(text), expfmt.NewFormat(expfmt.TypeProtoDelim))
	for {
		family := &dto.MetricFamily{}
		if err := dec.Decode(family); errors.Is(err, io.EOF) {
			return families
		} else if err != nil {
			t.Fatalf("Prometheus's decoder: %v", err)
		}
		families = append(families, family)
	}
}

// point is a line of a text: of series, value, and exemplar if it has one.
type point struct {
	Series           string
	Labels, Exemplar map[string]string
	Numbers          []float64
}

var label = regexp.MustCompile(`^([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"([,}])`)

// read reads one of the text formats more strictly than parsers do. Other lines
// than those of series are points without numbers.
func read(t *testing.T, text string) []point {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Fatalf("not UTF-8: %q", text)
	}
	var points []point
	for l := range strings.Lines(text) {
		l, ended := strings.CutSuffix(l, "\n")
		if !ended {
			t.Fatalf("the last line has no end: %q", l)
		}
		if strings.HasPrefix(l, "# ") {
			points = append(points, point{Series: l})
			continue
		}
		p := point{}
		name, rest, ok := strings.Cut(l, "{")
		if p.Series = name; !ok {
			t.Fatalf("no labels in %q", l)
		}
		p.Labels, rest = readLabels(t, rest)
		value, exemplar, has := strings.Cut(rest, " # {")
		p.Numbers = append(p.Numbers, number(t, strings.TrimPrefix(value, " ")))
		if has {
			p.Exemplar, rest = readLabels(t, exemplar)
			for n := range strings.SplitSeq(strings.TrimPrefix(rest, " "), " ") {
				p.Numbers = append(p.Numbers, number(t, n))
			}
		}
		points = append(points, p)
	}
	return points
}

// readLabels reads up to a closing brace and returns what is after it.
func readLabels(t *testing.T, text string) (labels map[string]string, rest string) {
	t.Helper()
	labels = map[string]string{}
	for {
		m := label.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no label in %q", text)
		}
		labels[m[1]] = m[2]
		if text = text[len(m[0]):]; m[3] == "}" {
			return labels, text
		}
	}
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
