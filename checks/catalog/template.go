package catalog

import (
	"cmp"
	"strings"
	"unicode"
)

// A fact is something known about one run that the catalog's sentences may
// name, written {host} in the YAML files.
type fact uint8

const (
	noFact fact = iota
	factHost
	factHostPort
	factURL
	factFromURL
	factOrigin
	factOriginHost
	factOriginPort
	factOriginURL
	factServerName
	factOriginServerName
	factRequestID
	factPOP
	factNodeIP
	factCacheStatus
	factAge
	factErrorToken
	factProxyError
	factEdgeCondition
	factOriginCondition
	factOriginStatus
	factOriginMs
	numFacts
)

// factNames are the facts as the YAML files write them. The words that stand
// in for an unknown one are in words.yaml.
var factNames = [numFacts]string{
	factHost:             "host",
	factHostPort:         "host_port",
	factURL:              "url",
	factFromURL:          "from_url",
	factOrigin:           "origin",
	factOriginHost:       "origin_host",
	factOriginPort:       "origin_port",
	factOriginURL:        "origin_url",
	factServerName:       "server_name",
	factOriginServerName: "origin_server_name",
	factRequestID:        "request_id",
	factPOP:              "pop",
	factNodeIP:           "node_ip",
	factCacheStatus:      "cache_status",
	factAge:              "age",
	factErrorToken:       "error_token",
	factProxyError:       "proxy_error",
	factEdgeCondition:    "edge_condition",
	factOriginCondition:  "origin_condition",
	factOriginStatus:     "origin_status",
	factOriginMs:         "origin_ms",
}

func factByName(name string) fact {
	for f := noFact + 1; f < numFacts; f++ {
		if factNames[f] == name {
			return f
		}
	}
	return noFact
}

// facts are the values of one run; "" is unknown.
type facts struct {
	known [numFacts]string
	// inCommand stands in a command for one that is not known, where the run
	// allows a better guess than the general words.
	inCommand [numFacts]string
	// asked is how a URL was asked for, and curled how curl has to be told it; "" =
	// as it is known.
	asked  [numFacts]*Asked
	curled [numFacts]string
}

// A template is a sentence with the places of its facts found beforehand.
type template struct {
	source string
	parts  []part
}

// part is either text or a fact. A fact between backticks stands in a command,
// where somebody will paste it into a shell; the command may be one that asks
// for a URL.
type part struct {
	text    string
	fact    fact
	command bool
	manner  manner
}

// compile finds the facts in s and returns the names in braces that are none.
// Those stay as they are: a user's own step may well hold braces.
func compile(s string) (t template, unknown []string) {
	t.source = s
	text, command, opened := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '`':
			command, opened = !command, i+1
		case '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				continue
			}
			name := s[i+1 : i+end]
			f := factByName(name)
			if f == noFact {
				unknown = append(unknown, name)
				continue
			}
			if text < i {
				t.parts = append(t.parts, part{text: s[text:i]})
			}
			t.parts = append(t.parts, part{fact: f, command: command, manner: mannerIn(command, s[opened:i])})
			i += end
			text = i + 1
		}
	}
	if text < len(s) {
		t.parts = append(t.parts, part{text: s[text:]})
	}
	return t, unknown
}

// mannerIn is the manner of a fact that stands behind text.
func mannerIn(command bool, text string) manner {
	if !command {
		return noManner
	}
	return mannerOf(text)
}

// fill writes the sentence with its facts in one pass, so that braces in a
// value mean nothing.
func (t template) fill(f *facts, w *words, l lang) string {
	if len(t.parts) == 1 && t.parts[0].fact == noFact {
		return t.source
	}
	var b strings.Builder
	b.Grow(len(t.source) + 64)
	for _, p := range t.parts {
		switch {
		case p.fact == noFact:
			b.WriteString(p.text)
		case p.command:
			known := f.known[p.fact]
			if p.manner != noManner {
				b.WriteString(f.asked[p.fact].flags(p.manner))
				known = cmp.Or(f.curled[p.fact], known)
			}
			b.WriteString(cmp.Or(shellWord(known), f.inCommand[p.fact], w.unknownInCommand[p.fact]))
		default:
			if v := f.known[p.fact]; v != "" {
				b.WriteString(proseWord(v))
			} else {
				b.WriteString(w.unknown[p.fact][l])
			}
		}
	}
	return b.String()
}

// proseWord keeps a value from opening a code span in the sentence around it.
func proseWord(v string) string {
	if strings.IndexByte(v, '`') < 0 {
		return v
	}
	return strings.ReplaceAll(v, "`", "'")
}

// shellWord writes v as part of one word of a POSIX shell command, whatever v
// holds: some values come from servers, and the command will be pasted. It is
// "" for a value that cannot stand in a command: one that would read as an
// option, that would end the code span, or that holds what a terminal does not
// show.
func shellWord(v string) string {
	if v == "" || v[0] == '-' {
		return ""
	}
	quote := false
	for _, r := range v {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("._:/-,+@%", r):
		case r == '`', r == unicode.ReplacementChar, !unicode.IsPrint(r):
			return ""
		default:
			quote = true
		}
	}
	if !quote {
		return v
	}
	return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'"
}
