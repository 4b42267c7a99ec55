package migrate

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// condition is one condition of Gatus, taken apart: left operator right, with
// the placeholder on the left.
type condition struct {
	at                    at
	left, operator, right string
}

// statuses are the status codes that pass: one flag for each from 100 to 599.
type statuses [500]bool

// conditions turns an endpoint's conditions into expectations. Without one on
// the status, Gatus takes any.
func (g *gatus) conditions(c *check, e at) {
	var passing statuses
	for i := range passing {
		passing[i] = true
	}
	for _, a := range e.key("conditions").few() {
		if !a.is(scalar) {
			continue
		}
		cond, ok := parseCondition(a)
		if !ok {
			a.note("is not carried over: "+quoted(a.value.text)+" is no condition of Gatus", "")
			continue
		}
		if len(g.text(a.value.text).variables()) > 0 {
			a.note("is not carried over: it has a variable of the environment", "write it as an expectation: expect.json and expect.body_contains take ${NAME}")
			continue
		}
		if why := cond.expect(&c.expect, &passing); why != "" {
			a.note(quoted(a.value.text)+" is not carried over: "+why, "")
		}
	}
	c.expect.status = passing.texts()
	if len(c.expect.status) == 0 {
		e.key("conditions").note("the conditions on the status are not carried over: no status fits all of them", "")
		c.expect.status = []text{"100-599"}
	}
}

// wantsNoAnswer tells whether an endpoint is well while nothing answers. A check
// without that condition would alert for as long as it is.
func wantsNoAnswer(e at) bool {
	all := e.key("conditions")
	if all.missing() || all.kind != list {
		return false // which conditions notes
	}
	return slices.ContainsFunc(all.each(), func(a at) bool {
		if a.missing() || a.kind != scalar {
			return false
		}
		c, ok := parseCondition(a)
		unequal := c.operator == "!=" && strings.EqualFold(c.right, "true")
		return ok && strings.EqualFold(c.left, "[CONNECTED]") && (unequal || c.equals("false"))
	})
}

// operators in the order in which Gatus looks for them.
var operators = []string{" == ", " != ", " <= ", " >= ", " > ", " < "}

func parseCondition(a at) (condition, bool) {
	for _, op := range operators {
		left, right, ok := strings.Cut(a.value.text, op)
		if !ok {
			continue
		}
		c := condition{a, strings.TrimSpace(left), strings.TrimSpace(op), strings.TrimSpace(right)}
		if !isPlaceholder(c.left) && isPlaceholder(c.right) {
			c.left, c.right = c.right, c.left
			c.operator = map[string]string{"<": ">", ">": "<", "<=": ">=", ">=": "<="}[c.operator] + map[string]string{"==": "==", "!=": "!="}[c.operator]
		}
		return c, isPlaceholder(c.left)
	}
	return condition{}, false
}

var placeholder = regexp.MustCompile(`(?i)^(len|has)?\(?\[[A-Z_]+\]`)

func isPlaceholder(s string) bool { return placeholder.MatchString(s) }

// expect adds what a condition says. It gives the reason why it cannot, if so.
func (c condition) expect(e *expect, passing *statuses) (why string) {
	switch left := strings.ToUpper(c.left); {
	case left == "[STATUS]":
		return c.status(passing)
	case left == "[RESPONSE_TIME]":
		return c.responseTime(e)
	case left == "[CERTIFICATE_EXPIRATION]":
		return c.certificate(e)
	case left == "[CONNECTED]":
		if c.equals("true") {
			return "" // or there is no answer to judge
		}
		return "a check cannot want a connection to fail"
	case left == "[IP]":
		return c.ip(e)
	case left == "[BODY]":
		return c.wholeBody(e)
	case strings.HasPrefix(left, "[BODY]"), strings.HasPrefix(left, "LEN([BODY]"), strings.HasPrefix(left, "HAS([BODY]"):
		return c.json(e)
	case left == "[DOMAIN_EXPIRATION]":
		return "esawatch does not ask who owns a domain, and until when"
	case left == "[DNS_RCODE]":
		return "esawatch asks over HTTP only"
	}
	return "esawatch has nothing like " + c.left
}

// equals tells whether the condition wants, one way or the other, this value.
func (c condition) equals(v string) bool {
	return c.operator == "==" && strings.EqualFold(c.right, v) || v == "true" && c.operator == "!=" && strings.EqualFold(c.right, "false")
}

// argument is what stands in the brackets of a function: pat(…), any(…).
func argument(s, function string) (string, bool) {
	if rest, ok := strings.CutPrefix(s, function+"("); ok && strings.HasSuffix(rest, ")") {
		return strings.TrimSuffix(rest, ")"), true
	}
	return "", false
}

// options are the values of any(…), or the only one.
func (c condition) options() []string {
	arg, ok := argument(c.right, "any")
	if !ok {
		return []string{c.right}
	}
	options := strings.Split(arg, ",")
	for i := range options {
		options[i] = strings.TrimSpace(options[i])
	}
	return options
}

func (c condition) status(passing *statuses) (why string) {
	var fits func(int) bool
	if glob, ok := argument(c.right, "pat"); ok {
		re, err := regexp.Compile(globPattern(glob))
		if err != nil || c.operator != "==" && c.operator != "!=" {
			return "its pattern cannot be read"
		}
		fits = func(code int) bool { return re.MatchString(strconv.Itoa(code)) == (c.operator == "==") }
	} else {
		var codes []int
		for _, o := range c.options() {
			n, err := strconv.Atoi(o)
			if err != nil {
				return quoted(o) + " is no status"
			}
			codes = append(codes, n)
		}
		n := codes[0]
		fits = map[string]func(int) bool{
			"==": func(code int) bool { return slices.Contains(codes, code) },
			"!=": func(code int) bool { return !slices.Contains(codes, code) },
			"<":  func(code int) bool { return code < n },
			"<=": func(code int) bool { return code <= n },
			">":  func(code int) bool { return code > n },
			">=": func(code int) bool { return code >= n },
		}[c.operator]
	}
	for i := range passing {
		passing[i] = passing[i] && fits(100+i)
	}
	return ""
}

// texts writes the codes as codes, classes and ranges.
func (s *statuses) texts() []text {
	var out []text
	for i := 0; i < len(s); i++ {
		if !s[i] {
			continue
		}
		from := i
		for i+1 < len(s) && s[i+1] {
			i++
		}
		switch {
		case from == i:
			out = append(out, text(strconv.Itoa(100+from)))
		case from%100 == 0 && i == from+99:
			out = append(out, text(strconv.Itoa(1+from/100)+"xx"))
		default:
			out = append(out, text(fmt.Sprintf("%d-%d", 100+from, 100+i)))
		}
	}
	return out
}

// gatusMilliseconds reads a number of a condition: of milliseconds, or a duration.
func gatusMilliseconds(s string) (time.Duration, bool) {
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return d, true
	}
	n, err := strconv.ParseUint(s, 10, 31)
	return time.Duration(n) * time.Millisecond, err == nil && n > 0
}

func (c condition) responseTime(e *expect) (why string) {
	d, ok := gatusMilliseconds(c.right)
	if !ok {
		return quoted(c.right) + " is no time"
	}
	switch {
	case c.operator == "<" || c.operator == "<=":
		if e.maxDuration != "" {
			return "there is one limit of the time already"
		}
		e.maxDuration = duration(d)
	default:
		e.expr = append(e.expr, literal("duration_seconds "+c.operator+" "+strconv.FormatFloat(d.Seconds(), 'f', -1, 64)))
	}
	return ""
}

func (c condition) certificate(e *expect) (why string) {
	d, ok := gatusMilliseconds(c.right)
	if !ok || c.operator != ">" && c.operator != ">=" {
		return "esawatch knows one limit only: how long a certificate has to be valid"
	}
	e.certValidFor = duration(d)
	return ""
}

func (c condition) ip(e *expect) (why string) {
	if c.operator != "==" && c.operator != "!=" {
		return "an address is not more or less than another"
	}
	var forms []string
	if glob, ok := argument(c.right, "pat"); ok {
		forms = append(forms, strings.TrimSuffix(strings.TrimPrefix(globPattern(glob), "(?s)^"), "$"))
	} else {
		for _, o := range c.options() {
			forms = append(forms, regexp.QuoteMeta(o))
		}
	}
	e.expr = append(e.expr, negated(c.operator == "!=", "remote_address matches "+exprText(`^\[?(`+strings.Join(forms, "|")+`)\]?:[0-9]+$`)))
	return ""
}

func negated(not bool, expr string) text { return literal(negatedExpr(not, expr)) }

func negatedExpr(not bool, expr string) string {
	if not {
		return "!(" + expr + ")"
	}
	return expr
}

// wholeBody is a condition on the body as text.
func (c condition) wholeBody(e *expect) (why string) {
	if c.operator != "==" && c.operator != "!=" {
		return "a body is not more or less than a number"
	}
	not := c.operator == "!="
	glob, isPattern := argument(c.right, "pat")
	switch part, whole := globPart(glob); {
	case isPattern && !whole && !not:
		e.contains = append(e.contains, literal(part))
	case isPattern && !whole:
		e.notContains = append(e.notContains, literal(part))
	case isPattern && not:
		e.notMatches = append(e.notMatches, literal(globPattern(glob)))
	case isPattern:
		e.matches = append(e.matches, literal(globPattern(glob)))
	default:
		e.expr = append(e.expr, literal(c.oneOf("trim(body)")))
	}
	return ""
}

// globPart is the text in *text*; whole tells that a pattern is more than that.
func globPart(glob string) (part string, whole bool) {
	part = strings.TrimSuffix(strings.TrimPrefix(glob, "*"), "*")
	if len(glob) < 3 || len(part) != len(glob)-2 || strings.ContainsAny(part, `*?[\`) || strings.TrimSpace(part) == "" {
		return "", true
	}
	return part, false
}

// globPattern is a pattern of Gatus (* any text, ? one character, [a-z]) as a
// regular expression over a whole value.
func globPattern(glob string) string {
	var b strings.Builder
	b.WriteString("(?s)^")
	for len(glob) > 0 {
		r := glob[0]
		if m := globClass.FindString(glob); m != "" {
			b.WriteString(m)
			glob = glob[len(m):]
			continue
		}
		switch {
		case r == '*':
			b.WriteString(".*")
		case r == '?':
			b.WriteString(".")
		case r == '\\' && len(glob) > 1:
			glob = glob[1:]
			b.WriteString(regexp.QuoteMeta(glob[:1]))
		default:
			b.WriteString(regexp.QuoteMeta(glob[:1]))
		}
		glob = glob[1:]
	}
	b.WriteString("$")
	return b.String()
}

var globClass = regexp.MustCompile(`^\[\^?[A-Za-z0-9-]+\]`)
