package catalog

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// official are the status codes that ESA documents, with the response messages
// that are their titles.
var official = map[Condition]string{
	"400": "Bad Request", "401": "Unauthorized", "403": "Forbidden", "404": "Not Found",
	"405": "Method Not Allowed", "406": "Not Acceptable", "407": "Authentication Required",
	"408": "Request Timeout", "409": "Conflict", "410": "Gone", "411": "Length Required",
	"412": "Precondition Failed", "413": "Payload Too Large", "414": "URI Too Long",
	"415": "Unsupported Media Type", "416": "Range Not Satisfiable", "417": "Expectation Failed",
	"429": "Too Many Requests", "499": "Client Close Request", "500": "Internal Server Error",
	"502": "Bad Gateway", "503": "Service Temporarily Unavailable", "504": "Gateway Timeout",
	"508": "Loop Detected", "520": "Web server returns an unknown error", "521": "Web server is down",
	"522": "Connection timed out", "523": "Origin is unreachable", "524": "A timeout occurred",
	"525": "SSL handshake failed", "526": "Invalid SSL certificate",
	"530": "Unable to resolve the origin hostname", "581": "Exceeding the maximum execution hop count",
	"582": "Version retrieval failed", "583": "Rate limit", "584": "Insufficient computing resources",
	"594": "uncaught exception", "595": "Execution time exceeds the limit",
	"596": "Configuration pull failed", "598": "Debugger exception", "599": "Script execution exception",
}

// namedConditions are the constants of condition.go, in their order.
func namedConditions(t *testing.T) []Condition {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "condition.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []Condition
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Condition" {
			for _, v := range spec.Values {
				value, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, Condition(value))
			}
		}
		return true
	})
	if len(found) < 20 {
		t.Fatalf("found only %d constants in condition.go", len(found))
	}
	return found
}

func TestEntriesAreTheOfficialCodesAndTheNamedConditions(t *testing.T) {
	var want []Condition
	for condition := range official {
		want = append(want, condition)
	}
	slices.Sort(want)
	want = append(want, namedConditions(t)...)
	if diff := cmp.Diff(want, Default().Conditions()); diff != "" {
		t.Errorf("conditions, in order (-want +got):\n%s", diff)
	}
}

func TestEveryEntryIsWhole(t *testing.T) {
	for _, e := range Default().Entries() {
		t.Run(string(e.Condition), func(t *testing.T) {
			if title, ok := official[e.Condition]; ok {
				if e.Title.En != title {
					t.Errorf("title: got %q, want ESA's response message %q", e.Title.En, title)
				}
				if !strings.HasPrefix(e.DocURL.En, "https://www.alibabacloud.com/help/en/") || !strings.HasPrefix(e.DocURL.Zh, "https://www.alibabacloud.com/help/zh/") {
					t.Errorf("doc_url: got %q", e.DocURL)
				}
			}
			if !slices.Contains(Faults(), e.Fault) || e.Severity.Rank() == 0 {
				t.Errorf("fault %q, severity %q", e.Fault, e.Severity)
			}
			if n := len(e.Steps); n < 2 || n > 5 {
				t.Errorf("got %d steps, want 2 to 5", n)
			}
			if e.Condition.Degrades() && e.Severity != Warning {
				t.Errorf("severity of a degraded condition: got %q, want %q", e.Severity, Warning)
			}
			checkText(t, "title", e.Title)
			checkText(t, "summary", e.Summary)
			checkText(t, "owner", e.Owner)
			for _, step := range e.Steps {
				checkText(t, "step", step)
			}
		})
	}
}

// checkText holds what is true of every text of the catalog.
func checkText(t *testing.T, what string, text Text) {
	t.Helper()
	if hasHan(text.En) || !hasHan(text.Zh) {
		t.Errorf("%s: languages mixed up or missing: %q / %q", what, text.En, text.Zh)
	}
	if a, b := commandsOf(text.En), commandsOf(text.Zh); !slices.Equal(a, b) {
		t.Errorf("%s: commands differ between the languages:\n%q\n%q", what, a, b)
	}
	for _, s := range []string{text.En, text.Zh} {
		if strings.Count(s, "`")%2 != 0 {
			t.Errorf("%s: odd number of backticks: %q", what, s)
		}
		if strings.TrimSpace(s) != s || strings.Contains(s, "  ") || strings.ContainsAny(s, "\n\t") {
			t.Errorf("%s: stray space in %q", what, s)
		}
		if len([]rune(s)) > 420 {
			t.Errorf("%s: %d characters are too long to be read at night: %q", what, len([]rune(s)), s)
		}
	}
	// A full stop or a comma of the other script.
	if strings.ContainsAny(text.En, "，。：；（）") {
		t.Errorf("%s: Chinese punctuation in %q", what, text.En)
	}
}

func hasHan(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// commandsOf is what stands between backticks.
func commandsOf(s string) []string {
	var commands []string
	for i, piece := range strings.Split(s, "`") {
		if i%2 == 1 {
			commands = append(commands, piece)
		}
	}
	return commands
}

// TestCommandsKeepFactsOutOfQuotes: a fact is quoted when it is filled in, and
// would end quotes that the command itself opened.
func TestCommandsKeepFactsOutOfQuotes(t *testing.T) {
	for _, text := range allTexts() {
		for _, command := range commandsOf(text.En) {
			quote := rune(0)
			for _, r := range command {
				switch {
				case quote == 0 && (r == '\'' || r == '"'):
					quote = r
				case r == quote:
					quote = 0
				case r == '{' && quote != 0:
					t.Errorf("fact between quotes: %s", command)
				}
			}
		}
	}
}

// TestCommandsParse lets a real shell read every command, with every fact
// known, and hostile, and with none.
func TestCommandsParse(t *testing.T) {
	hostile := facts{}
	for f := range hostile.known {
		hostile.known[f] = "a'b\"$(touch /tmp/x);&|>< ~*?[#!"
	}
	w := &Default().built.words
	for _, text := range allTexts() {
		compiled, _ := compile(text.En)
		for _, f := range []facts{{}, hostile} {
			for _, command := range commandsOf(compiled.fill(&f, w, english)) {
				if strings.HasSuffix(command, "()") {
					continue // JavaScript of an edge function
				}
				sh := exec.Command("sh", "-n")
				sh.Stdin = strings.NewReader(command)
				if out, err := sh.CombinedOutput(); err != nil {
					t.Errorf("sh -n: %v: %s: %s", err, out, command)
				}
			}
		}
	}
}

// allTexts are the steps and sentences of every file.
func allTexts() []Text {
	c := Default()
	var texts []Text
	for _, e := range c.Entries() {
		texts = append(texts, e.Summary)
		texts = append(texts, e.Steps...)
	}
	add := func(a *advice) {
		texts = append(texts, Text{En: a.says[english].source, Zh: a.says[chinese].source})
		if a.summary != nil {
			texts = append(texts, Text{En: a.summary[english].source, Zh: a.summary[chinese].source})
		}
		for _, list := range [][numLangs][]template{a.stepsFirst, a.steps} {
			for i := range list[english] {
				texts = append(texts, Text{En: list[english][i].source, Zh: list[chinese][i].source})
			}
		}
	}
	for i := range c.built.verdicts {
		add(&c.built.verdicts[i].advice)
	}
	for _, a := range c.built.evidence {
		add(a)
	}
	return texts
}

func TestEveryTextReadsWell(t *testing.T) {
	for _, text := range allTexts() {
		checkText(t, "text", text)
	}
}

func TestLookupFallsBack(t *testing.T) {
	for _, tt := range []struct {
		condition Condition
		like      Condition
	}{
		{"522", "522"},
		{"418", Fallback4xx},
		{"402", Fallback4xx},
		{"501", Fallback5xx},
		{"519", Fallback5xx},
		{"527", FallbackReserved},
		{"580", FallbackReserved},
		{"597", FallbackReserved},
		{"999", Fallback5xx},
		{"302", UnexpectedStatus},
		{"nonsense", InternalError},
		{TLSExpired, TLSExpired},
	} {
		got := Default().Lookup(tt.condition)
		want, ok := Default().Entry(tt.like)
		if !ok {
			t.Fatalf("no entry %q", tt.like)
		}
		want.Condition = tt.condition
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Lookup(%q) (-want +got):\n%s", tt.condition, diff)
		}
	}
	if _, ok := Default().Entry("527"); ok {
		t.Error("Entry(527): got an entry, want none of its own")
	}
}

func TestViewHasNoPlaces(t *testing.T) {
	for _, condition := range append(Default().Conditions(), "527") {
		for _, language := range []string{"en", "zh"} {
			v := Default().View(condition, language)
			if v.Condition != condition || v.Title == "" || len(v.Steps) < 2 {
				t.Errorf("View(%q, %q) = %+v", condition, language, v)
			}
			if all := v.Summary + strings.Join(v.Steps, ""); strings.ContainsAny(all, "{}") || hasHan(all) != (language == "zh") {
				t.Errorf("View(%q, %q): %s", condition, language, all)
			}
		}
	}
}

func TestCatalogIsImmutable(t *testing.T) {
	e, _ := Default().Entry("522")
	e.Steps[0] = both("defaced")
	Default().Entries()[0].Steps[0] = both("defaced")
	for _, e := range Default().Entries() {
		if e.Steps[0].En == "defaced" {
			t.Errorf("%s: a copy leads into the catalog", e.Condition)
		}
	}
}
