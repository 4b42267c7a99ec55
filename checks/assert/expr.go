package assert

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

const (
	exprLength = 4096    // bytes of an expression
	exprNodes  = 1000    // nodes of an expression
	exprMemory = 200_000 // elements that one evaluation may make
	exprValues = 10_000  // values of a JSON body that expressions are evaluated over
)

// exprWithout are the functions whose work may grow with the square of the
// body, or that make large values out of small ones.
var exprWithout = []string{"repeat", "reduce", "uniq", "split", "splitAfter", "fromJSON"}

// exprRule is one expression, compiled.
type exprRule struct {
	source   string
	program  *vm.Program
	uses     exprUse
	operands []exprOperand
}

// exprUse is what an expression reads that costs something to provide.
type exprUse struct{ json, body, headers bool }

func (u exprUse) or(v exprUse) exprUse {
	return exprUse{u.json || v.json, u.body || v.body, u.headers || v.headers}
}

type exprRules []exprRule

// Expr expects every expression to be true. They are in the language of
// expr-lang, over the whole response, and their types are checked here.
//
// An expression has no clock to stop it, so its work is bounded by what it may
// be: a predicate (as in "all(json.items, …)") may hold no other predicate and
// not the body, a few functions are left out, and JSON is bounded in its values.
//
// Its error joins a *probe.FieldError for each one that cannot be used, with
// line and column.
func Expr(sources ...string) (Assertion, error) {
	var (
		rs   exprRules
		errs []error
	)
	for i, source := range sources {
		r, err := newExprRule(source)
		if err != nil {
			errs = append(errs, &probe.FieldError{Field: item("expr", i), Err: err})
			continue
		}
		rs = append(rs, r)
	}
	return rs, errors.Join(errs...)
}

func newExprRule(source string) (exprRule, error) {
	if len(source) > exprLength {
		return exprRule{}, fmt.Errorf("%d bytes, at most %d", len(source), exprLength)
	}
	options := []expr.Option{expr.Env(exprEnv{}), expr.AsBool(), expr.MaxNodes(exprNodes)}
	for _, name := range exprWithout {
		options = append(options, expr.DisableBuiltin(name))
	}
	program, err := expr.Compile(source, options...)
	if err != nil {
		if better := inspectBroken(source, err); better != nil {
			return exprRule{}, better
		}
		return exprRule{}, exprError(err)
	}
	uses, err := inspect(program.Node(), source)
	if err != nil {
		return exprRule{}, err
	}
	return exprRule{source, program, uses, exprOperands(program.Node())}, nil
}

// inspectBroken looks in an expression that does not compile for what explains
// that better than the compiler does: the name of a function without a call, or
// of one that is left out. nil when it finds nothing.
func inspectBroken(source string, compiler error) error {
	if strings.HasPrefix(compiler.Error(), "cannot redeclare") {
		return nil
	}
	tree, err := parser.Parse(source)
	if err != nil {
		return nil
	}
	_, err = inspect(tree.Node, source)
	return err
}

// exprError words an error of the compiler in one line, with its place.
func exprError(err error) error {
	at, ok := errors.AsType[*file.Error](err)
	if !ok {
		return err
	}
	message, _, _ := strings.Cut(at.Message, "\n")
	return placed(at.Line, at.Column, exprWords(message))
}

// exprWords puts an error of the compiler about a name into the words of those
// who write expressions, with the names that there are.
func exprWords(message string) string {
	if strings.HasPrefix(message, "unknown name ") {
		return message + "; there are " + exprNames(reflect.TypeFor[exprEnv]())
	}
	for _, t := range []reflect.Type{reflect.TypeFor[exprPhases](), reflect.TypeFor[exprTLS](), reflect.TypeFor[exprEdge]()} {
		if name, ok := strings.CutPrefix(message, "type "+t.String()+" has no field "); ok {
			return "no field " + name + "; there are " + exprNames(t)
		}
	}
	return message
}

// exprNames lists the fields of t by the names that expressions know.
func exprNames(t reflect.Type) string {
	var names []string
	for f := range t.Fields() {
		names = append(names, f.Tag.Get("expr"))
	}
	return strings.Join(names, ", ")
}

func placed(line, column int, message string) error {
	if line > 1 {
		return fmt.Errorf("line %d, column %d: %s", line, column+1, message)
	}
	return fmt.Errorf("column %d: %s", column+1, message)
}

func (rs exprRules) Check(r *probe.Response) *Failure {
	if r.StatusCode == 0 || r.Condition != "" {
		return nil
	}
	var uses exprUse
	for _, x := range rs {
		uses = uses.or(x.uses)
	}
	env := newExprEnv(r, uses)
	if uses.json {
		// A body that is no JSON is null to expressions: they may ask for it.
		if doc, err := parseJSON(r); err == nil {
			if !fewValues(doc, exprValues) {
				return mismatch(r, catalog.ExprMismatch,
					fmt.Sprintf("a JSON body of more than %d values, too many for an expression", exprValues), rs.wanted(rs...))
			}
			env.JSON = doc
		}
	}
	var (
		got   []string
		unmet exprRules
	)
	for _, x := range rs {
		machine := vm.VM{MemoryBudget: exprMemory}
		value, err := machine.Run(x.program, env)
		switch {
		case err != nil:
			got, unmet = append(got, exprError(err).Error()), append(unmet, x)
		case value != true:
			got, unmet = append(got, x.operandText(r, env)), append(unmet, x)
		}
	}
	if len(unmet) == 0 {
		return nil
	}
	return mismatch(r, catalog.ExprMismatch, strings.Join(got, "; "), rs.wanted(unmet...))
}

func (exprRules) wanted(rs ...exprRule) string {
	var want []string
	for _, x := range rs {
		want = append(want, x.source)
	}
	return strings.Join(want, "; ")
}

// fewValues tells whether a document has at most limit values.
func fewValues(doc any, limit int) bool { return countValues(doc, limit) >= 0 }

// countValues is what is left of limit after the values of doc, negative when
// there are more.
func countValues(doc any, limit int) int {
	limit--
	switch doc := doc.(type) {
	case []any:
		for _, e := range doc {
			if limit < 0 {
				break
			}
			limit = countValues(e, limit)
		}
	case map[string]any:
		for _, e := range doc {
			if limit < 0 {
				break
			}
			limit = countValues(e, limit)
		}
	}
	return limit
}
