package main

// languages are the values of --lang.
var languages = []string{"en", "zh"}

// labels are the few words around an entry of the catalog, or a diagnosis.
type labels struct {
	fault, where, owner, severity, verdict, doc, runbook string
	evidence, steps                                      string
}

var labelsIn = map[string]labels{
	"en": {
		fault: "fault", where: "where", owner: "owner", severity: "severity", verdict: "verdict", doc: "more", runbook: "runbook",
		evidence: "Evidence", steps: "What to do first",
	},
	"zh": {
		fault: "故障域", where: "故障位置", owner: "负责方", severity: "严重级别", verdict: "判断", doc: "文档", runbook: "运维手册",
		evidence: "证据", steps: "先做什么",
	},
}
