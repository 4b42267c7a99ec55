package config

import (
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// section is a mapping that was read: its values, and the keys whose value was
// refused, which count as given so that nothing is complained of twice.
type section struct {
	tree map[string]any
	bad  map[string]bool
}

func (s section) given(key string) bool {
	switch v := s.tree[key].(type) {
	case nil:
		return s.bad[key]
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	}
	return true
}

// which are those of the keys that are given.
func (s section) which(keys ...string) []string {
	var given []string
	for _, k := range keys {
		if s.given(k) {
			given = append(given, k)
		}
	}
	return given
}

// sectionRules are what the keys of one section have to say together. The JSON
// Schema says the same (jsonschema_section.go).
type sectionRules struct {
	need       []string          // has each of these
	exactlyOne []string          // has one of these, which says of what kind it is
	notBoth    [][2]string       // has at most one of the two
	together   [][2]string       // has both or neither
	needWith   map[string]string // with the key, has the other too
	either     [][]string        // has keys of one of these groups, and of no other
	neededOf   [][]string        // of the group that it has, has each of these
}

// rulesOf are the rules of a section, by the struct that it is read as.
func rulesOf(t reflect.Type) sectionRules {
	switch t {
	case reflect.TypeFor[Site]():
		return sectionRules{need: []string{"name", "url"}, notBoth: [][2]string{{"body", "body_file"}}}
	case reflect.TypeFor[Check]():
		return sectionRules{need: []string{"name"}, notBoth: [][2]string{{"path", "url"}, {"body", "body_file"}}}
	case reflect.TypeFor[Settings]():
		return sectionRules{notBoth: [][2]string{{"body", "body_file"}}}
	case reflect.TypeFor[Origin]():
		return sectionRules{need: []string{"address"}}
	case reflect.TypeFor[Auth]():
		return sectionRules{exactlyOne: []string{"basic", "bearer", "oauth2"}}
	case reflect.TypeFor[Basic]():
		return sectionRules{need: []string{"username", "password"}}
	case reflect.TypeFor[Bearer]():
		return sectionRules{need: []string{"token"}}
	case reflect.TypeFor[OAuth2]():
		return sectionRules{need: []string{"token_url", "client_id", "client_secret"}}
	case reflect.TypeFor[Receiver]():
		return sectionRules{need: []string{"name"}, exactlyOne: []string{"slack", "webhook", "alertmanager", "pagerduty", "dingtalk", "feishu", "wecom", "email", "console"}}
	case reflect.TypeFor[Slack]():
		return sectionRules{exactlyOne: []string{"token", "webhook_url"}, needWith: map[string]string{"token": "channel"}}
	case reflect.TypeFor[Webhook]():
		return sectionRules{need: []string{"url"}}
	case reflect.TypeFor[Alertmanager]():
		return sectionRules{need: []string{"urls"}}
	case reflect.TypeFor[PagerDuty]():
		return sectionRules{need: []string{"routing_key"}}
	case reflect.TypeFor[Bot](), reflect.TypeFor[SignedBot]():
		return sectionRules{need: []string{"webhook_url"}}
	case reflect.TypeFor[Email]():
		return sectionRules{need: []string{"smarthost", "from", "to"}, together: [][2]string{{"username", "password"}}}
	case reflect.TypeFor[Cluster]():
		// What else goes together may stand in several layers: checkWhole.
		return sectionRules{notBoth: [][2]string{{"credentials_file", "username"}}}
	case reflect.TypeFor[Maintenance]():
		return sectionRules{need: []string{"name"},
			either:   [][]string{{"schedule", "duration", "timezone"}, {"start", "end"}},
			neededOf: [][]string{{"schedule", "duration"}, {"start", "end"}}}
	case reflect.TypeFor[CatalogOverride]():
		return sectionRules{need: []string{"condition"}}
	}
	return sectionRules{}
}

// checkSection judges what keys of one section say together.
func (r *reader) checkSection(t reflect.Type, n *yaml.Node, s section, path string) {
	c, rules := sectionCheck{r, t, n, s, path}, rulesOf(t)
	c.need(rules.need...)
	for _, pair := range rules.notBoth {
		c.notBoth(pair[0], pair[1])
	}
	for _, pair := range rules.together {
		c.together(pair[0], pair[1])
	}
	if len(rules.exactlyOne) > 0 {
		c.exactlyOne(rules.exactlyOne...)
	}
	for key, other := range rules.needWith {
		if s.given(key) {
			c.need(other)
		}
	}
	if len(rules.either) > 0 {
		c.either(rules)
	}
}

// sectionCheck says what is wrong with one section.
type sectionCheck struct {
	r    *reader
	typ  reflect.Type
	node *yaml.Node
	section
	path string
}

func (c sectionCheck) fail(key string, p *problem) {
	at, path := c.node, c.path
	if key != "" {
		path = childPath(path, key)
		if k := keyNode(c.node, key); k != nil {
			at = k
		}
	}
	c.r.fail(at, path, p)
}

// need wants each of the keys.
func (c sectionCheck) need(keys ...string) {
	for _, k := range keys {
		if c.given(k) {
			continue
		}
		hint := ""
		if f, ok := c.r.schemas.of(c.typ).field(k + fileSuffix); ok && f.fileTwin {
			hint = "give " + k + " or " + k + fileSuffix
		}
		c.fail(k, newProblem(hint, "is required"))
	}
}

func (c sectionCheck) notBoth(a, b string) {
	if len(c.which(a, b)) == 2 {
		c.fail(b, newProblem("keep one", "both %s and %s are given", a, b))
	}
}

func (c sectionCheck) together(a, b string) {
	if given := c.which(a, b); len(given) == 1 {
		missing := strings.TrimSpace(strings.Replace(a+" "+b, given[0], "", 1))
		c.fail(missing, newProblem("", "is required: %s is given", given[0]))
	}
}

func (c sectionCheck) exactlyOne(keys ...string) {
	switch given := c.which(keys...); len(given) {
	case 1:
	case 0:
		c.fail("", newProblem("one of "+strings.Join(keys, ", "), "does not say which kind it is"))
	default:
		c.fail("", newProblem("keep one", "%s exclude each other", strings.Join(given, " and ")))
	}
}

// either wants the keys of one group: of a maintenance, one span or a schedule.
func (c sectionCheck) either(rules sectionRules) {
	const forms = "either start and end, or schedule and duration"
	again, once := c.which(rules.either[0]...), c.which(rules.either[1]...)
	switch {
	case len(again) > 0 && len(once) > 0:
		c.fail("", newProblem(forms, "%s and %s exclude each other", again[0], once[0]))
	case len(again) > 0:
		c.need(rules.neededOf[0]...)
		c.maintenanceZone()
	case len(once) > 0:
		c.need(rules.neededOf[1]...)
		c.maintenanceSpan()
	default:
		c.fail("", newProblem(forms, "does not say when"))
	}
}

// maintenanceSpan wants the end behind the start.
func (c sectionCheck) maintenanceSpan() {
	start, ok1 := c.tree["start"].(time.Time)
	end, ok2 := c.tree["end"].(time.Time)
	if ok1 && ok2 && !start.Before(end) {
		c.fail("end", newProblem("after start, "+start.Format(time.RFC3339), "%s ends before it starts", end.Format(time.RFC3339)))
	}
}

// maintenanceZone keeps a zone from being given in two places.
func (c sectionCheck) maintenanceZone() {
	line, _ := c.tree["schedule"].(string)
	if strings.Contains(line, "TZ=") && c.given("timezone") {
		c.fail("timezone", newProblem("keep one", "the schedule %s has a time zone too", quote(line)))
	}
}

// keyNode is the key's node in a mapping, or its twin's, nil when it is not there.
func keyNode(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i].Value; k == key || k == key+fileSuffix {
			return n.Content[i]
		}
	}
	return nil
}

// smallest is the smallest useful file, on one line.
const smallest = "sites: [{name: shop, url: https://shop.example.com}]"

func noSites() *problem {
	return newProblem("the smallest useful file is: "+smallest, "there is no site")
}
