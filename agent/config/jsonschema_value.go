package config

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/esawatch/esawatch/checks/catalog"
)

// variableDef names the part of the schema that allows ${NAME}.
const variableDef = "variable"

// variableSchema is a value that the environment completes. What it comes to is
// only known when the file is loaded.
func variableSchema() object {
	return object{
		{"description", "a value in which ${NAME} or ${NAME:-default} comes from the environment; $$ is a dollar"},
		{"type", "string"},
		{"pattern", `^([^$]|\$\$|\$[^{$]|\$\{[A-Za-z_][A-Za-z0-9_]*(:-([^}$]|\$+[^{}$])*\$*)?\})*\$?$`},
		{"allOf", []any{object{{"pattern", `\$[{$]`}}}},
	}
}

// scalarSchema is the schema of a single value, which may be a variable too.
func scalarSchema(f field) object {
	forms, examples := scalarForms(f)
	if f.rule == "" && f.typ.Kind() == reflect.String {
		return forms[0] // any text at all
	}
	return withExamples(object{{"anyOf", append(anys(forms), object{{"$ref", "#/$defs/" + variableDef}})}}, examples)
}

func withExamples(o object, examples []any) object {
	if len(examples) > 0 {
		o = append(o, member{"examples", examples})
	}
	return o
}

// scalarForms are the forms that a value may have, and what it may look like.
func scalarForms(f field) (forms []object, examples []any) {
	switch {
	case f.typ == secretType && f.fileTwin:
		return []object{{{"type", "string"}}}, []any{"/etc/esawatch/secret"}
	case f.typ == secretType && f.rule == "url":
		return []object{pattern("^(" + httpScheme + `|\s*$)`)}, nil
	case f.typ == secretType:
		return []object{text(`^[^\r\n\x00]*$`)}, nil
	case f.typ == durationType:
		return durationForms(f.rule == "positive"), []any{"500ms", "30s", "5m", "1d"}
	case f.typ == timeType:
		return []object{pattern(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$`)},
			[]any{"2026-12-01T00:00:00Z", "2026-12-01T08:00:00+08:00"}
	}
	switch f.typ.Kind() {
	case reflect.Bool:
		return []object{{{"type", "boolean"}}}, nil
	case reflect.Int:
		return []object{integerSchema(f.rule)}, nil
	case reflect.Int64:
		return []object{pattern(quantityPattern(byteUnits(), "")), {{"type", "integer"}, {"minimum", 1}, {"maximum", 1 << 30}}},
			[]any{"512KiB", "1MiB"}
	}
	forms, examples = textForms(f.rule)
	if _, _, optional := ruleOf(f.rule); optional {
		forms = append(forms, object{{"const", ""}})
	}
	return forms, examples
}

// durationForms are those of a duration; 0 needs no unit.
func durationForms(positive bool) []object {
	forms := []object{pattern(quantityPattern(durationUnits(), "0"))}
	if positive {
		forms[0] = append(forms[0], member{"allOf", []any{pattern("[1-9]")}})
		return forms
	}
	return append(forms, object{{"const", 0}})
}

// quantityPattern is a sum of numbers with units, such as 1d12h; alone is what
// may stand without one.
func quantityPattern(units []unit, alone string) string {
	names := make([]string, len(units))
	for i, u := range units {
		names[i] = u.name
	}
	sum := `(([0-9]+(\.[0-9]*)?|\.[0-9]+)(` + strings.Join(names, "|") + `))+`
	if alone == "" {
		alone = "[0-9]+"
	}
	return "^(" + sum + "|" + alone + ")$"
}

func integerSchema(rule string) object {
	_, arg, _ := ruleOf(rule)
	low, high, _ := strings.Cut(arg, "-")
	lo, _ := strconv.Atoi(low)
	hi, _ := strconv.Atoi(high)
	return object{{"type", "integer"}, {"minimum", lo}, {"maximum", hi}}
}

// Patterns of texts. They say what the rules of rules.go and address.go say, as
// far as a pattern can, and never more: where the two would differ, the pattern
// is the more generous. They are in what RE2 and ECMAScript have in common.
const (
	noControl    = `[^\x00-\x1f\x7f]`
	noSpace      = `[^\x00-\x20\x7f]`
	authority    = `[^\x00-\x20\x7f/?#@]+`
	natsScheme   = `([nN][aA][tT][sS]|[tT][lL][sS]|[wW][sS][sS]?)://`
	httpScheme   = `[hH][tT][tT][pP][sS]?://`
	headerToken  = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
	cronFields   = `^ *((CRON_)?TZ=[^ ]+ +)?([^ ]+ +){4}[^ ]+ *$`
	cronShort    = `^ *((CRON_)?TZ=[^ ]+ +)?@(yearly|annually|monthly|weekly|daily|midnight|hourly) *$`
	maxLabelName = maxName - 1 // behind its first letter
)

// textForms are the forms of a text by its rule, and what it may look like.
func textForms(rule string) (forms []object, examples []any) {
	name, arg, _ := ruleOf(rule)
	switch name {
	case "":
		return []object{{{"type", scalarTypes}}}, nil
	case "text", "site", "receiver":
		return []object{text(`[^\x00-\x20]`)}, nil
	case "expr":
		return []object{pattern(`[^\x00-\x20]`)}, []any{`status == 200 && json.items[0].id > 0`}
	case "line":
		return []object{text("^" + noControl + "*$")}, nil
	case "name":
		return []object{text(`^[A-Za-z0-9._-]{1,` + strconv.Itoa(maxName) + `}$`)}, []any{"shop"}
	case "enum":
		return enumForms(strings.Split(arg, "|")), nil
	case "fault":
		return enumForms(texts(catalog.Faults())), nil
	case "condition":
		return append(enumForms(namedConditions()), pattern(`^[45][0-9][0-9]$`), object{{"type", "integer"}, {"minimum", 400}, {"maximum", 599}}),
			[]any{"503", "tls_expired"}
	case "status":
		return []object{pattern(`^([1-5]xx|[1-5][0-9][0-9](-[1-5][0-9][0-9])?)$`), {{"type", "integer"}, {"minimum", 100}, {"maximum", 599}}},
			[]any{200, "2xx", "400-404"}
	case "method":
		return methodForms(), []any{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	case "regexp":
		return []object{append(text(""), member{"maxLength", maxPattern})}, []any{"^application/json"}
	case "mail":
		return []object{pattern(`.@.`)}, []any{"oncall@example.com", "On-call <oncall@example.com>"}
	case "timezone":
		return []object{append(pattern(`^[A-Za-z0-9_+/-]+$`), not(object{{"const", "Local"}})...)}, []any{"Asia/Shanghai", "UTC"}
	case "schedule":
		return append(durationForms(true), cronForms()...), []any{"30s", "*/5 8-20 * * 1-5", "CRON_TZ=Asia/Shanghai 0 9 * * *"}
	case "cron":
		return cronForms(), []any{"0 2 1 * *"}
	case "file":
		return []object{text(`[^\x00-\x20]`)}, nil
	case "bucket":
		return []object{text(bucketForm.String())}, []any{"esawatch"}
	case "quorum":
		return append(enumForms([]string{string(QuorumMajority), string(QuorumAll)}), pattern(`^[1-9][0-9]{0,3}$`), object{{"type", "integer"}, {"minimum", 1}, {"maximum", 9999}}),
			[]any{"majority", "all", 2}
	}
	return addressForms(name)
}

// addressForms are the forms of what names a place in the network.
func addressForms(name string) (forms []object, examples []any) {
	switch name {
	case "url":
		return []object{pattern("^" + httpScheme + authority + "([/?#]" + noSpace + "*)?$")}, []any{"https://shop.example.com/health"}
	case "page_url":
		return []object{pattern("^" + httpScheme + authority + `([/?][^\x00-\x20\x7f#]*)?#?$`)}, []any{"https://shop.example.com/health"}
	case "base_url":
		return []object{pattern("^" + httpScheme + authority + `(/[^\x00-\x20\x7f?#]*)?$`)}, []any{"https://shop.example.com"}
	case "proxy_url":
		return []object{pattern(`^([sS][oO][cC][kK][sS]5|[hH][tT][tT][pP][sS]?)://` + noSpace + `+$`)}, []any{"http://proxy.example.com:3128"}
	case "path":
		return []object{pattern(`^/[^\x00-\x20\x7f#]*#?$`)}, []any{"/api/login"}
	case "host":
		return []object{text(`^[^\x00-\x20\x7f/?#@]+$`)}, []any{"shop.example.com"}
	case "hostport":
		return []object{pattern(`^[^\x00-\x20\x7f/?#@]+:[0-9]+$`)}, []any{"203.0.113.10:443", "[2001:db8::1]:443"}
	case "listen":
		return []object{pattern(`^[^\x00-\x20\x7f/?#@]*:[0-9]+$`)}, []any{"127.0.0.1:9522", ":9522"}
	case "nats_url":
		return []object{pattern("^" + natsScheme + authority + "/?$")}, []any{"nats://nats-0.example.com:4222", "tls://nats-0.example.com:4222"}
	}
	panic("config: a struct tag has the rule " + name + ", which the JSON Schema does not know")
}

// keySchema is what the keys of a mapping have to be.
func keySchema(rule string) object {
	switch rule {
	case "header":
		return pattern(headerToken)
	case "label":
		return object{{"type", "string"}, {"pattern", `^[A-Za-z_][A-Za-z0-9_]{0,` + strconv.Itoa(maxLabelName) + `}$`},
			{"not", object{{"anyOf", []any{object{{"pattern", "^__"}}, object{{"enum", ownLabels()}}}}}}}
	case "jsonpath":
		return pattern(`^\$`)
	}
	panic("config: a struct tag has the rule " + rule + " for keys, which the JSON Schema does not know")
}

// enumForms are words. YAML makes a number of 1.1 and a boolean of true, which
// are the same to who writes them.
func enumForms(words []string) []object {
	var values []any
	for _, w := range words {
		values = append(values, w)
	}
	for _, w := range words {
		if n, err := strconv.ParseFloat(w, 64); err == nil {
			values = append(values, n)
		}
		if b, err := strconv.ParseBool(w); err == nil && len(w) > 1 {
			values = append(values, b)
		}
	}
	return []object{{{"enum", values}}}
}

// methodForms is a token, but no common method in lower case.
func methodForms() []object {
	refused := []any{"CONNECT"}
	for _, m := range commonMethods() {
		refused = append(refused, strings.ToLower(m))
	}
	return []object{append(pattern(headerToken), not(object{{"enum", refused}})...)}
}

func cronForms() []object { return []object{pattern(cronFields), pattern(cronShort)} }

// scalarTypes are what YAML makes of an unquoted text.
var scalarTypes = []string{"string", "number", "boolean"}

// text is a text of which YAML may make a number or a boolean.
func text(p string) object {
	o := object{{"type", scalarTypes}}
	if p != "" {
		o = append(o, member{"pattern", p})
	}
	return o
}

func pattern(p string) object { return object{{"type", "string"}, {"pattern", p}} }

func anys(forms []object) []any {
	list := make([]any, len(forms))
	for i, f := range forms {
		list[i] = f
	}
	return list
}
