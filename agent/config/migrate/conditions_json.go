package migrate

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// json is a condition on a value in the body, its length or its being there.
func (c condition) json(e *expect) (why string) {
	function, path := "", c.left
	for _, f := range []string{"len", "has"} {
		if arg, ok := argument(path, f); ok {
			function, path = f, arg
		}
	}
	steps, ok := bodySteps(path)
	if !ok {
		return "its path cannot be read"
	}
	switch function {
	case "has":
		return c.has(e, steps)
	case "len":
		return c.length(e, steps)
	}
	if other, ok := bodySteps(c.right); ok && strings.HasPrefix(strings.ToUpper(c.right), "[BODY]") {
		if steps.wild() || other.wild() {
			return "it compares many values with many"
		}
		e.expr = append(e.expr, literal(steps.expr()+" "+c.operator+" "+other.expr()))
		return ""
	}
	if strings.Contains(strings.ToUpper(c.right), "[CONTEXT]") {
		return "esawatch's checks know nothing of each other"
	}
	_, pattern := argument(c.right, "pat")
	_, any := argument(c.right, "any")
	if c.operator == "==" && !pattern && !any {
		path := steps.jsonPath()
		if !slices.ContainsFunc(e.json, func(r jsonRule) bool { return r.path == path }) {
			e.json = append(e.json, jsonRule{path, jsonValue(c.right)})
			return ""
		}
	}
	return c.jsonExpr(e, steps)
}

// jsonExpr is a condition on a value as an expression.
func (c condition) jsonExpr(e *expect, steps bodyPath) (why string) {
	of := func(value string) (string, string) {
		switch glob, ok := argument(c.right, "pat"); {
		case ok && (c.operator == "==" || c.operator == "!="):
			return negatedExpr(c.operator == "!=", "string("+value+") matches "+exprText(globPattern(glob))), ""
		case c.operator == "==" || c.operator == "!=":
			return c.oneOf("string(" + value + ")"), ""
		}
		n, err := strconv.ParseFloat(c.right, 64)
		if err != nil {
			return "", quoted(c.right) + " is no number"
		}
		return "float(" + value + ") " + c.operator + " " + number(n), ""
	}
	return steps.all(e, of)
}

// oneOf says that a text is, or is not, one of the options.
func (c condition) oneOf(value string) string {
	options := c.options()
	if len(options) == 1 {
		return value + " " + c.operator + " " + exprText(options[0])
	}
	for i, o := range options {
		options[i] = exprText(o)
	}
	return negatedExpr(c.operator == "!=", value+" in ["+strings.Join(options, ", ")+"]")
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// has is a condition on a value's being there.
func (c condition) has(e *expect, steps bodyPath) (why string) {
	if c.operator != "==" && c.operator != "!=" || !strings.EqualFold(c.right, "true") && !strings.EqualFold(c.right, "false") {
		return "has() is true or false"
	}
	there := strings.EqualFold(c.right, "true") == (c.operator == "==")
	operator := map[bool]string{true: "!=", false: "=="}[there]
	if steps.wild() {
		return "it asks for many values"
	}
	e.expr = append(e.expr, literal(steps.expr()+" "+operator+" nil"))
	return ""
}

// length is a condition on the length of a list or a text.
func (c condition) length(e *expect, steps bodyPath) (why string) {
	n, err := strconv.Atoi(c.right)
	if err != nil {
		return quoted(c.right) + " is no length"
	}
	if len(steps) == 0 {
		e.expr = append(e.expr, literal(fmt.Sprintf("(json == nil ? len(body) : len(json)) %s %d", c.operator, n)))
		return ""
	}
	return steps.all(e, func(value string) (string, string) {
		return fmt.Sprintf("len(%s) %s %d", value, c.operator, n), ""
	})
}

// jsonValue is a value of a condition as JSON would have it.
func jsonValue(s string) *yaml.Node {
	switch {
	case s == "true" || s == "false":
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: s}
	case jsonInteger.MatchString(s):
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: s}
	case jsonDecimal.MatchString(s):
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: s}
	}
	return orEmpty(literal(s))
}

var (
	jsonInteger = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})$`)
	jsonDecimal = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}$`)
)

// bodyPath is a way into a JSON body: keys, indexes "[0]" and "[*]".
type bodyPath []string

// bodySteps reads [BODY].data[0].id.
func bodySteps(s string) (bodyPath, bool) {
	if len(s) < len("[BODY]") || !strings.EqualFold(s[:len("[BODY]")], "[BODY]") {
		return nil, false
	}
	rest := s[len("[BODY]"):]
	var steps bodyPath
	for rest != "" {
		if m := bodyIndex.FindString(rest); m != "" {
			steps = append(steps, m)
			rest = rest[len(m):]
			continue
		}
		rest = strings.TrimPrefix(rest, ".")
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 || len(steps) > 20 || strings.ContainsAny(rest[:end], " ()]") {
			return nil, false
		}
		steps = append(steps, rest[:end])
		rest = rest[end:]
	}
	return steps, true
}

var (
	bodyIndex  = regexp.MustCompile(`^\[([0-9]{1,9}|\*)\]`)
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (p bodyPath) wild() bool { return slices.Contains(p, "[*]") }

// jsonPath is the way by RFC 9535.
func (p bodyPath) jsonPath() string {
	path := "$"
	for _, step := range p {
		switch {
		case strings.HasPrefix(step, "["):
			path += step
		case identifier.MatchString(step):
			path += "." + step
		default:
			path += "['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(step) + "']"
		}
	}
	return path
}

// expr is the way in an expression: null where it ends too soon.
func (p bodyPath) expr() string { return stepsExpr("json", p) }

func stepsExpr(from string, steps []string) string {
	for _, step := range steps {
		switch {
		case strings.HasPrefix(step, "["):
			from += "?." + step
		case identifier.MatchString(step):
			from += "?." + step
		default:
			from += "?.[" + exprText(step) + "]"
		}
	}
	return from
}

// all adds an expression over the value, or over each where the way has a [*].
func (p bodyPath) all(e *expect, of func(value string) (expr, why string)) (why string) {
	i := slices.Index(p, "[*]")
	if i < 0 {
		expr, why := of(p.expr())
		if why == "" {
			e.expr = append(e.expr, literal(expr))
		}
		return why
	}
	if slices.Contains(p[i+1:], "[*]") {
		return "it asks for lists in lists"
	}
	inner, why := of(stepsExpr("#", p[i+1:]))
	if why == "" {
		list := stepsExpr("json", p[:i])
		e.expr = append(e.expr, literal("len("+list+") > 0 && all("+list+", "+inner+")"))
	}
	return why
}
