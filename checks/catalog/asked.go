package catalog

import (
	"cmp"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Asked is how the request of a leg is other than a plain GET of its URL, as far
// as a command that repeats it has to say so. Nothing in it is secret.
type Asked struct {
	Method     string   // "" = GET
	Body       bool     // the request has one
	Header     []string // "Name: value" each
	ConnectTo  string   // HOST:PORT that is dialled in place of the URL's
	ServerName string   // that TLS asks for in place of the URL's host
}

// manner is how much of the request a command has to be given.
type manner uint8

const (
	noManner manner = iota
	whole           // it repeats the request
	place           // it sends something else there, on purpose
)

// ownRequest are the options of curl by which a command says itself what it sends.
var ownRequest = []string{" -X ", " -G ", " -d ", " --data "}

// mannerOf is that of a command, up to its URL.
func mannerOf(command string) manner {
	if !strings.Contains(command, "curl ") {
		return noManner
	}
	for _, option := range ownRequest {
		if strings.Contains(command, option) {
			return place
		}
	}
	return whole
}

// flags are the options with which curl sends the same, or something else to the
// same place, each followed by a space; "" for nil. BODY is a word to be replaced
// by hand.
func (a *Asked) flags(m manner) string {
	if a == nil || m == noManner {
		return ""
	}
	var b strings.Builder
	option := func(name, value string) {
		if word := shellWord(value); word != "" {
			b.WriteString(name + " " + word + " ")
		}
	}
	if m == whole {
		switch method := cmp.Or(a.Method, "GET"); {
		case method == "HEAD" && !a.Body:
			b.WriteString("-I ")
		case method != "GET" || a.Body:
			option("-X", method)
		}
	}
	for _, line := range a.Header {
		if m == whole || !strings.HasPrefix(line, "Content-") {
			option("-H", line)
		}
	}
	if a.Body && m == whole {
		b.WriteString("--data-binary @BODY ")
	}
	if a.ConnectTo != "" {
		option("--connect-to", "::"+a.ConnectTo)
	}
	return b.String()
}

// atServer is the URL and the request with the name that TLS asks for as the URL's
// host: curl takes it from nowhere else.
func (a *Asked) atServer(rawURL string) (string, *Asked) {
	u, err := url.Parse(rawURL)
	if a == nil || err != nil || u.Scheme != "https" || a.ServerName == "" || strings.EqualFold(a.ServerName, u.Hostname()) {
		return rawURL, a
	}
	moved := *a
	if moved.ConnectTo == "" {
		host, port := splitAddr(u.Host, u.Scheme)
		moved.ConnectTo = net.JoinHostPort(host, port)
	}
	host := "Host: " + u.Host
	moved.Header = slices.Clone(a.Header)
	if at := slices.IndexFunc(moved.Header, func(line string) bool { return strings.HasPrefix(line, "Host: ") }); at >= 0 {
		host = moved.Header[at]
		moved.Header = slices.Delete(moved.Header, at, at+1)
	}
	if host != "Host: "+a.ServerName {
		moved.Header = append(moved.Header, host)
	}
	u.Host = a.ServerName
	return u.String(), &moved
}
