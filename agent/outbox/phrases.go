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
		flapping:  "%s changes too often to tell each time",
		steady:    "%s is steady again",
		muted:     "%s is muted by a silence or a maintenance",
		unmuted:   "%s is no longer muted: %s",

		certificate: "%s: the certificate expires in %s",
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
		flapping:  "%s 状态变化过于频繁，不再逐次通知",
		steady:    "%s 已恢复稳定",
		muted:     "%s 已被静默或维护窗口屏蔽",
		unmuted:   "%s 不再被屏蔽：%s",

		certificate: "%s：证书将在 %s 后过期",
	}
}
