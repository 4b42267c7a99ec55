package assert

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/esawatch/esawatch/checks/probe"
)

// inspect finds out what an expression reads, and refuses one whose work would
// not be bounded.
func inspect(root ast.Node, source string) (uses exprUse, err error) {
	text := file.NewSource(source)
	refuse := func(n ast.Node, why string) {
		if err == nil {
			at := (&file.Error{Location: n.Location()}).Bind(text)
			err = placed(at.Line, at.Column, why)
		}
	}
	visit(root, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.IdentifierNode:
			uses.json = uses.json || n.Value == "json"
			uses.body = uses.body || n.Value == "body"
			uses.headers = uses.headers || n.Value == "headers"
			if n.Value == "$env" {
				refuse(n, "$env cannot be used; name the variable")
			}
			if _, function := builtin.Index[n.Value]; function {
				refuse(n, exprWords("unknown name "+n.Value+" (only "+n.Value+"(…) is a function)"))
			}
		case *ast.BuiltinNode:
			if slices.Contains(exprWithout, n.Name) {
				refuse(n, n.Name+" cannot be used: its work is not bounded")
			}
		case *ast.PredicateNode:
			visit(n.Node, func(inner ast.Node) {
				if id, ok := inner.(*ast.IdentifierNode); ok && id.Value == "body" {
					refuse(inner, "the body cannot be searched once for each element; use body_contains or body_matches")
				}
				if _, ok := inner.(*ast.PredicateNode); ok {
					refuse(inner, "a predicate within a predicate makes the work grow with the square of the answer")
				}
			})
		}
	})
	return uses, err
}

// ReadsBody tells whether an expression, if it can be used at all, looks at the
// content of an answer.
func ReadsBody(source string) bool {
	r, err := newExprRule(source)
	return err == nil && (r.uses.body || r.uses.json)
}

// visit calls f for a node and all below it.
func visit(root ast.Node, f func(ast.Node)) { ast.Walk(&root, visitor(f)) }

type visitor func(ast.Node)

func (v visitor) Visit(n *ast.Node) { v(*n) }

// exprOperand is a value that an expression reads, such as "json.queue": shown
// when the expression is false, so that one sees why.
type exprOperand struct {
	source  string
	program *vm.Program
}

// maxOperands is how many values of an expression are shown.
const maxOperands = 6

// exprOperands finds what an expression reads, outside predicates.
func exprOperands(root ast.Node) (operands []exprOperand) {
	part := map[ast.Node]bool{} // of something larger, or of a predicate
	visit(root, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.PredicateNode:
			visit(n.Node, func(inner ast.Node) { part[inner] = true })
		case *ast.MemberNode:
			if plainMember(n) {
				part[n.Node] = true
			}
		}
	})
	seen := map[string]bool{}
	visit(root, func(n ast.Node) {
		member, isMember := n.(*ast.MemberNode)
		id, isID := n.(*ast.IdentifierNode)
		if part[n] || !isMember && !isID || isMember && !plainMember(member) || isID && id.Value == "body" {
			return
		}
		source := n.String()
		if seen[source] || len(operands) == maxOperands {
			return
		}
		seen[source] = true
		// What reads a variable of the expression itself does not compile alone.
		if program, err := expr.Compile(source, expr.Env(exprEnv{})); err == nil {
			operands = append(operands, exprOperand{source, program})
		}
	})
	return operands
}

// plainMember tells whether n is a chain of names and constant keys.
func plainMember(n *ast.MemberNode) bool {
	switch n.Property.(type) {
	case *ast.StringNode, *ast.IntegerNode:
	default:
		return false
	}
	if n.Method {
		return false
	}
	switch inner := n.Node.(type) {
	case *ast.IdentifierNode:
		return true
	case *ast.MemberNode:
		return plainMember(inner)
	}
	return false
}

// operandText shows the values by which an expression came out false.
func (x exprRule) operandText(r *probe.Response, env exprEnv) string {
	texts := make([]string, 0, len(x.operands))
	for _, o := range x.operands {
		machine := vm.VM{MemoryBudget: exprMemory}
		if value, err := machine.Run(o.program, env); err == nil {
			texts = append(texts, o.source+" = "+jsonText(value, r.Redact))
		}
	}
	if len(texts) == 0 {
		return "false"
	}
	return strings.Join(texts, ", ")
}
