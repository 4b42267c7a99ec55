package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/notify"
)

// writeResults prints results as JSON or as text, in a language.
func writeResults(out io.Writer, output, lang string, results []checks.Result) error {
	if output == "json" {
		return writeJSON(out, results)
	}
	p := newPrinter(out)
	for i, r := range results {
		if i > 0 && (r.Diagnosis != nil || results[i-1].Diagnosis != nil) {
			p.blank()
		}
		printResult(p, lang, r)
	}
	return p.err
}

// printResult prints a line for a result and, unless it passed, its diagnosis.
func printResult(p *printer, lang string, r checks.Result) {
	l, w := labelsIn[lang], notify.WordsFor(lang)
	p.line("%s  %s", p.paint(outcomeColor(r.Outcome), fmt.Sprintf("%-8s", strings.ToUpper(string(r.Outcome)))), resultLine(r))
	d := r.Diagnosis
	if d == nil {
		return
	}
	p.blank()
	p.painted("1", "  ", string(d.Condition)+" "+d.Title)
	p.wrapped("  ", d.Summary)
	p.blank()
	p.field(l.severity, w.Severity(string(d.Severity)))
	p.field(l.where, w.Fault(string(d.Fault)))
	p.field(l.owner, d.Owner)
	p.field(l.verdict, d.Verdict)
	if len(d.Evidence) > 0 {
		p.blank()
		p.line("  %s", l.evidence)
		p.pairs("    ", d.Evidence)
	}
	if len(d.Steps) > 0 {
		p.blank()
		p.line("  %s", l.steps)
		for i, s := range d.Steps {
			p.wrapped(fmt.Sprintf("    %d. ", i+1), s)
		}
	}
	if d.RunbookURL != "" || d.DocURL != "" {
		p.blank()
		p.field(l.runbook, d.RunbookURL)
		p.field(l.doc, d.DocURL)
	}
}

// resultLine says in one line who was asked and what came back.
func resultLine(r checks.Result) string {
	name := r.URL
	if r.Site != "" && r.Check != "" {
		name = checks.FullName(r.Site, r.Check) + "  " + r.URL
	}
	answer := "no answer"
	if r.StatusCode != 0 {
		answer = fmt.Sprintf("%d over HTTP/%s", r.StatusCode, httpVersion(r.HTTPVersion))
	}
	took := checks.Milliseconds(time.Duration(r.DurationSeconds * float64(time.Second)))
	return fmt.Sprintf("%s %s  %s in %s", r.Method, name, answer, took)
}

// httpVersion is "2" of "2.0", as people say it.
func httpVersion(v string) string {
	if v == "1.0" {
		return v
	}
	return strings.TrimSuffix(v, ".0")
}

func outcomeColor(o checks.Outcome) string {
	switch o {
	case checks.Pass:
		return "32;1"
	case checks.Degraded:
		return "33;1"
	}
	return "31;1"
}

// anyWorse tells whether a result counts as failed for --fail-on.
func anyWorse(results []checks.Result, failOn string) bool {
	for _, r := range results {
		if r.Outcome == checks.Fail || failOn == "degraded" && r.Outcome == checks.Degraded {
			return true
		}
	}
	return false
}
