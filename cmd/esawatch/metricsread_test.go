package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// How Prometheus asks, by what it is set up for.
const (
	asText        = "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
	asOpenMetrics = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
	asProtobuf    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3"
)

// scrape is /metrics as Prometheus gets it.
func (d *daemon) scrape(accept string) string {
	d.t.Helper()
	status, header, body := d.page("GET", "/metrics", http.Header{"Accept": {accept}})
	mediaType, _, _ := strings.Cut(accept, ";")
	if got := header.Get("Content-Type"); status != http.StatusOK || !strings.HasPrefix(got, mediaType+"; ") {
		d.t.Fatalf("Accept %q: status %d, %s", accept, status, got)
	}
	return body
}

// family is a metric as the list has it.
type family struct {
	name, kind, help string
	labels           map[string]bool
	native           bool
}

// listed writes families one after another, by their names.
func listed(all map[string]*family) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		fmt.Fprintf(&b, "%s{%s} %s\n\t%s\n", name, strings.Join(slices.Sorted(maps.Keys(f.labels)), ","), f.kind, f.help)
	}
	return b.String()
}

var (
	seriesLine = regexp.MustCompile(`^([a-z_]+)(?:\{(.*?)\})? ([^ ]+)(?: # \{.*)?\n$`)
	labelPart  = regexp.MustCompile(`([a-z_]+)="(?:[^"\\]|\\.)*"`)
)

// readFamilies reads one of the text formats.
func readFamilies(t *testing.T, text string) map[string]*family {
	t.Helper()
	all := map[string]*family{}
	var f *family
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, "# HELP "); found {
			name, help, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), " ")
			f = &family{name: name, help: help, labels: map[string]bool{}}
			continue
		}
		if rest, found := strings.CutPrefix(line, "# TYPE "); found {
			_, f.kind, _ = strings.Cut(strings.TrimSuffix(rest, "\n"), " ")
			if f.kind == "counter" && !strings.HasSuffix(f.name, "_total") {
				f.name += "_total" // OpenMetrics has it at the series only
			}
			if all[f.name] != nil {
				t.Errorf("%s is there twice", f.name)
			}
			all[f.name] = f
			continue
		}
		m := seriesLine.FindStringSubmatch(line)
		if m == nil {
			if line != "# EOF\n" && !strings.HasPrefix(line, "# UNIT ") {
				t.Errorf("not understood: %q", line)
			}
			continue
		}
		if f == nil || !strings.HasPrefix(m[1], f.name) {
			t.Fatalf("%s is not with its family", m[1])
		}
		for _, part := range labelPart.FindAllStringSubmatch(m[2], -1) {
			if own := f.kind == "histogram" && part[1] == "le" || f.kind == "summary" && part[1] == "quantile"; !own {
				f.labels[part[1]] = true
			}
		}
	}
	return all
}

// decodeFamilies reads protobuf by Prometheus's library.
func decodeFamilies(t *testing.T, body string) map[string]*family {
	t.Helper()
	all := map[string]*family{}
	dec := expfmt.NewDecoder(strings.NewReader(body), expfmt.NewFormat(expfmt.TypeProtoDelim))
	for {
		var read dto.MetricFamily
		if err := dec.Decode(&read); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		f := &family{name: read.GetName(), kind: strings.ToLower(read.GetType().String()), help: read.GetHelp(), labels: map[string]bool{}}
		if all[f.name] != nil {
			t.Errorf("%s is there twice", f.name)
		}
		all[f.name] = f
		for _, m := range read.GetMetric() {
			for _, l := range m.GetLabel() {
				f.labels[l.GetName()] = true
			}
			f.native = f.native || m.GetHistogram().GetZeroThreshold() > 0
		}
	}
}

// valueOf is the value of one series in a text, written with its labels in any order.
func valueOf(t *testing.T, text, series string) (value float64, ok bool) {
	t.Helper()
	name, _, _ := strings.Cut(series, "{")
	want := sortedSeries(series)
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, name) {
			continue
		}
		end := strings.LastIndexByte(line, ' ')
		if sortedSeries(line[:end]) != want {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[end:]), 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return value, true
	}
	return 0, false
}

// sortedSeries is a series with its labels by their names.
func sortedSeries(series string) string {
	name, _, _ := strings.Cut(series, "{")
	labels := labelPart.FindAllString(series, -1)
	slices.Sort(labels)
	return fmt.Sprint(name, labels)
}
