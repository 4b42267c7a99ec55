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

// checkSection judges what keys of one section say together.
func (r *reader) checkSection(t reflect.Type, n *yaml.Node, s section, path string) {
	c := sectionCheck{r, t, n, s, path}
	switch t {
	case reflect.TypeFor[Site]():
		c.need("name", "url")
		c.notBoth("body", "body_file")
	case reflect.TypeFor[Check]():
		c.need("name")
		c.notBoth("path", "url")
		c.notBoth("body", "body_file")
	case reflect.TypeFor[Settings]():
		c.notBoth("body", "body_file")
	case reflect.TypeFor[Origin]():
		c.need("address")
	case reflect.TypeFor[Auth]():
		c.exactlyOne("basic", "bearer", "oauth2")
	case reflect.TypeFor[Basic]():
		c.need("username", "password")
	case reflect.TypeFor[Bearer]():
		c.need("token")
	case reflect.TypeFor[OAuth2]():
		c.need("token_url", "client_id", "client_secret")
	case reflect.TypeFor[Receiver]():
		c.need("name")
		c.exactlyOne("slack", "webhook", "alertmanager", "pagerduty", "email", "console")
	case reflect.TypeFor[Slack]():
		c.exactlyOne("token", "webhook_url")
		if s.given("token") {
			c.need("channel")
		}
	case reflect.TypeFor[Webhook]():
		c.need("url")
	case reflect.TypeFor[Alertmanager]():
		c.need("urls")
	case reflect.TypeFor[PagerDuty]():
		c.need("routing_key")
	case reflect.TypeFor[Email]():
		c.need("smarthost", "from", "to")
		c.together("username", "password")
	case reflect.TypeFor[Maintenance]():
		c.maintenance()
	case reflect.TypeFor[CatalogOverride]():
		c.need("condition")
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

// maintenance wants either one span or a schedule.
func (c sectionCheck) maintenance() {
	c.need("name")
	again, once := c.which("schedule", "duration", "timezone"), c.which("start", "end")
	switch {
	case len(again) > 0 && len(once) > 0:
		c.fail("", newProblem("either start and end, or schedule and duration", "%s and %s exclude each other", again[0], once[0]))
	case len(again) > 0:
		c.need("schedule", "duration")
		c.maintenanceZone()
	case len(once) > 0:
		c.need("start", "end")
		start, ok1 := c.tree["start"].(time.Time)
		end, ok2 := c.tree["end"].(time.Time)
		if ok1 && ok2 && !start.Before(end) {
			c.fail("end", newProblem("after start, "+start.Format(time.RFC3339), "%s ends before it starts", end.Format(time.RFC3339)))
		}
	default:
		c.fail("", newProblem("either start and end, or schedule and duration", "does not say when"))
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
