package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/esawatch/esawatch/checks/catalog"
)

// catalogList is the catalog, or what of it fits a query.
type catalogList struct {
	W       *catalogWords
	Query   string
	Lang    string
	Other   langLink
	Target  string // of the form
	Entries []catalogRow
	Total   int
	Limits  string
}

type catalogRow struct {
	catalog.View
	Link  string
	Look  look
	Fault string
}

// catalogEntry is one condition.
type catalogEntry struct {
	W *catalogWords
	catalogRow
	Other    langLink
	Fallback string // the entry that lends its words, "" when it has its own
	Back     string
}

// langLink leads to the same page in the other language.
type langLink struct{ Lang, Name, Link string }

// catalogWords are the pages' own words in one language.
type catalogWords struct {
	Title, Search, Submit, Clear, Condition, Meaning, Fault, Owner, Severity, Steps string
	Doc, Runbook, Retry, NoRetry, None, Found, All, Lent                            string
}

func wordsOf(lang string) *catalogWords {
	if lang == "zh" {
		return &catalogWords{
			Title: "错误目录", Search: "搜索状态码、名称或处理步骤", Submit: "搜索", Clear: "清除",
			Condition: "状况", Meaning: "含义", Fault: "故障域", Owner: "负责方", Severity: "严重程度", Steps: "处理步骤",
			Doc: "ESA 文档", Runbook: "运行手册", Retry: "可立即重试", NoRetry: "立即重试没有意义",
			None: "没有匹配的条目。", Found: "%d / %d 个条目", All: "全部条目", Lent: "该状态码没有单独的条目，以下为通用说明",
		}
	}
	return &catalogWords{
		Title: "Catalog", Search: "Search by code, name or what to do", Submit: "Search", Clear: "Clear",
		Condition: "Condition", Meaning: "Meaning", Fault: "Fault domain", Owner: "Owner", Severity: "Severity", Steps: "What to do",
		Doc: "ESA documentation", Runbook: "Runbook", Retry: "Worth asking again at once", NoRetry: "Asking again at once will not help",
		None: "No entry matches.", Found: "%d of %d entries", All: "All entries", Lent: "This code has no entry of its own. These are the words for all like it",
	}
}

// langFrom is the language that a request asks for.
func langFrom(r *http.Request) string {
	if r.URL.Query().Get("lang") == "zh" {
		return "zh"
	}
	return "en"
}

// withLang is a link that keeps the language.
func withLang(link, lang string) string {
	if lang == "zh" {
		return link + "?lang=zh"
	}
	return link
}

func otherLang(link, lang string) langLink {
	if lang == "zh" {
		return langLink{"en", "English", link}
	}
	return langLink{"zh", "中文", withLang(link, "zh")}
}

// found lists the entries that fit a query, in either language: first what it
// names, then what it is only mentioned in.
func found(cat *catalog.Catalog, query, lang string) []catalog.View {
	type hit struct {
		view catalog.View
		rank int
	}
	var hits []hit
	word := strings.ToLower(strings.TrimSpace(query))
	for _, c := range cat.Conditions() {
		view := cat.View(c, lang)
		en, zh := cat.View(c, "en"), cat.View(c, "zh")
		name := string(c) + " " + en.Title + " " + zh.Title
		rank := 3
		switch {
		case string(c) == word:
			rank = 0
		case strings.HasPrefix(string(c), word):
			rank = 1
		case matches(word, name):
			rank = 2
		case !matches(word, strings.Join(slices.Concat([]string{name, string(en.Fault), faultWord(en.Fault),
			string(en.Severity), en.Owner, zh.Owner, en.Summary, zh.Summary}, en.Steps, zh.Steps), " ")):
			continue
		}
		hits = append(hits, hit{view, rank})
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(a.rank, b.rank) })
	views := make([]catalog.View, len(hits))
	for i, h := range hits {
		views[i] = h.view
	}
	return views
}

func (s *Server) catalogList(w http.ResponseWriter, r *http.Request) {
	lang := langFrom(r)
	words := wordsOf(lang)
	p := s.begin(r, "catalog", words.Title)
	p.Lang = lang
	v := catalogList{
		W: words, Query: clip(strings.TrimSpace(r.URL.Query().Get("q")), 100), Lang: lang,
		Target: p.Catalog(), Other: otherLang(p.Catalog(), lang), Total: len(p.content.Catalog.Conditions()),
	}
	for _, view := range found(p.content.Catalog, v.Query, lang) {
		v.Entries = append(v.Entries, p.catalogRowOf(view, lang))
	}
	v.Limits = fmt.Sprintf(words.Found, len(v.Entries), v.Total)
	p.Body = &v
	s.write(w, r, http.StatusOK, "catalog", p)
}

func (p *page) catalogRowOf(view catalog.View, lang string) catalogRow {
	row := catalogRow{View: view, Link: withLang(p.Root.to("catalog", string(view.Condition)), lang),
		Look: severityLook(view.Severity), Fault: faultWord(view.Fault)}
	if lang == "zh" {
		row.Look.Word, row.Fault = severityZh(view.Severity), faultZh(view.Fault)
	}
	return row
}

// severityZh is a severity in Chinese.
func severityZh(s catalog.Severity) string {
	switch s {
	case catalog.Info:
		return "提示"
	case catalog.Warning:
		return "警告"
	case catalog.Critical:
		return "严重"
	}
	return string(s)
}

// faultZh is a fault domain in Chinese.
func faultZh(f catalog.Fault) string {
	switch f {
	case catalog.FaultClient:
		return "客户端"
	case catalog.FaultOrigin:
		return "源站"
	case catalog.FaultOriginLink:
		return "回源链路"
	case catalog.FaultFunction:
		return "边缘函数"
	case catalog.FaultSecurity:
		return "安全规则"
	case catalog.FaultPlatform:
		return "ESA 平台"
	case catalog.FaultNetwork:
		return "网络"
	case catalog.FaultContent:
		return "内容"
	}
	return strings.ToUpper(string(f)) // DNS, TLS
}

func (s *Server) catalogEntry(w http.ResponseWriter, r *http.Request) {
	lang, code := langFrom(r), r.PathValue("code")
	words := wordsOf(lang)
	p := s.begin(r, "catalog", code)
	p.Lang = lang
	condition := catalog.Condition(strings.ToLower(code))
	_, own := p.content.Catalog.Entry(condition)
	if !own && condition.StatusCode() == 0 {
		s.missing(w, r, fmt.Sprintf("The catalog has no condition %.64q.", code), withLang(p.Catalog(), lang), "The whole catalog")
		return
	}
	view := p.content.Catalog.View(condition, lang)
	v := catalogEntry{
		W: words, catalogRow: p.catalogRowOf(view, lang),
		Other: otherLang(p.Root.to("catalog", string(condition)), lang), Back: withLang(p.Catalog(), lang),
	}
	if !own {
		v.Fallback = words.Lent
	}
	p.Title = headline(condition, view.Title)
	p.Body = &v
	s.write(w, r, http.StatusOK, "entry", p)
}

// clip cuts a text to at most n characters.
func clip(s string, n int) string {
	runes := []rune(s)
	return string(runes[:min(len(runes), n)])
}
