package catalog

import "strings"

// Asked is how the request of a leg is other than a plain GET of its URL, as far
// as a command that repeats it has to say so. Nothing in it is secret.
type Asked struct {
	Method     string   // "" = GET
	Body       bool     // the request has one
	Header     []string // "Name: value" each
	ConnectTo  string   // HOST:PORT that is dialled in place of the URL's; "" for an origin, as steps name its address
	ServerName string   // that TLS asks for in place of the URL's host
}

// ownRequest are the options of curl by which a command says itself what it sends.
var ownRequest = []string{" -X ", " -G ", " -d ", " --data "}

// repeats tells whether a command, up to its URL, is one that repeats the request.
func repeats(command string) bool {
	if !strings.Contains(command, "curl ") {
		return false
	}
	for _, option := range ownRequest {
		if strings.Contains(command, option) {
			return false
		}
	}
	return true
}

// flags are the options with which curl sends the same, each followed by a space;
// "" for nil. BODY is a word to be replaced by hand.
func (a *Asked) flags() string {
	if a == nil {
		return ""
	}
	var b strings.Builder
	option := func(name, value string) {
		if word := shellWord(value); word != "" {
			b.WriteString(name + " " + word + " ")
		}
	}
	switch a.Method {
	case "", "GET":
	case "HEAD":
		b.WriteString("-I ")
	default:
		option("-X", a.Method)
	}
	for _, line := range a.Header {
		option("-H", line)
	}
	if a.Body {
		b.WriteString("--data-binary @BODY ")
	}
	if a.ConnectTo != "" {
		option("--connect-to", "::"+a.ConnectTo)
	}
	return b.String()
}
