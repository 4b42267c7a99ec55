package agent

import (
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// shownHeaders are the headers whose values commands repeat. Others may hold a
// secret: of them only the names are told.
var shownHeaders = []string{"Host", "Accept", "Accept-Language", "Cache-Control", "Content-Type", "Origin", "User-Agent"}

// askedOf is what a command needs to repeat a request, nil where a plain GET of the
// URL does.
func askedOf(req probe.Request) *catalog.Asked {
	asked := catalog.Asked{Method: req.Method, Body: len(req.Body) > 0, ConnectTo: req.ConnectTo, ServerName: serverName(req)}
	if a := req.Auth; a.BasicPassword != nil || a.Bearer != nil || a.OAuth2 != nil {
		asked.Header = append(asked.Header, "Authorization: "+probe.HiddenValue)
	}
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		value := probe.HiddenValue
		if slices.Contains(shownHeaders, name) {
			value = req.Header.Get(name)
		}
		asked.Header = append(asked.Header, name+": "+value)
	}
	if asked.Header == nil && !asked.Body && asked.ConnectTo == "" && asked.ServerName == "" && (asked.Method == "" || asked.Method == "GET") {
		return nil
	}
	return &asked
}

// serverName is the name that TLS asks for where it is not the URL's host; "" where
// it is.
func serverName(req probe.Request) string {
	if req.TLS.ServerName != "" {
		return req.TLS.ServerName
	}
	host := req.Header.Get("Host")
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}
