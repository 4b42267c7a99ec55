package assert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ohler55/ojg/jp"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// jsonRule is one path and the value that it must lead to.
type jsonRule struct {
	path string
	expr jp.Expr
	want any
}

type jsonRules []jsonRule

// JSON expects a body in JSON in which every path leads to its value: to at
// least one, and all that it leads to are equal to it. Paths are JSONPath
// (RFC 9535); values are what YAML knows: text, numbers, true, false, null,
// lists and maps. Whole numbers are compared exactly, and 1 equals 1.0.
//
// Its error joins a *probe.FieldError for each path that cannot be used.
func JSON(want map[string]any) (Assertion, error) {
	var (
		rules jsonRules
		errs  []error
	)
	for _, path := range slices.Sorted(maps.Keys(want)) {
		rule, err := newJSONRule(path, want[path])
		if err != nil {
			errs = append(errs, &probe.FieldError{Field: "json." + path, Err: err})
			continue
		}
		rules = append(rules, rule)
	}
	return rules, errors.Join(errs...)
}

func newJSONRule(path string, want any) (jsonRule, error) {
	if !strings.HasPrefix(path, "$") {
		return jsonRule{}, errors.New("column 1: a path begins with $")
	}
	expr, err := jp.ParseString(path)
	if err != nil {
		return jsonRule{}, pathError(err)
	}
	descents := 0
	for _, part := range expr {
		if _, ok := part.(jp.Descent); ok {
			descents++
		}
	}
	if descents > 1 {
		return jsonRule{}, errors.New("more than one .. makes the work grow with the square of the body")
	}
	value, err := canonical(want)
	if err != nil {
		return jsonRule{}, err
	}
	return jsonRule{path, expr, value}, nil
}

// pathError words an error of the path's parser, which says "CAUSE at N in PATH".
func pathError(err error) error {
	text := err.Error()
	if i := strings.LastIndex(text, " at "); i >= 0 {
		column, _, ok := strings.Cut(text[i+len(" at "):], " in ")
		if _, err := strconv.Atoi(column); ok && err == nil {
			return fmt.Errorf("column %s: %s", column, text[:i])
		}
	}
	return err
}

func (rules jsonRules) Check(r *probe.Response) *Failure {
	if r.StatusCode == 0 || r.Condition != "" {
		return nil
	}
	doc, err := parseJSON(r)
	if err != nil {
		return mismatch(r, catalog.JSONMismatch, err.Error(), rules.wanted(rules...))
	}
	var (
		got   []string
		unmet jsonRules
	)
	for _, rule := range rules {
		if words := rule.check(r, doc); words != "" {
			got, unmet = append(got, words), append(unmet, rule)
		}
	}
	if len(unmet) == 0 {
		return nil
	}
	return mismatch(r, catalog.JSONMismatch, strings.Join(got, "; "), rules.wanted(unmet...))
}

// wanted words what rules expect.
func (jsonRules) wanted(rules ...jsonRule) string {
	var want []string
	for _, rule := range rules {
		want = append(want, rule.path+" = "+jsonText(rule.want, unchanged))
	}
	return strings.Join(want, "; ")
}

// check says what a document has instead of the value, "" when it has it.
func (rule jsonRule) check(r *probe.Response, doc any) string {
	nodes := rule.expr.Get(doc)
	if len(nodes) == 0 {
		return "nothing at " + rule.path
	}
	for _, node := range nodes {
		if !equalJSON(node, rule.want) {
			return rule.path + " = " + jsonText(node, r.Redact)
		}
	}
	return ""
}

// parseJSON reads a body as JSON, with whole numbers exact. The standard
// library's decoder takes nothing but JSON and bounds the depth, so that walking
// the result cannot exhaust the stack.
func parseJSON(r *probe.Response) (any, error) {
	if r.BodyTruncated {
		return nil, fmt.Errorf("a body longer than %d bytes, where reading stopped (max_body_bytes)", len(r.Body))
	}
	d := json.NewDecoder(bytes.NewReader(r.Body))
	d.UseNumber()
	var doc any
	err := d.Decode(&doc)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("more after its end")
		}
	}
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends too early")
		}
		return nil, fmt.Errorf("a body that is not JSON (%w): %s", err, bodyText(r))
	}
	return exact(doc), nil
}

// exact puts numbers into canonical form, in place.
func exact(doc any) any {
	switch doc := doc.(type) {
	case json.Number:
		return number(doc)
	case []any:
		for i, e := range doc {
			doc[i] = exact(e)
		}
	case map[string]any:
		for k, e := range doc {
			if n, ok := e.(json.Number); ok {
				doc[k] = number(n)
				continue
			}
			exact(e)
		}
	}
	return doc
}

// canonical brings a configured value into the form of a decoded one: nil, bool, string,
// int64, float64, []any, map[string]any, and json.Number for a whole number
// that no int64 holds.
func canonical(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string, int64, float64:
		return v, nil
	case json.Number:
		return number(v), nil
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			c, err := canonical(e)
			if err != nil {
				return nil, err
			}
			list[i] = c
		}
		return list, nil
	case map[string]any:
		object := make(map[string]any, len(v))
		for k, e := range v {
			c, err := canonical(e)
			if err != nil {
				return nil, err
			}
			object[k] = c
		}
		return object, nil
	}
	switch rv := reflect.ValueOf(v); {
	case rv.CanInt():
		return rv.Int(), nil
	case rv.CanUint():
		return number(json.Number(strconv.FormatUint(rv.Uint(), 10))), nil
	case rv.CanFloat():
		return rv.Float(), nil
	}
	return nil, fmt.Errorf("a value of type %T cannot be compared with JSON", v)
}

// number is a JSON number without loss where that can be.
func number(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	if strings.Trim(string(n), "-0123456789") == "" {
		return n
	}
	if f, err := n.Float64(); err == nil {
		return f
	}
	return n
}

// equalJSON compares two values of canonical form.
func equalJSON(a, b any) bool {
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equalJSON)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equalJSON)
	}
	x, y := rational(a), rational(b)
	if x != nil && y != nil {
		return x.Cmp(y) == 0
	}
	return reflect.TypeOf(a) == reflect.TypeOf(b) && a == b
}

// rational is a number exactly, nil for what is none or would be too long.
func rational(v any) *big.Rat {
	switch v := v.(type) {
	case int64:
		return new(big.Rat).SetInt64(v)
	case float64:
		return new(big.Rat).SetFloat64(v)
	case json.Number:
		if len(v) <= 64 {
			x, _ := new(big.Rat).SetString(string(v))
			return x
		}
	}
	return nil
}

// jsonText shows a value as JSON; clean takes out of it what must not be shown,
// before it is cut.
func jsonText(v any, clean func(string) string) string {
	switch v := v.(type) {
	case []any:
		if len(v) > 20 {
			return fmt.Sprintf("a list of %d", len(v))
		}
	case map[string]any:
		if len(v) > 20 {
			return fmt.Sprintf("an object with %d members", len(v))
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return probe.Printable(clean(string(text)), 120)
}

// unchanged cleans a text of the configuration.
func unchanged(s string) string { return s }
