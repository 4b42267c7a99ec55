package agent_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The house has three arrows: cmd -> agent -> checks, and agent -> notify.
// These tables hold them, and every smaller arrow with its reason. They are
// meant to be changed, on purpose and in the same commit as the import.

const module = "github.com/esawatch/esawatch/"

// rooms says, for each package of the project, which others it may import and why.
var rooms = map[string]map[string]string{
	"cmd/esawatch": {
		"agent":                "run and demo are the daemon",
		"agent/config":         "every command but probe begins with the configuration",
		"agent/config/migrate": "import turns other monitors' configuration into ours",
		"checks":               "check and probe run them with no daemon",
		"checks/catalog":       "catalog prints it",
		"checks/probe":         "probe names the flag of a setting that cannot be used",
		"checks/edgetest":      "demo shows a simulated edge that breaks",
		"notify":               "lines and words of a terminal are those of the console receiver",
	},

	"agent": {
		"agent/config":          "what to run",
		"agent/schedule":        "first stage",
		"agent/incident":        "second stage",
		"agent/outbox":          "third stage",
		"agent/web":             "what shows it all",
		"agent/store":           "what the stages keep",
		"agent/store/boltstore": "the store of one machine",
		"agent/store/memstore":  "the store of runs that keep nothing",
		"agent/store/natsstore": "the store of several agents",
		"agent/cluster":         "the other agents",
		"checks":                "what flows from stage to stage",
		"checks/exposition":     "what has a series a check is written by it",
		"checks/catalog":        "its words, for the pages and the metrics",
		"checks/assert":         "the expectations of a check",
		"checks/probe":          "the requests of a check",
		"notify":                "the receivers handed to the outbox",
		"notify/alertmanager":   "a receiver kind",
		"notify/console":        "a receiver kind",
		"notify/email":          "a receiver kind",
		"notify/groupbot":       "a receiver kind",
		"notify/pagerduty":      "a receiver kind",
		"notify/slack":          "a receiver kind",
		"notify/webhook":        "a receiver kind",
	},
	"agent/cluster": {},
	"agent/config": {
		"checks/assert":  "expressions are compiled where their line is known",
		"checks/catalog": "the names of conditions",
		"checks/probe":   "what assert says of a field",
	},
	"agent/config/migrate": {
		"agent/config":  "a value is judged as it will be when it is loaded",
		"checks/assert": "what an expression looks at",
		"checks/probe":  "a secret in a URL is one by the same names as where it is shown",
	},
	"agent/schedule": {
		"checks": "runs them",
	},
	"agent/incident": {
		"agent/store":       "the keeper saves records",
		"checks":            "a result is what it decides from",
		"checks/catalog":    "conditions and severities",
		"checks/exposition": "its metrics have series a check",
	},
	"agent/outbox": {
		"agent/incident": "records say what is owed",
		"agent/store":    "deliveries are settled in the same value",
		"checks":         "a record quotes results",
		"checks/catalog": "severities and conditions, in words",
		"notify":         "the one mapping from a record to a notification",
	},
	"agent/store": {},
	"agent/store/boltstore": {
		"agent/store": "the contract",
	},
	"agent/store/memstore": {
		"agent/store": "the contract",
	},
	"agent/store/natsstore": {
		"agent/store": "the contract",
	},
	"agent/store/natsstore/natstest": {},
	"agent/store/storetest": {
		"agent/store": "the contract",
	},
	"agent/web": {
		"agent/config":      "a silence's duration is written as one of the configuration",
		"agent/incident":    "shows records",
		"agent/schedule":    "why a check that somebody wants now is not run",
		"agent/store":       "a short form of recent results is kept over a restart",
		"checks":            "shows results",
		"checks/catalog":    "shows entries",
		"checks/exposition": "/metrics is its, for the most part",
		"checks/probe":      "how surely an answer came through ESA",
	},

	"checks": {
		"checks/assert":     "judges an answer",
		"checks/catalog":    "explains it",
		"checks/exposition": "writes its metrics",
		"checks/probe":      "asks",
	},
	"checks/probe": {
		"checks/catalog": "the names of conditions",
	},
	"checks/assert": {
		"checks/catalog": "the names of conditions",
		"checks/probe":   "a response is what it judges",
	},
	"checks/catalog":    {},
	"checks/exposition": {},
	"checks/edgetest":   {},

	"notify": {},
	"notify/console": {
		"notify": "the contract",
	},
	"notify/slack": {
		"notify": "the contract",
	},
	"notify/alertmanager": {
		"notify": "the contract",
	},
	"notify/webhook": {
		"notify":              "the contract",
		"notify/alertmanager": "its payload is Alertmanager's: the same alerts, the same ends",
	},
	"notify/pagerduty": {
		"notify": "the contract",
	},
	"notify/email": {
		"notify": "the contract",
	},
	"notify/groupbot": {
		"notify": "the contract",
	},
	"notify/notifytest": {
		"notify": "the contract",
	},
}

// helpers are for tests: who may import them there, by the beginning of its path.
var helpers = map[string][]string{
	"checks/edgetest":       {"checks", "agent", "cmd"},
	"agent/store/storetest": {"agent/store"},
	"agent/store/memstore":  {"agent"},
	"agent/store/boltstore": {"agent"},
	// Real servers, for what talks to them.
	"agent/store/natsstore/natstest": {"agent", "cmd"},
	"notify/notifytest":              {"notify", "agent", "cmd"},
}

// dependencies says, for each module from elsewhere, which packages may import
// it outside of tests and why. One that nobody may import serves tests only.
var dependencies = map[string]struct {
	why string
	may []string
}{
	"github.com/andybalholm/brotli":          {"Content-Encoding br", []string{"checks/probe"}},
	"github.com/coreos/go-systemd/v22":       {"readiness and watchdog; sockets of systemd", []string{"cmd/esawatch", "agent/web"}},
	"github.com/expr-lang/expr":              {"the expectation expr", []string{"checks/assert"}},
	"github.com/fsnotify/fsnotify":           {"files that change under us", []string{"agent"}},
	"github.com/go-viper/mapstructure/v2":    {"koanf decodes with it", []string{"agent/config"}},
	"github.com/google/go-cmp":               {"diffs in tests", nil},
	"github.com/klauspost/compress":          {"Content-Encoding zstd; gzip of /metrics at a third of the time", []string{"checks/probe", "agent/web"}},
	"github.com/knadh/koanf":                 {"merges the layers of the configuration", []string{"agent/config"}},
	"github.com/mccutchen/go-httpbin/v2":     {"a server with many faces, in tests", nil},
	"github.com/nats-io/nats-server/v2":      {"real servers, in tests", nil},
	"github.com/nats-io/nats.go":             {"what several agents share and say to each other", []string{"agent/cluster", "agent/store/natsstore"}},
	"github.com/ohler55/ojg":                 {"the expectation json", []string{"checks/assert"}},
	"github.com/prometheus/exporter-toolkit": {"TLS and basic auth as Prometheus users know them", []string{"agent/web"}},
	"github.com/quic-go/quic-go":             {"HTTP/3", []string{"checks/probe"}},
	"github.com/robfig/cron/v3":              {"cron; the configuration refuses lines that it cannot read", []string{"agent/schedule", "agent/config"}},
	"github.com/rogpeppe/go-internal":        {"whole-program tests as scripts", nil},
	"github.com/santhosh-tekuri/jsonschema":  {"the JSON Schema is held against a validator, in tests", nil},
	"github.com/slack-go/slack":              {"Slack", []string{"notify/slack"}},
	"github.com/spf13/cobra":                 {"commands", []string{"cmd/esawatch"}},
	"github.com/spf13/pflag":                 {"cobra's flags", []string{"cmd/esawatch"}},
	"github.com/wneessen/go-mail":            {"mail and SMTP", []string{"notify/email"}},
	"go.etcd.io/bbolt":                       {"the store on disk", []string{"agent/store/boltstore"}},
	"go.uber.org/goleak":                     {"goroutines left behind by tests", nil},
	"go.yaml.in/yaml/v4":                     {"YAML", []string{"agent/config", "agent/config/migrate", "agent/web", "checks/catalog", "cmd/esawatch"}},
	"golang.org/x/net":                       {"names and headers as net/http judges them", []string{"checks/assert", "checks/probe"}},
	"golang.org/x/oauth2":                    {"client credentials", []string{"checks/probe"}},
	"golang.org/x/sync":                      {"bounds and groups", []string{"agent", "cmd/esawatch"}},
	"golang.org/x/sys":                       {"timers of the kernel; the clock that systemd orders reloads by; memory", []string{"agent/schedule", "cmd/esawatch"}},
	"golang.org/x/term":                      {"colour only on a terminal", []string{"cmd/esawatch", "notify/console"}},
	"golang.org/x/time":                      {"rate limits", []string{"agent/outbox", "notify/slack"}},
	"pgregory.net/rapid":                     {"properties in tests", nil},

	// Who counts has a metrics.go; TestMetricsAreInOneFile holds that.
	"github.com/prometheus/client_golang": {"metrics", []string{
		"agent", "agent/config", "agent/outbox", "agent/schedule", "agent/web", "cmd/esawatch"}},
	"github.com/prometheus/client_model": {"what was scraped, read in tests", nil},
	"github.com/prometheus/common":       {"durations as Prometheus users write them, build information", []string{"agent/config", "agent/schedule", "agent/web", "cmd/esawatch"}},
}

// suites are packages that are test code although their names do not end in _test.
var suites = []string{"agent/store/storetest", "agent/store/natsstore/natstest", "notify/notifytest"}

// pure packages explain and judge: nothing in them reaches out or asks the time.
var pure = map[string]string{
	"checks/catalog": "it knows no network and no clock",
	"checks/assert":  "an expectation sees a response, not the network, and at a time that it is told",
}

// impure names what they may not use of the standard library. Parsing an
// address or holding a header is no reaching out.
var impure = map[string]*regexp.Regexp{
	"net":      regexp.MustCompile(`^(Dial|Listen|Lookup|Resolve)`),
	"net/http": regexp.MustCompile(`^(Get|Head|Post|PostForm|Client|Default.*|Transport|NewRequest.*|ListenAndServe.*|Server)$`),
	"os":       regexp.MustCompile(``),
	"os/exec":  regexp.MustCompile(``),
	"syscall":  regexp.MustCompile(``),
	"time":     regexp.MustCompile(`^(Now|Since|Until|After|AfterFunc|Tick|NewTicker|NewTimer|Sleep)$`),
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir                    string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

func (p listed) name() string { return strings.TrimPrefix(p.ImportPath, module) }

// list is every package of the module, as the go command sees them.
func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("read the output of go list: %v", err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 10 {
		t.Fatalf("go list found %d packages: this test would hold nothing", len(packages))
	}
	return packages
}

// own is the part of an import path below the module, "" for any other.
func own(imported string) string {
	rest, ok := strings.CutPrefix(imported, module)
	if !ok {
		return ""
	}
	return rest
}

// below tells whether name is prefix or a folder in it.
func below(name, prefix string) bool {
	return name == prefix || strings.HasPrefix(name, prefix+"/")
}

func TestImportsWithinTheHouse(t *testing.T) {
	packages := list(t)
	for name := range rooms {
		if !slices.ContainsFunc(packages, func(p listed) bool { return p.name() == name }) {
			t.Errorf("the table rooms of agent/imports_test.go has a row for %s, which is gone: remove it", name)
		}
	}
	for _, p := range packages {
		name := p.name()
		may, ok := rooms[name]
		if !ok {
			t.Errorf("package %q has no row in the table rooms of agent/imports_test.go: add one that says what it may import and why", name)
			continue
		}
		for _, imported := range p.Imports {
			if to := own(imported); to != "" && may[to] == "" {
				t.Errorf("%s imports %s, which the table rooms of agent/imports_test.go does not allow", name, to)
			}
		}
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			to := own(imported)
			helps := slices.ContainsFunc(helpers[to], func(user string) bool { return below(name, user) })
			if to != "" && to != name && may[to] == "" && !helps {
				t.Errorf("a test of %s imports %s, which neither rooms nor helpers in agent/imports_test.go allows", name, to)
			}
		}
	}
}

// TestArrows holds the table to the plan: no row may turn an arrow round.
func TestArrows(t *testing.T) {
	never := []struct{ from, to, why string }{
		{"checks", "agent", "what observes does not know who asks"},
		{"checks", "notify", "what observes does not know who is told"},
		{"notify", "agent", "what tells does not know how it came about"},
		{"notify", "checks", "what tells does not know what was seen"},
		{"agent", "cmd", "the daemon does not know its command line"},
		{"agent/web", "notify", "what shows never feeds back"},
		{"agent/incident", "notify", "what decides does not word"},
	}
	for from, row := range rooms {
		for to := range row {
			for _, rule := range never {
				if below(from, rule.from) && below(to, rule.to) {
					t.Errorf("the row of %s allows %s: %s", from, to, rule.why)
				}
			}
		}
	}
	for from, row := range rooms {
		if row["agent/incident"] != "" && row["notify"] != "" &&
			!slices.Contains([]string{"agent/outbox", "agent", "agent/config", "cmd/esawatch"}, from) {
			t.Errorf("the row of %s allows agent/incident and notify: the mapping between them is agent/outbox's alone", from)
		}
	}
}

func TestDependencies(t *testing.T) {
	for _, p := range list(t) {
		name := p.name()
		for _, imported := range p.Imports {
			if standard(imported) || own(imported) != "" {
				continue
			}
			from, ok := dependency(imported)
			if !ok {
				t.Errorf("%s imports %s, of a module with no row in the table dependencies of agent/imports_test.go: add one, if the standard library really will not do", name, imported)
				continue
			}
			if !slices.Contains(dependencies[from].may, name) && !slices.Contains(suites, name) {
				t.Errorf("%s imports %s: the table dependencies of agent/imports_test.go keeps it to %q (%s)", name, imported, dependencies[from].may, dependencies[from].why)
			}
		}
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if _, ok := dependency(imported); !ok && !standard(imported) && own(imported) == "" {
				t.Errorf("a test of %s imports %s, of a module with no row in the table dependencies of agent/imports_test.go", name, imported)
			}
		}
	}
}

// standard tells whether an import path is the standard library's: its first
// element has no dot.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// dependency is the row that an import path falls under.
func dependency(imported string) (row string, ok bool) {
	for row := range dependencies {
		if below(imported, row) {
			return row, true
		}
	}
	return "", false
}

func TestTestingStaysInTests(t *testing.T) {
	for _, p := range list(t) {
		for _, imported := range p.Imports {
			if (below(imported, "testing") || imported == "net/http/httptest") && !slices.Contains(suites, p.name()) {
				t.Errorf("%s imports %s outside of tests: it registers flags in the program", p.name(), imported)
			}
		}
	}
}

// TestPurePackages sees to it that what decides by rules alone needs no more
// than its arguments.
func TestPurePackages(t *testing.T) {
	for _, p := range list(t) {
		why, ok := pure[p.name()]
		if !ok {
			continue
		}
		for _, u := range uses(t, p) {
			if names := impure[u.imported]; names != nil && names.MatchString(u.name) {
				t.Errorf("%s uses %s.%s: %s", u.file, u.imported, u.name, why)
			}
		}
	}
}

// TestMetricsAreInOneFile keeps counting beside the code that counts, in the
// file where the next reader looks for it. Elsewhere a registry may be named, to
// be handed on; only what serves the metrics is free.
func TestMetricsAreInOneFile(t *testing.T) {
	free := []string{"agent", "agent/web", "cmd/esawatch"}
	handedOn := []string{"Registerer", "Gatherer", "Registry", "NewRegistry"}
	for _, p := range list(t) {
		if slices.Contains(free, p.name()) {
			continue
		}
		for _, u := range uses(t, p) {
			if path.Base(u.file) != "metrics.go" && below(u.imported, "github.com/prometheus/client_golang") && !slices.Contains(handedOn, u.name) {
				t.Errorf("%s uses %s.%s: counters live in metrics.go", u.file, path.Base(u.imported), u.name)
			}
		}
	}
}

// use is a name of another package that a file mentions: net.Dial.
type use struct{ file, imported, name string }

// uses lists what the files of a package, tests aside, take from others.
func uses(t *testing.T, p listed) []use {
	t.Helper()
	var found []use
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		imports := map[string]string{}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			// The rules ask only for packages named as their path ends.
			local := path.Base(imported)
			if spec.Name != nil {
				local = spec.Name.Name
			}
			imports[local] = imported
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && imports[x.Name] != "" {
					found = append(found, use{path.Join(p.name(), name), imports[x.Name], sel.Sel.Name})
				}
			}
			return true
		})
	}
	return found
}
