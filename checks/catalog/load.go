package catalog

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"
)

//go:embed *.yaml
var files embed.FS

// The entries' files, in the order in which the entries are listed.
var entryFiles = []string{"esa.yaml", "transport.yaml", "content.yaml", "fallback.yaml"}

// The files as they are written. Each text stands in both languages side by
// side, so that whoever changes one sees the other.
type (
	entryFile struct {
		DocURL  Text       `yaml:"doc_url"` // of every entry that names none
		Entries []rawEntry `yaml:"entries"`
	}
	rawEntry struct {
		Condition Condition `yaml:"condition"`
		Title     Text      `yaml:"title"`
		Summary   Text      `yaml:"summary"`
		Fault     Fault     `yaml:"fault"`
		Owner     string    `yaml:"owner"` // a key of words.yaml
		Severity  Severity  `yaml:"severity"`
		Retry     bool      `yaml:"retry"`
		Steps     []Text    `yaml:"steps"`
		DocURL    Text      `yaml:"doc_url"`
	}
	wordsFile struct {
		Owners  map[string]Text       `yaml:"owners"`
		Faults  map[Fault]string      `yaml:"faults"` // keys of Owners
		Unknown map[string]rawUnknown `yaml:"unknown"`
	}
	rawUnknown struct {
		Command string `yaml:"command"`
		En      string `yaml:"en"`
		Zh      string `yaml:"zh"`
	}
	verdictFile struct {
		Verdicts []rawRule `yaml:"verdicts"`
	}
	evidenceFile struct {
		Evidence map[string]rawAdvice `yaml:"evidence"`
	}
	rawRule struct {
		Edge     edgeClass     `yaml:"edge"`
		Origin   []originClass `yaml:"origin"`
		EdgeIs   []Condition   `yaml:"edge_is"`
		OriginIs []Condition   `yaml:"origin_is"`
		Answer   freshness     `yaml:"answer"`
		// OriginScheme is the scheme by which the origin was asked.
		OriginScheme string `yaml:"origin_scheme"`
		// ViaESA is "no" for answers that carry no sign of ESA.
		ViaESA string `yaml:"via_esa"`
		// EdgePhase is the phase in which the edge got no further.
		EdgePhase string `yaml:"edge_phase"`
		// MadeBy is "origin" for errors that bear its marks.
		MadeBy    string `yaml:"made_by"`
		rawAdvice `yaml:",inline"`
	}
	rawAdvice struct {
		Says       Text     `yaml:"says"`
		Summary    Text     `yaml:"summary"`
		Fault      Fault    `yaml:"fault"`
		Owner      string   `yaml:"owner"`
		Severity   Severity `yaml:"severity"`
		StepsFirst []Text   `yaml:"steps_first"`
		Steps      []Text   `yaml:"steps"`
	}
)

// words are the terms that all entries share.
type words struct {
	owners           map[string]Text
	faults           map[Fault]string           // a key of owners
	unknown          [numFacts][numLangs]string // in a sentence, for a fact that is not known
	unknownInCommand [numFacts]string           // in a command
}

// faultOwner is whose a fault is when the edge names it.
func (w *words) faultOwner(f Fault) Text { return w.owners[w.faults[f]] }

// loader collects every error, so that one run shows them all.
type loader struct {
	built
	errs []error
}

func load() (*Catalog, error) {
	ld := loader{built: built{entries: make(map[Condition]*entry)}}
	ld.loadWords()
	for _, name := range entryFiles {
		ld.loadEntries(name)
	}
	ld.loadVerdicts()
	ld.loadEvidence()
	if err := errors.Join(ld.errs...); err != nil {
		return nil, fmt.Errorf("load catalog: %w", err)
	}
	return &Catalog{built: &ld.built}, nil
}

func (ld *loader) errorf(format string, args ...any) {
	ld.errs = append(ld.errs, fmt.Errorf(format, args...))
}

func (ld *loader) read(name string, into any) {
	content, err := files.ReadFile(name)
	if err == nil {
		err = yaml.Load(content, into, yaml.WithKnownFields())
	}
	if err != nil {
		ld.errorf("%s: %w", name, err)
	}
}

func (ld *loader) loadWords() {
	var raw wordsFile
	ld.read("words.yaml", &raw)
	ld.words.owners, ld.words.faults = raw.Owners, raw.Faults
	for _, fault := range Faults() {
		ld.owner("words.yaml: faults: "+string(fault), raw.Faults[fault])
	}
	for f := noFact + 1; f < numFacts; f++ {
		u, ok := raw.Unknown[factNames[f]]
		if !ok || u.Command == "" || u.En == "" || u.Zh == "" {
			ld.errorf("words.yaml: unknown.%s: want command, en and zh", factNames[f])
		}
		ld.words.unknown[f] = [numLangs]string{english: u.En, chinese: u.Zh}
		ld.words.unknownInCommand[f] = u.Command
	}
	if want := int(numFacts) - 1; len(raw.Unknown) > want {
		ld.errorf("words.yaml: unknown: got %d facts, want %d", len(raw.Unknown), want)
	}
}

func (ld *loader) loadEntries(name string) {
	var raw entryFile
	ld.read(name, &raw)
	for _, r := range raw.Entries {
		where := name + ": " + string(r.Condition)
		if r.DocURL == (Text{}) {
			r.DocURL = raw.DocURL
		}
		if _, twice := ld.entries[r.Condition]; twice {
			ld.errorf("%s: there twice", where)
		}
		if !slices.Contains(Faults(), r.Fault) {
			ld.errorf("%s: unknown fault %q", where, r.Fault)
		}
		if r.Severity.Rank() == 0 {
			ld.errorf("%s: unknown severity %q", where, r.Severity)
		}
		if r.Title.En == "" || r.Title.Zh == "" {
			ld.errorf("%s: title: want en and zh", where)
		}
		if len(r.Steps) == 0 {
			ld.errorf("%s: no steps", where)
		}
		e := &entry{
			Entry: Entry{Condition: r.Condition, Title: r.Title, Summary: r.Summary, Fault: r.Fault,
				Owner: ld.owner(where, r.Owner), Severity: r.Severity, Retry: r.Retry, Steps: r.Steps, DocURL: r.DocURL},
			summary: ld.template(where+": summary", r.Summary),
			steps:   ld.templates(where+": steps", r.Steps),
		}
		ld.entries[r.Condition] = e
		ld.order = append(ld.order, r.Condition)
	}
}

func (ld *loader) loadVerdicts() {
	const name = "verdicts.yaml"
	var raw verdictFile
	ld.read(name, &raw)
	for i, r := range raw.Verdicts {
		where := name + ": verdict " + strconv.Itoa(i+1)
		if r.Edge != edgeAny && !slices.Contains(edgeClasses, r.Edge) {
			ld.errorf("%s: unknown edge class %q", where, r.Edge)
		}
		for _, class := range r.Origin {
			if !slices.Contains(originClasses, class) {
				ld.errorf("%s: unknown origin class %q", where, class)
			}
		}
		for _, condition := range slices.Concat(r.EdgeIs, r.OriginIs) {
			if _, ok := ld.entries[condition]; !ok {
				ld.errorf("%s: no entry for condition %q", where, condition)
			}
		}
		if r.Answer != freshUnknown && r.Answer != freshCached && r.Answer != freshAnswer {
			ld.errorf("%s: answer %q: want %s or %s", where, r.Answer, freshCached, freshAnswer)
		}
		if r.OriginScheme != "" && r.OriginScheme != "http" && r.OriginScheme != "https" {
			ld.errorf("%s: origin_scheme %q: want http or https", where, r.OriginScheme)
		}
		if r.ViaESA != "" && r.ViaESA != "no" {
			ld.errorf("%s: via_esa %q: want no", where, r.ViaESA)
		}
		if r.EdgePhase != "" && r.EdgePhase != "tls" && r.EdgePhase != "transfer" {
			ld.errorf("%s: edge_phase %q: want tls or transfer", where, r.EdgePhase)
		}
		if r.MadeBy != "" && r.MadeBy != "origin" {
			ld.errorf("%s: made_by %q: want origin", where, r.MadeBy)
		}
		ld.verdicts = append(ld.verdicts, rule{edge: r.Edge, origin: r.Origin, edgeIs: r.EdgeIs, originIs: r.OriginIs,
			freshness: r.Answer, scheme: r.OriginScheme, phase: r.EdgePhase, passedOn: r.MadeBy != "", notESA: r.ViaESA != "", advice: ld.advice(where, r.rawAdvice)})
	}
}

func (ld *loader) loadEvidence() {
	const name = "evidence.yaml"
	var raw evidenceFile
	ld.read(name, &raw)
	for s, key := range signNames {
		r, ok := raw.Evidence[key]
		if !ok {
			ld.errorf("%s: evidence: %s is missing", name, key)
		}
		a := ld.advice(name+": evidence: "+key, r)
		ld.evidence[s] = &a
	}
	if len(raw.Evidence) > int(numSigns) {
		ld.errorf("%s: evidence: got %d signs, want %d", name, len(raw.Evidence), numSigns)
	}
}

func (ld *loader) advice(where string, r rawAdvice) advice {
	a := advice{
		says:       ld.template(where+": says", r.Says),
		fault:      r.Fault,
		severity:   r.Severity,
		stepsFirst: ld.templates(where+": steps_first", r.StepsFirst),
		steps:      ld.templates(where+": steps", r.Steps),
	}
	if r.Fault != "" && !slices.Contains(Faults(), r.Fault) {
		ld.errorf("%s: unknown fault %q", where, r.Fault)
	}
	if r.Severity != "" && r.Severity.Rank() == 0 {
		ld.errorf("%s: unknown severity %q", where, r.Severity)
	}
	if r.Summary != (Text{}) {
		summary := ld.template(where+": summary", r.Summary)
		a.summary = &summary
	}
	if r.Owner != "" {
		owner := ld.owner(where, r.Owner)
		a.owner = &owner
	}
	return a
}

func (ld *loader) owner(where, key string) Text {
	owner, ok := ld.words.owners[key]
	if !ok || owner.En == "" || owner.Zh == "" {
		ld.errorf("%s: unknown owner %q", where, key)
	}
	return owner
}

func (ld *loader) template(where string, t Text) [numLangs]template {
	var compiled [numLangs]template
	for l := range numLangs {
		if t.in(l) == "" {
			ld.errorf("%s: want en and zh", where)
		}
		var unknown []string
		compiled[l], unknown = compile(t.in(l))
		if len(unknown) > 0 {
			ld.errorf("%s: unknown facts %q", where, unknown)
		}
	}
	return compiled
}

// templates is nil in each language when there is no text at all.
func (ld *loader) templates(where string, texts []Text) [numLangs][]template {
	var compiled [numLangs][]template
	for i, text := range texts {
		t := ld.template(where+" "+strconv.Itoa(i+1), text)
		for l := range numLangs {
			compiled[l] = append(compiled[l], t[l])
		}
	}
	return compiled
}
