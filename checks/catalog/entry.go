package catalog

// lang is a language of the catalog.
type lang uint8

const (
	english lang = iota
	chinese
	numLangs
)

// langOf is the language called name: "zh" is Simplified Chinese, all else English.
func langOf(name string) lang {
	if name == "zh" {
		return chinese
	}
	return english
}

// Text is one text in each language of the catalog.
type Text struct {
	En string `yaml:"en"`
	Zh string `yaml:"zh"`
}

// In is the text in a language: "zh", or English.
func (t Text) In(language string) string { return t.in(langOf(language)) }

func (t Text) in(l lang) string {
	if l == chinese {
		return t.Zh
	}
	return t.En
}

// both is a text that is the same in each language: a user's own words.
func both(s string) Text { return Text{En: s, Zh: s} }

// Entry is what the catalog knows about one condition, in both languages.
// Summary and Steps may hold the places of facts, such as {host}.
type Entry struct {
	Condition  Condition
	Title      Text // for a status code ESA's own response message
	Summary    Text // what it means for the site's users, and where it broke
	Fault      Fault
	Owner      Text
	Severity   Severity
	Retry      bool // whether asking again at once makes sense
	Steps      []Text
	DocURL     Text   // the vendor's page, "" when there is none
	RunbookURL string // the user's own page, "" when none is configured
}

// View is an entry in one language, with general words such as HOST in the
// places of facts: the form in which it is listed.
type View struct {
	Condition  Condition `json:"condition"`
	Title      string    `json:"title"`
	Fault      Fault     `json:"fault"`
	Owner      string    `json:"owner"`
	Severity   Severity  `json:"severity"`
	Retry      bool      `json:"retry"`
	Summary    string    `json:"summary"`
	Steps      []string  `json:"steps"`
	DocURL     string    `json:"doc_url"`
	RunbookURL string    `json:"runbook_url"`
}

// entry is an Entry made ready for Explain.
type entry struct {
	Entry
	summary [numLangs]template
	steps   [numLangs][]template // the catalog's own, or those that replaced them
	before  []template           // the user's, in front of all others
	after   []template           // the user's, behind all others

	// What the user said outranks what a verdict would say.
	userSummary, userSteps, userOwner, userSeverity bool
}

// view is e in one language.
func (e *entry) view(w *words, l lang) View {
	var none facts
	return View{
		Condition:  e.Condition,
		Title:      e.Title.in(l),
		Fault:      e.Fault,
		Owner:      e.Owner.in(l),
		Severity:   e.Severity,
		Retry:      e.Retry,
		Summary:    e.summary[l].fill(&none, w, l),
		Steps:      fillAll(&none, w, l, e.before, e.steps[l], e.after),
		DocURL:     e.DocURL.in(l),
		RunbookURL: e.RunbookURL,
	}
}

// fillAll fills the templates of several lists into one.
func fillAll(f *facts, w *words, l lang, lists ...[]template) []string {
	n := 0
	for _, list := range lists {
		n += len(list)
	}
	filled := make([]string, 0, n)
	for _, list := range lists {
		for _, t := range list {
			filled = append(filled, t.fill(f, w, l))
		}
	}
	return filled
}
