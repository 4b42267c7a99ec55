package config

import (
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

const (
	maxName    = 63      // bytes of a site's, check's, receiver's or location's name
	maxText    = 1 << 20 // bytes of any one value
	maxPattern = 8 << 10 // bytes of a regular expression
)

// checkString judges a value by a rule of a struct tag. It returns the value in
// the form in which the rest of the program wants it.
func checkString(rule, v string) (string, *problem) {
	name, arg, optional := ruleOf(rule)
	if len(v) > maxText {
		return "", newProblem("at most 1 MiB", "a value of %d bytes is too long", len(v))
	}
	if v == "" && optional || name == "" {
		return v, nil
	}
	switch name {
	case "text":
		return v, checkText(v)
	case "line":
		return v, checkLine(v)
	case "name":
		return v, checkName(v)
	case "bucket", "quorum", "nats_url":
		return v, checkCluster(name, v)
	case "enum":
		return v, checkEnum(v, strings.Split(arg, "|"))
	case "fault":
		return v, checkEnum(v, texts(catalog.Faults()))
	case "condition":
		return v, checkCondition(v)
	case "method":
		return v, checkMethod(v)
	case "status":
		return v, checkStatus(v)
	case "regexp":
		return v, checkRegexp(v)
	case "jsonpath":
		return v, checkExpression(v, func() (assert.Assertion, error) { return assert.JSON(map[string]any{v: nil}) })
	case "expr":
		return v, checkExpression(v, func() (assert.Assertion, error) { return assert.Expr(v) })
	case "header":
		return http.CanonicalHeaderKey(v), checkHeaderName(v)
	case "label":
		return v, checkLabelName(v)
	case "mail":
		return v, checkMail(v)
	case "timezone":
		return v, checkTimezone(v)
	case "schedule":
		_, err := ParseSchedule(v)
		return v, asProblem(err)
	case "cron":
		_, err := ParseCron(v)
		return v, asProblem(err)
	case "url", "page_url", "base_url", "proxy_url", "path", "host", "hostport", "listen":
		return checkAddress(name, v)
	case "site", "receiver", "file":
		return v, checkText(v) // what they refer to is looked up elsewhere
	}
	panic("config: a struct tag has the unknown rule " + rule)
}

// checkInt judges a number by a rule "int:MIN-MAX".
func checkInt(rule string, n int) *problem {
	_, arg, _ := ruleOf(rule)
	low, high, _ := strings.Cut(arg, "-")
	lo, _ := strconv.Atoi(low)
	hi, _ := strconv.Atoi(high)
	if n < lo || n > hi {
		return newProblem(fmt.Sprintf("from %d to %d", lo, hi), "%d is out of range", n)
	}
	return nil
}

func asProblem(err error) *problem {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	return newProblem("", "%v", err)
}

// checkExpression says what keeps an expression from being compiled, without
// the name that assert gives the field: the path to it is known here.
func checkExpression(v string, compile func() (assert.Assertion, error)) *problem {
	if p := checkText(v); p != nil {
		return p
	}
	_, err := compile()
	if field, ok := errors.AsType[*probe.FieldError](err); ok {
		err = field.Err
	}
	if err == nil {
		return nil
	}
	return newProblem("", "%s: %v", quote(v), err)
}

func checkText(v string) *problem {
	if strings.TrimSpace(v) == "" {
		return newProblem("", "is empty")
	}
	return nil
}

func checkLine(v string) *problem {
	if strings.ContainsFunc(v, unicode.IsControl) {
		return newProblem("one line of text", "holds a control character")
	}
	return nil
}

func checkName(v string) *problem {
	const form = "1 to 63 of A-Z a-z 0-9 . _ -"
	if v == "" {
		return newProblem(form, "is empty")
	}
	if len(v) > maxName || strings.ContainsFunc(v, func(r rune) bool { return !isNameRune(r) }) {
		return newProblem(form, "%s is not a name", quote(v))
	}
	if v == "." || v == ".." {
		// Names are part of paths, in which these two lead elsewhere: a site called
		// so would have no page.
		return newProblem("shop, for instance", "%s is not a name", quote(v))
	}
	return nil
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-'
}

// checkLabelName asks for what Prometheus and Alertmanager take, and keeps the
// names that this program sets itself from being covered.
func checkLabelName(v string) *problem {
	const form = "A-Z a-z 0-9 _, not beginning with a digit"
	own := ownLabels()
	switch {
	case !isVariableName(v) || strings.HasPrefix(v, "__") || len(v) > maxName:
		return newProblem(form, "%s is not the name of a label", quote(v))
	case slices.Contains(own, v):
		return newProblem("set by esawatch itself: "+strings.Join(own, ", "), "the label %q is taken", v)
	}
	return nil
}

func ownLabels() []string {
	return []string{"alertname", "site", "check", "location", "condition", "fault", "severity"}
}

func checkEnum(v string, known []string) *problem {
	if slices.Contains(known, v) {
		return nil
	}
	hint := "one of " + strings.Join(known, ", ")
	if c := closest(v, known); c != "" && strings.Trim(v, "0123456789.") != "" {
		hint = fmt.Sprintf("did you mean %q? %s", c, hint)
	}
	return newProblem(hint, "%s is unknown", quote(v))
}

func texts[T ~string](vs []T) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = string(v)
	}
	return out
}

// namedConditions are the conditions that are no status code, and the
// fallbacks. A test holds them against the catalog's constants.
func namedConditions() []string {
	return texts([]catalog.Condition{
		catalog.DNSFailure, catalog.ConnectRefused, catalog.ConnectTimeout, catalog.ConnectUnreachable,
		catalog.TLSHandshake, catalog.TLSExpired, catalog.TLSWrongHost, catalog.TLSUntrusted, catalog.TLSExpiring,
		catalog.Timeout, catalog.ConnectionReset, catalog.ProtocolError, catalog.RedirectLoop,
		catalog.BodyMismatch, catalog.HeaderMismatch, catalog.JSONMismatch, catalog.ExprMismatch,
		catalog.Slow, catalog.UnexpectedStatus, catalog.Challenge, catalog.WaitingRoom, catalog.Stale,
		catalog.NotViaESA, catalog.OriginDown, catalog.AgentOffline, catalog.InternalError,
		catalog.FallbackReserved, catalog.Fallback4xx, catalog.Fallback5xx,
	})
}

func checkCondition(v string) *problem {
	known := namedConditions()
	if code := catalog.Condition(v).StatusCode(); code >= 400 && code <= 599 || slices.Contains(known, v) {
		return nil
	}
	hint := "a status code from 400 to 599, or a name that `esawatch catalog` lists"
	if c := closest(v, known); c != "" {
		hint = fmt.Sprintf("did you mean %q?", c)
	}
	return newProblem(hint, "%s is not a condition", quote(v))
}

func commonMethods() []string {
	return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
}

func checkMethod(v string) *problem {
	if up := strings.ToUpper(v); up != v && slices.Contains(commonMethods(), up) {
		return newProblem(fmt.Sprintf("did you mean %q? methods are in upper case", up), "%s is not a method", quote(v))
	}
	if !isToken(v) || v == "CONNECT" {
		return newProblem("GET, HEAD, POST, …", "%s is not a method", quote(v))
	}
	return nil
}

func checkHeaderName(v string) *problem {
	if !isToken(v) {
		return newProblem("letters, digits and -", "%s is not the name of a header", quote(v))
	}
	return nil
}

// isToken tells whether v is a token of RFC 9110, section 5.6.2.
func isToken(v string) bool {
	for i := range len(v) {
		c := v[i]
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return v != ""
}

// checkStatus takes a code "200", a class "2xx" or a range "400-404".
func checkStatus(v string) *problem {
	low, high, isRange := strings.Cut(v, "-")
	if !isRange {
		high = low
	}
	if len(v) == 3 && v[0] >= '1' && v[0] <= '5' && v[1:] == "xx" {
		return nil
	}
	lo, errLow := strconv.Atoi(low)
	hi, errHigh := strconv.Atoi(high)
	switch {
	case errLow != nil || errHigh != nil || lo < 100 || hi > 599 || len(low) != 3 || len(high) != 3:
		return newProblem("a code 200, a class 2xx or a range 400-404, from 100 to 599", "%s is not a status", quote(v))
	case lo > hi:
		return newProblem(fmt.Sprintf("did you mean %q?", high+"-"+low), "the range %s runs backwards", quote(v))
	}
	return nil
}

func checkRegexp(v string) *problem {
	if len(v) > maxPattern {
		return newProblem("at most 8 KiB", "a regular expression of %d bytes is too long", len(v))
	}
	_, err := regexp.Compile(v)
	if err == nil {
		return nil
	}
	se, ok := errors.AsType[*syntax.Error](err)
	if !ok {
		return newProblem("RE2 syntax", "%s is not a regular expression: %v", quote(v), err)
	}
	hint := "RE2 syntax: https://github.com/google/re2/wiki/Syntax"
	if strings.HasPrefix(se.Expr, "(?") {
		hint = "RE2 has no lookaround"
	}
	if i := strings.Index(v, se.Expr); i >= 0 && se.Expr != "" && se.Expr != v {
		return newProblem(hint, "%s is not a regular expression: %s: %s at column %d", quote(v), se.Code, quote(se.Expr), i+1)
	}
	return newProblem(hint, "%s is not a regular expression: %s", quote(v), se.Code)
}

func checkMail(v string) *problem {
	if _, err := mail.ParseAddress(v); err != nil {
		return newProblem("oncall@example.com, or On-call <oncall@example.com>", "%s is not a mail address", quote(v))
	}
	return nil
}
