package probe

import (
	"encoding/hex"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// How surely an answer came through ESA.
const (
	ViaYes      = "yes"
	ViaPossible = "possible"
	ViaNo       = "no"
)

// edgeValueLimit bounds each value of an Edge, in bytes.
const edgeValueLimit = 128

// EdgeOf reads what the headers of an answer say of the edge that served it.
func EdgeOf(h http.Header) Edge {
	e := Edge{
		RequestID:   edgeValue(h.Get("EagleId")),
		CacheStatus: cacheStatus(h),
		ErrorToken:  errorToken(h.Get("X-Tengine-Error")),
		ProxyStatus: edgeValue(h.Get("Proxy-Status")),
	}
	if ip, _, ok := decodeEagleID(h.Get("EagleId")); ok {
		e.NodeIP = ip.String()
	}
	via := viaNodes(h)
	e.POP = via.pop
	e.ViaESA = viaESA(h, via.ens)
	return e
}

// viaESA weighs the traces that ESA leaves. Its own cache header, its own
// Proxy-Status, or two of its general traces together are proof; a single
// general trace may come from one of Alibaba's other networks or from an origin
// that copies headers.
func viaESA(h http.Header, ensNode bool) string {
	server := strings.EqualFold(strings.TrimSpace(h.Get("Server")), "ESA")
	eagle := h.Get("EagleId") != ""
	switch {
	case h.Get("X-Site-Cache-Status") != "",
		proxyStatusOfESA(h.Get("Proxy-Status")),
		server && (eagle || ensNode):
		return ViaYes
	case server, eagle, ensNode:
		return ViaPossible
	}
	return ViaNo
}

// proxyStatusOfESA tells whether the first member of a Proxy-Status list names
// ESA. The value was seen with a parameter that RFC 9209 does not know and with
// text that is not quoted, so it is read without a parser.
func proxyStatusOfESA(v string) bool {
	name, _, _ := strings.Cut(v, ";")
	name, _, _ = strings.Cut(name, ",")
	return strings.EqualFold(strings.Trim(name, " \t\""), "esa")
}

// decodeEagleID reads the serving node and the time out of an EagleId: eight
// hexadecimal digits of an IPv4 address, thirteen digits of milliseconds since
// 1970, and a tail.
func decodeEagleID(id string) (node netip.Addr, at time.Time, ok bool) {
	const ipLen, timeLen = 8, 13
	if len(id) < ipLen+timeLen || len(id) > 32 {
		return node, at, false
	}
	var raw [4]byte
	if _, err := hex.Decode(raw[:], []byte(id[:ipLen])); err != nil {
		return node, at, false
	}
	ms, err := strconv.ParseUint(id[ipLen:ipLen+timeLen], 10, 63)
	if err != nil {
		return node, at, false
	}
	node, at = netip.AddrFrom4(raw), time.UnixMilli(int64(ms)).UTC()
	if node.IsUnspecified() || at.Year() < 2010 || at.Year() > 2100 {
		return netip.Addr{}, time.Time{}, false
	}
	return node, at, true
}

// viaTrace is what a Via header says of Alibaba's nodes.
type viaTrace struct {
	pop string // of the last node, the one nearest to us
	ens bool   // one of ESA's own nodes took part
}

// viaNodes reads nodes like "ens-cache14.vn37[97,0]" out of Via, whose entries
// carry commas in brackets. Entries of other proxies are passed over.
func viaNodes(h http.Header) (t viaTrace) {
	left := 64 // no real chain is longer
	for _, line := range h.Values("Via") {
		for line != "" && left > 0 {
			left--
			var entry string
			entry, line = cutEntry(line)
			name, _, _ := strings.Cut(strings.TrimSpace(entry), "[")
			node, pop, ok := strings.Cut(strings.TrimSpace(name), ".")
			if !ok || !isNode(node) || !isPOP(pop) {
				continue
			}
			t.pop = strings.ToLower(pop)
			t.ens = t.ens || strings.HasPrefix(strings.ToLower(node), "ens-")
		}
	}
	return t
}

// cutEntry splits a list at its first comma outside brackets.
func cutEntry(s string) (entry, rest string) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		case ',':
			if depth <= 0 {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}

// isNode knows the names of Alibaba's nodes: ens-cache1, cache10, vcache3, kunlun7.
func isNode(s string) bool {
	kind := strings.ToLower(strings.TrimRight(s, "0123456789"))
	switch kind {
	case "ens-cache", "ens-vcache", "cache", "vcache", "kunlun":
		return len(kind) < len(s)
	}
	return false
}

// isPOP knows codes such as vn37, l2sg7, cn7404: letters, then digits.
func isPOP(s string) bool {
	if len(s) < 2 || len(s) > 16 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// cacheStatus is ESA's own verdict, or the first word of the one that
// Alibaba's older networks give ("HIT TCP_MEM_HIT dirn:11:…").
func cacheStatus(h http.Header) string {
	v := h.Get("X-Site-Cache-Status")
	if v == "" {
		v = h.Get("X-Cache")
	}
	if fields := strings.Fields(v); len(fields) > 0 {
		return edgeValue(strings.ToUpper(fields[0]))
	}
	return ""
}

// errorToken is the rule module in "denied by TOKEN".
func errorToken(v string) string {
	const prefix = "denied by "
	v = strings.TrimSpace(v)
	if len(v) >= len(prefix) && strings.EqualFold(v[:len(prefix)], prefix) {
		v = strings.TrimSpace(v[len(prefix):])
	}
	return edgeValue(v)
}

// edgeValue makes a header's value fit to be shown and stored.
func edgeValue(v string) string {
	return Printable(strings.TrimSpace(v), edgeValueLimit)
}
