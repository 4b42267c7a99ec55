package dashboards

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

var tidy = flag.Bool("tidy", false, "write the dashboards in their canonical form")

// TestForm keeps the files comparable: keys in order, two spaces, whatever
// Grafana or an editor made of them.
func TestForm(t *testing.T) {
	for _, b := range boards(t) {
		var v any
		if err := json.Unmarshal(b.raw, &v); err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(b.raw, want.Bytes()) {
			continue
		}
		if !*tidy {
			t.Errorf("%s is not in canonical form: run go test -run TestForm -tidy", b.file)
			continue
		}
		if err := os.WriteFile(filepath.Join(stack.Root(t), "deploy", "grafana", b.file), want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestImport holds what makes a file importable anywhere, and its address stay.
func TestImport(t *testing.T) {
	uids := map[string]string{}
	for _, b := range boards(t) {
		if want := "esawatch-" + strings.TrimSuffix(b.file, ".json"); b.UID != want {
			t.Errorf("%s: uid %q, want %q, to which links go", b.file, b.UID, want)
		}
		if other, ok := uids[b.UID]; ok {
			t.Errorf("%s and %s have the same uid", b.file, other)
		}
		uids[b.UID] = b.file
		if b.ID != nil || b.Inputs != nil {
			t.Errorf("%s: has an id or __inputs, which belong to the Grafana that exported it", b.file)
		}
		if b.SchemaVersion != 39 {
			t.Errorf("%s: schemaVersion %d, want 39, which Grafana 10.4 and all later ones read", b.file, b.SchemaVersion)
		}
		if !slices.Contains(b.Tags, "esawatch") || b.Title == "" || b.Description == "" {
			t.Errorf("%s: wants a title, a description and the tag esawatch, by which the dashboards find each other", b.file)
		}
		if v := b.variable("datasource"); v == nil || v.Type != "datasource" {
			t.Errorf("%s: has no variable for the data source", b.file)
		}
		if bytes.Contains(b.raw, []byte("grafana.com")) || bytes.Contains(b.raw, []byte(`"graph"`)) {
			t.Errorf("%s: has the old graph panel, or an address of somebody else", b.file)
		}
	}
}

// TestPanels holds what every panel owes its reader.
func TestPanels(t *testing.T) {
	for _, b := range boards(t) {
		ids := map[int]string{}
		titles := map[string]bool{}
		for _, p := range b.Panels {
			if other, ok := ids[p.ID]; ok || p.ID == 0 {
				t.Errorf("%s: %q and %q have the id %d", b.file, p.Title, other, p.ID)
			}
			ids[p.ID] = p.Title
			if p.Title == "" || titles[p.Title] {
				t.Errorf("%s: the title %q is empty or used twice", b.file, p.Title)
			}
			titles[p.Title] = true
		}
		for _, p := range b.shown() {
			where := b.file + ": " + p.Title
			if len(p.Description) < 20 || !strings.HasSuffix(p.Description, ".") {
				t.Errorf("%s: the description %q is no sentence", where, p.Description)
			}
			if p.FieldConfig.Defaults.Unit == "" {
				t.Errorf("%s: has no unit", where)
			}
			if p.FieldConfig.Defaults.NoValue == "" {
				t.Errorf("%s: does not say what it means when there is nothing", where)
			}
			if p.Datasource != prometheus {
				t.Errorf("%s: data source %v, want the variable", where, p.Datasource)
			}
			if len(p.Targets) == 0 {
				t.Errorf("%s: asks for nothing", where)
			}
			checkTargets(t, where, p)
			checkAxis(t, where, p)
		}
		checkGrid(t, &b)
	}
}

// prometheus is the data source that the reader chose.
var prometheus = datasource{"prometheus", "${datasource}"}

func checkTargets(t *testing.T, where string, p panel) {
	t.Helper()
	refs := map[string]bool{}
	for _, q := range p.Targets {
		if q.RefID == "" || refs[q.RefID] {
			t.Errorf("%s: the refId %q is empty or used twice", where, q.RefID)
		}
		refs[q.RefID] = true
		if q.Datasource != prometheus {
			t.Errorf("%s %s: data source %v, want the variable", where, q.RefID, q.Datasource)
		}
		if q.Instant == q.Range {
			t.Errorf("%s %s: must be either instant or of a range", where, q.RefID)
		}
		// Only what is evaluated once may look back over all that is shown: for
		// every point of a graph it would be slow, and would not show the point.
		if q.Range && strings.Contains(q.Expr, "$__range") {
			t.Errorf("%s %s: a graph looks back over $__range", where, q.RefID)
		}
		table := p.Type == "table" || p.Type == "barchart"
		if table != (q.Format == "table") || table && !q.Instant {
			t.Errorf("%s %s: format %q, instant %v of a %s", where, q.RefID, q.Format, q.Instant, p.Type)
		}
		if !table && (q.LegendFormat == "" || q.LegendFormat == "__auto") {
			t.Errorf("%s %s: has no legend", where, q.RefID)
		}
	}
}

// checkAxis demands that a graph begins at zero, unless what it shows can be
// below it.
func checkAxis(t *testing.T, where string, p panel) {
	t.Helper()
	if p.Type != "timeseries" && p.Type != "barchart" {
		return
	}
	if lowest := p.FieldConfig.Defaults.Min; (lowest == nil || *lowest != 0) != strings.HasPrefix(p.Title, "Certificate") {
		t.Errorf("%s: the axis begins at %v", where, lowest)
	}
	var legend struct{ ShowLegend bool }
	if err := json.Unmarshal(p.Options["legend"], &legend); err != nil || !legend.ShowLegend {
		t.Errorf("%s: shows no legend", where)
	}
}

// checkGrid demands that panels do not overlap, and leave no holes in a line.
func checkGrid(t *testing.T, b *board) {
	t.Helper()
	taken := map[[2]int]string{}
	for _, p := range b.Panels {
		g := p.GridPos
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Errorf("%s: %q lies over %q", b.file, p.Title, other)
					return
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	lines := 0
	for cell := range taken {
		lines = max(lines, cell[1]+1)
	}
	if len(taken) != 24*lines {
		t.Errorf("%s: the panels cover %d of %d cells", b.file, len(taken), 24*lines)
	}
}

// TestColours demands that a word has the same colour on every dashboard, since
// that is how a reader knows it.
func TestColours(t *testing.T) {
	colours := map[string]map[string][]string{} // of a word, with the panels that have it
	note := func(word, colour, where string) {
		if colours[word] == nil {
			colours[word] = map[string][]string{}
		}
		colours[word][colour] = append(colours[word][colour], where)
	}
	for _, b := range boards(t) {
		for _, p := range b.shown() {
			where := b.file + ": " + p.Title
			mappings := slices.Clone(p.FieldConfig.Defaults.Mappings)
			for _, o := range p.FieldConfig.Overrides {
				for _, property := range o.Properties {
					switch property.ID {
					case "color":
						var c struct{ FixedColor string }
						unmarshal(t, property.Value, &c)
						note(o.Matcher.Options, c.FixedColor, where)
					case "mappings":
						var list []mapping
						unmarshal(t, property.Value, &list)
						mappings = append(mappings, list...)
					}
				}
			}
			for _, m := range mappings {
				if m.Type != "value" {
					continue
				}
				var texts map[string]struct{ Text, Color string }
				unmarshal(t, m.Options, &texts)
				for _, text := range texts {
					note(text.Text, text.Color, where)
				}
			}
		}
	}
	for _, word := range slices.Sorted(maps.Keys(colours)) {
		if len(colours[word]) != 1 {
			t.Errorf("%q has several colours: %v", word, colours[word])
		}
	}
	for _, word := range []string{"ok", "firing", "pass", "fail", "critical", "sent", "edge", "origin"} {
		if colours[word] == nil {
			t.Errorf("%q has no colour anywhere", word)
		}
	}
}

func unmarshal(t *testing.T, raw json.RawMessage, v any) {
	t.Helper()
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
}

// TestLinks demands that each link leads to a dashboard that there is, with
// variables that it has, or to a page of the agent.
func TestLinks(t *testing.T) {
	list := boards(t)
	byUID := map[string]*board{}
	for i := range list {
		byUID[list[i].UID] = &list[i]
	}
	dashboard := regexp.MustCompile(`^/d/([a-z-]+)\?(.*)$`)
	page := regexp.MustCompile(`^\$\{status_page\}(/(sites|catalog)/\$\{__value\.raw\})?$`)
	target := regexp.MustCompile(`var-([a-z_]+)=|\$\{([a-z_]+):queryparam\}`)
	found := 0
	for _, b := range list {
		for _, m := range regexp.MustCompile(`"url": "([^"]+)"`).FindAllSubmatch(b.raw, -1) {
			found++
			url := string(m[1])
			to := dashboard.FindStringSubmatch(url)
			if to == nil {
				if !page.MatchString(url) {
					t.Errorf("%s: link to %s", b.file, url)
				}
				continue
			}
			if byUID[to[1]] == nil {
				t.Errorf("%s: link to the unknown dashboard %s", b.file, to[1])
				continue
			}
			for _, v := range target.FindAllStringSubmatch(to[2], -1) {
				if name := v[1] + v[2]; byUID[to[1]].variable(name) == nil {
					t.Errorf("%s: link to %s, which has no variable %s", b.file, to[1], name)
				}
			}
		}
	}
	if found < 6 {
		t.Errorf("found %d links, want those of the tables too", found)
	}
}
