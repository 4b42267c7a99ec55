package incident

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/esawatch/esawatch/checks/catalog"
)

// AlertName is the label alertname of every alert.
const AlertName = "EsawatchCheckFailed"

// The bounds of what people may ask to be matched.
const (
	maxMatchers = 20
	maxValue    = 1000 // bytes
	maxName     = 100  // bytes
)

// Matcher is a condition on one label of an alert, as Alertmanager has them. A
// label that the alert does not have is empty.
type Matcher struct {
	Name  string `json:"name"`
	Op    string `json:"op"` // "=", "!=", "=~" or "!~"; the last two match the whole value with RE2
	Value string `json:"value"`

	pattern *regexp.Regexp // of =~ and !~
}

// NewMatcher checks what a matcher is made of.
func NewMatcher(name, op, value string) (Matcher, error) {
	m := Matcher{Name: name, Op: op, Value: value}
	switch {
	case name == "" || len(name) > maxName || strings.ContainsAny(name, "=!~\"{}, \n"):
		return m, fmt.Errorf("matcher: %q is not the name of a label", clip(name, maxName))
	case len(value) > maxValue:
		return m, fmt.Errorf("matcher %q: a value of %d bytes, want at most %d", name, len(value), maxValue)
	}
	switch op {
	case "=", "!=":
	case "=~", "!~":
		pattern, err := regexp.Compile("^(?s:" + value + ")$")
		if err != nil {
			return m, fmt.Errorf("matcher %q: %q is not a regular expression: %w", name, value, err)
		}
		m.pattern = pattern
	default:
		return m, fmt.Errorf("matcher %q: %q is not an operator, want =, !=, =~ or !~", name, clip(op, maxName))
	}
	return m, nil
}

// ParseMatcher reads a matcher such as site=shop, severity!=critical or
// check=~"log.*". The quotes may be left out.
func ParseMatcher(s string) (Matcher, error) {
	i := strings.IndexAny(s, "=!")
	if i < 0 {
		return Matcher{}, fmt.Errorf("matcher %q: no operator, want NAME=VALUE, or !=, =~, !~ in place of =", clip(s, maxValue))
	}
	op := s[i : i+1]
	if rest := s[i+1:]; op == "!" || strings.HasPrefix(rest, "~") {
		op += rest[:min(1, len(rest))]
	}
	value := strings.TrimSpace(s[i+len(op):])
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	return NewMatcher(strings.TrimSpace(s[:i]), op, value)
}

// String is the form that ParseMatcher reads.
func (m Matcher) String() string { return m.Name + m.Op + `"` + m.Value + `"` }

// fits tells whether the value of the label is as the matcher wants it.
func (m *Matcher) fits(value string) bool {
	switch m.Op {
	case "=":
		return value == m.Value
	case "!=":
		return value != m.Value
	case "=~":
		return m.pattern != nil && m.pattern.MatchString(value)
	case "!~":
		return m.pattern != nil && !m.pattern.MatchString(value)
	}
	return false
}

// AnyOf matches a label that is one of the values.
func AnyOf(name string, values []string) (Matcher, error) {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = regexp.QuoteMeta(v)
	}
	m := Matcher{Name: name, Op: "=~", Value: strings.Join(quoted, "|")}
	var err error
	m.pattern, err = regexp.Compile("^(?:" + m.Value + ")$")
	return m, err
}

// Mute is something that keeps alerts from being told: a silence, or a
// maintenance. It covers the alerts that all of its matchers fit; one with none
// covers every alert.
type Mute struct {
	Name     string
	Matchers []Matcher
}

// Mutes are those in force at one moment.
type Mutes []Mute

// cover tells whether any of the mutes covers the alert.
func (m Mutes) cover(site string, a *Alert) bool {
	for i := range m {
		if m[i].covers(site, a) {
			return true
		}
	}
	return false
}

func (m *Mute) covers(site string, a *Alert) bool {
	for i := range m.Matchers {
		if !m.Matchers[i].fits(a.label(site, m.Matchers[i].Name)) {
			return false
		}
	}
	return true
}

// label is a label of the alert, as receivers see it, "" when it has none of
// that name. Those of esawatch itself come before the check's own.
func (a *Alert) label(site, name string) string {
	switch name {
	case "alertname":
		return AlertName
	case "site":
		return site
	case "check":
		return a.Check
	case "condition":
		return string(a.Result.Condition())
	case "severity":
		return string(a.Severity)
	case "location":
		return a.ToldFrom()
	case "fault":
		return string(a.fault())
	}
	return a.Labels[name]
}

// ToldFrom is the place that the alert is labelled with. Of several it is the
// first that saw it: a label that changes would make it another alert.
func (a *Alert) ToldFrom() string {
	if len(a.Spread) > 0 {
		return a.Spread[0]
	}
	return a.Result.Location
}

func (a *Alert) fault() catalog.Fault {
	if a.Result.Diagnosis == nil {
		return ""
	}
	return a.Result.Diagnosis.Fault
}

// checkMatchers wants matchers that leave something out: a list that fits an
// alert with no labels at all was hardly meant.
func checkMatchers(list []Matcher) ([]Matcher, error) {
	if len(list) == 0 || len(list) > maxMatchers {
		return nil, fmt.Errorf("%d matchers, want 1 to %d", len(list), maxMatchers)
	}
	checked := make([]Matcher, 0, len(list))
	all := true
	for _, m := range list {
		m, err := NewMatcher(m.Name, m.Op, m.Value)
		if err != nil {
			return nil, err
		}
		all = all && m.fits("")
		checked = append(checked, m)
	}
	if all {
		return nil, errors.New(`the matchers fit everything; to mute every alert ask for alertname="` + AlertName + `"`)
	}
	return checked, nil
}
