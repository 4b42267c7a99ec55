package outbox

import "strings"

// phrases are the sentences of one language, as formats. Each says beside it
// what it is given.
type phrases struct {
	comma, semicolon string

	// Of the summary.
	group     string // condition, checks
	failing   string // site, groups
	recovered string // site, duration, groups
	closed    string // site, duration, groups

	// Of the history.
	fails     string // check, condition
	changes   string // check, former condition, condition
	fault     string // condition, fault domain
	severity  string // severity
	left      string // check
	leftAfter string // check, duration
	allWell   string // check, site, duration
	over      string // duration
	reminder  string // duration
	removed   string // check
	flapping  string // check
	steady    string // check
	muted     string // check
	unmuted   string // check, condition

	certificate string // check, duration

	// Of a digest.
	storm      string // how it stands, groups
	counted    string // condition, how many checks
	came       string // how many, sites
	joined     string // how many, sites
	ended      string // how many, sites
	allEnded   string // how many, duration
	altered    string // how many, sites
	stillOpen  string // duration, how many, of how many
	seenFrom   string // location
	atPOP      string // POP
	edgeAnswer string
}

// phrasesFor gives the phrases of a language: "zh", else English.
func phrasesFor(lang string) phrases {
	if strings.HasPrefix(lang, "zh") {
		return chinese()
	}
	return english()
}

func english() phrases {
	return phrases{
		comma: ", ", semicolon: "; ",

		group:     "%s on %s",
		failing:   "%s: %s",
		recovered: "%s recovered after %s: %s",
		closed:    "%s is no longer watched, after %s: %s",

		fails:     "%s: %s",
		changes:   "%s: %s → %s",
		fault:     "%s (%s)",
		severity:  "the severity is now %s",
		left:      "%s recovered",
		leftAfter: "%s recovered after %s",
		allWell:   "%s recovered: %s is well again after %s",
		over:      "closed after %s: no check of it is left",
		reminder:  "still failing after %s",
		removed:   "%s left the configuration",
		flapping:  "%s fails and recovers again and again: no more is told of it until it is steady",
		steady:    "%s is steady again",
		muted:     "%s is muted by a silence or a maintenance",
		unmuted:   "%s is no longer muted: %s",

		certificate: "%s: the certificate expires in %s",

		storm: "%s: %s", counted: "%s (%d)",
		came: "incidents: %d (%s)", joined: "more incidents: %d (%s)", ended: "over: %d (%s)", altered: "changed: %d (%s)",
		allEnded: "all %d incidents are over, after %s", stillOpen: "still failing after %s: %d of %d",
		seenFrom: "seen from %s", atPOP: "POP %s", edgeAnswer: "answered by ESA itself",
	}
}

func chinese() phrases {
	return phrases{
		comma: "、", semicolon: "；",

		group:     "%s（检查项 %s）",
		failing:   "%s：%s",
		recovered: "%s 已恢复，历时 %s：%s",
		closed:    "%s 不再监控，历时 %s：%s",

		fails:     "%s：%s",
		changes:   "%s：%s → %s",
		fault:     "%s（%s）",
		severity:  "级别现为%s",
		left:      "%s 已恢复",
		leftAfter: "%s 已恢复，历时 %s",
		allWell:   "%s 已恢复：%s 全部正常，历时 %s",
		over:      "事件关闭，历时 %s：已无相关检查项",
		reminder:  "仍未恢复，已持续 %s",
		removed:   "%s 已从配置中移除",
		flapping:  "%s 状态反复变化，恢复稳定前不再逐次通知",
		steady:    "%s 已恢复稳定",
		muted:     "%s 已被静默或维护窗口屏蔽",
		unmuted:   "%s 不再被屏蔽：%s",

		certificate: "%s：证书将在 %s 后过期",

		storm: "%s：%s", counted: "%s（%d）",
		came: "发生 %d 起事件（%s）", joined: "新增 %d 起事件（%s）", ended: "%d 起已恢复（%s）", altered: "%d 起有变化（%s）",
		allEnded: "%d 起事件已全部恢复，历时 %s", stillOpen: "已持续 %s，仍未恢复：%d 起，共 %d 起",
		seenFrom: "探测点 %s", atPOP: "节点 %s", edgeAnswer: "均由 ESA 自身应答",
	}
}
