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

	// Of several locations. The first are lines of evidence, with their label.
	seenBy     string // locations, how many, of how many
	placePOP   string // location, POP
	everywhere string
	onePlace   string
	onePOP     string // POP
	oneRegion  string // region
	somePlaces string
	single     string // location
	spread     string // check, location, how many, of how many
	shared     string // location
	merged     string // site, how it goes on, groups
	into       string // incident
	unseen     string
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

		seenBy: "seen from: %s, %d of %d locations", placePOP: "%s (POP %s)",
		everywhere: "pattern: everywhere, so look at the origin, or at ESA as a whole",
		onePlace:   "pattern: one place, so look at its route to ESA and at the POP that answers it",
		onePOP:     "pattern: one POP, %s, and no other",
		oneRegion:  "pattern: all of region %s and nowhere else, so look at the routes and POPs there, and at the region that the site is served in",
		somePlaces: "pattern: some places and not others, so compare their POPs",
		single:     "single view: %s is cut off from the other agents, so nobody else was asked",
		spread:     "%s fails from %s too: %d of %d locations",
		shared:     "%s told it while it was cut off; from here on all agents do",
		merged:     "%s: %s (%s)",
		into:       "it goes on as incident %s, which the other agents tell",
		unseen:     "the agent is no longer cut off, and no other sees it",
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

		seenBy: "探测点: %s，%[3]d 个探测点中的 %[2]d 个", placePOP: "%s（POP %s）",
		everywhere: "分布: 所有探测点均失败，请检查源站或 ESA 整体",
		onePlace:   "分布: 仅一个探测点失败，请检查其到 ESA 的线路及应答的 POP",
		onePOP:     "分布: 仅 POP %s 失败",
		oneRegion:  "分布: 仅区域 %s 全部失败，请检查该区域的线路、POP 及站点的服务区域",
		somePlaces: "分布: 部分探测点失败，请比较其 POP",
		single:     "单点视角: %s 与其他探测点失去联系，未能向它们求证",
		spread:     "%s 在 %s 也失败：%[4]d 个探测点中的 %[3]d 个",
		shared:     "%s 曾在失联期间单独告警，此后由所有探测点共同处理",
		merged:     "%s：%s（%s）",
		into:       "并入事件 %s，由其他探测点继续通知",
		unseen:     "探测点已恢复联系，其他探测点未见该故障",
	}
}
