package notify

import (
	"fmt"
	"strings"
	"time"
)

// Words are the fixed words of a message in one language. What comes from the
// catalog and the events is worded before it gets here.
type Words struct {
	Failing, Resolved, Removed, Merged, Updated, Test string // states

	Where, Owner, Since, Lasted, Location, Site  string // labels of facts
	Verdict, Evidence, Steps, Happened, Seen     string // labels of parts
	Runbook, Docs, Catalog, StatusPage, Incident string // labels of links
	On, Comma, Semicolon, Colon, Open, Close     string // glue
	Clause                                       string // between clauses, as Comma is between the items of a list
	ForCheck, Shortened, PlainOnly, StillFailing string
	InCommon, Flapping, flaps                    string
	severities, faults                           map[string]string
	day, hour, minute, second                    string
	under, after, atUpdate, moreOf               string
	atOnce, someOpen, allOver                    string
}

// WordsFor gives the words of a language: "zh", else English.
func WordsFor(lang string) Words {
	if strings.HasPrefix(lang, "zh") {
		return chinese()
	}
	return english()
}

func english() Words {
	return Words{
		Failing: "is failing", Resolved: "resolved", Removed: "no longer monitored", Merged: "taken over", Updated: "update", Test: "TEST",
		Where: "Where", Owner: "Owner", Since: "Since", Lasted: "Lasted", Location: "Seen from", Site: "Site",
		Verdict: "Verdict", Evidence: "Evidence", Steps: "What to do", Happened: "What happened", Seen: "also seen",
		Runbook: "Runbook", Docs: "ESA docs", Catalog: "Catalog entry", StatusPage: "Status page", Incident: "Incident",
		On: " on ", Comma: ", ", Clause: ", ", Semicolon: "; ", Colon: ": ", Open: " (", Close: ")",
		ForCheck: "check", Shortened: "Shortened to fit; the status page has it all.",
		PlainOnly:    "The receiver refused the full message; this is its short form.",
		StillFailing: "still failing", Flapping: "flapping: silent until it is steady", flaps: "flapping", InCommon: "In common",
		atOnce: "%d incidents at once", someOpen: "%d of %d incidents still open", allOver: "%d incidents",
		severities: map[string]string{"info": "info", "warning": "warning", "critical": "critical"},
		faults: map[string]string{"client": "client", "origin": "origin", "origin_link": "origin link", "dns": "DNS", "tls": "TLS",
			"function": "edge function", "security": "security rules", "platform": "ESA platform", "network": "network", "content": "content"},
		day: " d", hour: " h", minute: " min", second: " s", under: "under 1 s", after: "after %s", atUpdate: "%s at this update", moreOf: "%d more",
	}
}

func chinese() Words {
	return Words{
		Failing: "故障", Resolved: "已恢复", Removed: "不再监控", Merged: "已并入", Updated: "更新", Test: "测试",
		Where: "故障位置", Owner: "负责方", Since: "开始时间", Lasted: "持续时间", Location: "探测点", Site: "站点",
		Verdict: "判断", Evidence: "证据", Steps: "处理步骤", Happened: "发生了什么", Seen: "还出现过",
		Runbook: "运维手册", Docs: "ESA 文档", Catalog: "状况说明", StatusPage: "状态页", Incident: "事件",
		On: "，检查项 ", Comma: "、", Clause: "，", Semicolon: "；", Colon: "：", Open: "（", Close: "）",
		ForCheck: "检查项", Shortened: "内容过长已缩略，完整内容见状态页。",
		PlainOnly:    "接收方拒绝了完整消息，以下为简短版本。",
		StillFailing: "仍未恢复", Flapping: "状态反复变化，稳定前不再逐次通知", flaps: "状态反复", InCommon: "共同点",
		atOnce: "同时发生 %d 起事件", someOpen: "%[2]d 起事件中 %[1]d 起仍未恢复", allOver: "%d 起事件",
		severities: map[string]string{"info": "提示", "warning": "警告", "critical": "严重"},
		faults: map[string]string{"client": "客户端", "origin": "源站", "origin_link": "回源链路", "dns": "DNS", "tls": "TLS",
			"function": "边缘函数", "security": "安全规则", "platform": "ESA 平台", "network": "网络", "content": "内容"},
		day: " 天", hour: " 小时", minute: " 分", second: " 秒", under: "不到 1 秒", after: "历时 %s", atUpdate: "更新时已持续 %s", moreOf: "另有 %d 项",
	}
}

// State is what to call the incident's state: its severity while it fires, and
// that it flaps where nothing in it is steady; else how it ended.
func (w Words) State(n Notification) string {
	switch {
	case n.Firing && n.flaps():
		return w.Severity(n.Severity) + w.Comma + w.flaps
	case n.Firing:
		return w.Severity(n.Severity)
	case n.Reason == "removed":
		return w.Removed
	case n.Reason == "merged":
		return w.Merged
	}
	return w.Resolved
}

// Severity names a severity; an unknown one names itself.
func (w Words) Severity(s string) string {
	if name, ok := w.severities[s]; ok {
		return name
	}
	return Line(s, 20)
}

// Fault names a fault domain; an unknown one names itself.
func (w Words) Fault(f string) string {
	if name, ok := w.faults[f]; ok {
		return name
	}
	return Line(f, 40)
}

// More says that n things are left out: "7 more".
func (w Words) More(n int) string { return fmt.Sprintf(w.moreOf, n) }

// Incidents says how a digest of n incidents stands, of which some are over:
// "14 incidents at once", "2 of 14 incidents still open", "14 incidents".
func (w Words) Incidents(n, over int) string {
	switch {
	case over == 0:
		return fmt.Sprintf(w.atOnce, n)
	case over < n:
		return fmt.Sprintf(w.someOpen, n-over, n)
	}
	return fmt.Sprintf(w.allOver, n)
}

// After says how long something went on: "after 4 min 10 s".
func (w Words) After(d time.Duration) string { return fmt.Sprintf(w.after, w.Duration(d)) }

// AtUpdate says how long something has gone on, in a message that may be read
// later: "4 min 10 s at this update".
func (w Words) AtUpdate(d time.Duration) string { return fmt.Sprintf(w.atUpdate, w.Duration(d)) }

// Duration is d in its two largest units: "12 s", "4 min 10 s", "3 h 5 min", "2 d 4 h".
func (w Words) Duration(d time.Duration) string {
	if d < time.Second {
		return w.under
	}
	s := int64(d / time.Second)
	parts := []struct {
		n    int64
		unit string
	}{{s / 86400, w.day}, {s / 3600 % 24, w.hour}, {s / 60 % 60, w.minute}, {s % 60, w.second}}
	for i, p := range parts {
		if p.n == 0 {
			continue
		}
		text := fmt.Sprint(p.n) + p.unit
		if i+1 < len(parts) && parts[i+1].n > 0 {
			text += fmt.Sprintf(" %d%s", parts[i+1].n, parts[i+1].unit)
		}
		return text
	}
	return w.under
}
