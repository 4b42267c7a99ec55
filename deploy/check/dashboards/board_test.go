package dashboards

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// board is what the tests look at of a dashboard.
type board struct {
	file string
	raw  []byte

	UID           string `json:"uid"`
	Title         string `json:"title"`
	Description   string `json:"description"`
	SchemaVersion int    `json:"schemaVersion"`
	ID            *int   `json:"id"`
	Tags          []string
	Inputs        any     `json:"__inputs"`
	Panels        []panel `json:"panels"`
	Templating    struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []annotation `json:"list"`
	} `json:"annotations"`
}

type panel struct {
	ID          int        `json:"id"`
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Datasource  datasource `json:"datasource"`
	GridPos     struct{ X, Y, W, H int }
	FieldConfig struct {
		Defaults  field      `json:"defaults"`
		Overrides []override `json:"overrides"`
	} `json:"fieldConfig"`
	Options         map[string]json.RawMessage `json:"options"`
	Targets         []target                   `json:"targets"`
	Transformations []transformation           `json:"transformations"`
}

// field is how a value is shown.
type field struct {
	Unit     string                     `json:"unit"`
	NoValue  string                     `json:"noValue"`
	Min      *float64                   `json:"min"`
	Mappings []mapping                  `json:"mappings"`
	Custom   map[string]json.RawMessage `json:"custom"`
}

type mapping struct {
	Type    string          `json:"type"`
	Options json.RawMessage `json:"options"` // by type
}

type override struct {
	Matcher struct {
		ID      string `json:"id"`
		Options string `json:"options"`
	} `json:"matcher"`
	Properties []struct {
		ID    string          `json:"id"`
		Value json.RawMessage `json:"value"`
	} `json:"properties"`
}

type target struct {
	RefID        string     `json:"refId"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat"`
	Format       string     `json:"format"`
	Instant      bool       `json:"instant"`
	Range        bool       `json:"range"`
	Datasource   datasource `json:"datasource"`
}

type transformation struct {
	ID      string `json:"id"`
	Options struct {
		ExcludeByName map[string]bool   `json:"excludeByName"`
		IndexByName   map[string]int    `json:"indexByName"`
		RenameByName  map[string]string `json:"renameByName"`
	} `json:"options"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type variable struct {
	Name       string          `json:"name"`
	Label      string          `json:"label"`
	Type       string          `json:"type"`
	Definition string          `json:"definition"`
	Query      json.RawMessage `json:"query"` // an object of type query, else a string
	AllValue   string          `json:"allValue"`
	IncludeAll bool            `json:"includeAll"`
	Multi      bool            `json:"multi"`
	Datasource datasource      `json:"datasource"`
	Current    struct{ Value any }
}

type annotation struct {
	Name        string     `json:"name"`
	Expr        string     `json:"expr"`
	Step        string     `json:"step"`
	TagKeys     string     `json:"tagKeys"`
	TitleFormat string     `json:"titleFormat"`
	TextFormat  string     `json:"textFormat"`
	IconColor   string     `json:"iconColor"`
	BuiltIn     int        `json:"builtIn"`
	Datasource  datasource `json:"datasource"`
}

// boards loads every dashboard of deploy/grafana.
func boards(t *testing.T) []board {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(stack.Root(t), "deploy", "grafana", "*.json"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d dashboards in deploy/grafana, error %v; want at least 3", len(files), err)
	}
	list := make([]board, len(files))
	for i, file := range files {
		b := &list[i]
		b.file = filepath.Base(file)
		if b.raw, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b.raw, b); err != nil {
			t.Fatalf("%s: %v", b.file, err)
		}
	}
	return list
}

// shown are the panels that show something: all but the titles of rows.
func (b *board) shown() []panel {
	var list []panel
	for _, p := range b.Panels {
		if p.Type != "row" {
			list = append(list, p)
		}
	}
	return list
}

// events are the annotations that the dashboard adds to those that all have.
func (b *board) events() []annotation {
	var list []annotation
	for _, a := range b.Annotations.List {
		if a.BuiltIn == 0 {
			list = append(list, a)
		}
	}
	return list
}

// variable returns the one of that name, nil when there is none.
func (b *board) variable(name string) *variable {
	for i := range b.Templating.List {
		if v := &b.Templating.List[i]; v.Name == name {
			return v
		}
	}
	return nil
}

// label is the label of label_values(METRIC, LABEL), which may have braces
// with commas in them, and metric what comes before it.
func (v *variable) label() (metric, label string) {
	inner := strings.TrimSuffix(strings.TrimPrefix(v.Definition, "label_values("), ")")
	i := strings.LastIndex(inner, ",")
	if i < 0 {
		return "", ""
	}
	return inner[:i], strings.TrimSpace(inner[i+1:])
}
