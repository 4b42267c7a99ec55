package probe

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestEdgeOf(t *testing.T) {
	const eagle = "a3b54e9817588532784852695e"
	const via = "ens-cache1.l2sg7[68,0,DP], ens-cache32.l2vn4[96,0,DP], ens-cache14.vn37[97,0,DP], ens-cache14.vn37[97,0]"
	tests := []struct {
		name   string
		header map[string]string
		want   Edge
	}{
		{"hit", map[string]string{"Server": "ESA", "EagleId": eagle, "Via": via, "X-Site-Cache-Status": "hit"},
			Edge{ViaESA: "yes", RequestID: eagle, NodeIP: "163.181.78.152", POP: "vn37", CacheStatus: "HIT"}},
		{"525 made at the edge", map[string]string{"Server": "ESA", "Proxy-Status": "esa; error=tls_protocol_error; detail=os_error"},
			Edge{ViaESA: "yes", ProxyStatus: "esa; error=tls_protocol_error; detail=os_error"}},
		{"denied", map[string]string{"Server": "ESA", "Via": "ens-cache9.de7[1,0]", "X-Tengine-Error": "denied by http_custom"},
			Edge{ViaESA: "yes", POP: "de7", ErrorToken: "http_custom"}},
		{"tokens of several words", map[string]string{"X-Tengine-Error": "Denied by req auth: no token"}, Edge{ViaESA: "no", ErrorToken: "req auth: no token"}},
		{"token without prefix", map[string]string{"X-Tengine-Error": "non-existent domain"}, Edge{ViaESA: "no", ErrorToken: "non-existent domain"}},
		{"server alone", map[string]string{"Server": "ESA"}, Edge{ViaESA: "possible"}},
		{"id alone", map[string]string{"EagleId": eagle}, Edge{ViaESA: "possible", RequestID: eagle, NodeIP: "163.181.78.152"}},
		{"node alone", map[string]string{"Via": "ens-cache14.vn37[97,0]"}, Edge{ViaESA: "possible", POP: "vn37"}},
		{"cache status alone", map[string]string{"X-Site-Cache-Status": "DYNAMIC"}, Edge{ViaESA: "yes", CacheStatus: "DYNAMIC"}},
		{"the sibling CDN", map[string]string{"Server": "Tengine", "Via": "cache10.l2cn8813[12,0], cache23.cn7404[13,0]", "X-Cache": "HIT TCP_MEM_HIT dirn:11:1"},
			Edge{ViaESA: "no", POP: "cn7404", CacheStatus: "HIT"}},
		{"mixed nodes without times", map[string]string{"Via": "cache10.l2cn8813, ens-cache23.cn7404"}, Edge{ViaESA: "possible", POP: "cn7404"}},
		{"a proxy of ours behind", map[string]string{"Via": "ens-cache14.vn37[97,0], 1.1 squid.corp.test (squid/6)"}, Edge{ViaESA: "possible", POP: "vn37"}},
		{"other proxies", map[string]string{"Server": "nginx", "Via": "1.1 varnish, 1.1 vegur", "Proxy-Status": "ExampleCDN; error=http_protocol_error"},
			Edge{ViaESA: "no", ProxyStatus: "ExampleCDN; error=http_protocol_error"}},
		{"ids that are none", map[string]string{"EagleId": "zzb54e9817588532784852695e"}, Edge{ViaESA: "possible", RequestID: "zzb54e9817588532784852695e"}},
		{"time that is none", map[string]string{"EagleId": "a3b54e980000000000000695e"}, Edge{ViaESA: "possible", RequestID: "a3b54e980000000000000695e"}},
		{"nothing", nil, Edge{ViaESA: "no"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			for name, value := range tt.header {
				h.Set(strings.ToLower(name), value)
			}
			if got := EdgeOf(h); got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestDecodeEagleID(t *testing.T) {
	node, at, ok := decodeEagleID("a3b54e9817588532784852695e")
	if want := time.Date(2025, 9, 26, 2, 21, 18, 485e6, time.UTC); !ok || node.String() != "163.181.78.152" || !at.Equal(want) {
		t.Errorf("got %s at %s, %v; want %s", node, at, ok, want)
	}
}

func TestViaOfSeveralHeaders(t *testing.T) {
	h := http.Header{"Via": {"ens-cache1.l2sg7[68,0,DP]", "ens-cache14.vn37[97,0]"}}
	if got := EdgeOf(h); got.POP != "vn37" {
		t.Errorf("got %+v", got)
	}
}

func FuzzEdgeOf(f *testing.F) {
	f.Add("ESA", "ens-cache1.l2sg7[68,0,DP], ens-cache14.vn37[97,0]", "a3b54e9817588532784852695e", "HIT", "denied by http_custom", "esa; error=x")
	f.Add("", "[[[[,,,,]]]].[", strings.Repeat("a", 10_000), "\x00", "denied by ", "\"esa\"")
	f.Add("esa\t", "cache9.cn1[", "ffffffff9999999999999", "HIT\u202e", "DENIED BY \xff", ";esa")
	f.Fuzz(func(t *testing.T, server, via, id, cache, token, status string) {
		e := EdgeOf(http.Header{"Server": {server}, "Via": {via, via}, "Eagleid": {id},
			"X-Site-Cache-Status": {cache}, "X-Tengine-Error": {token}, "Proxy-Status": {status}})
		v := reflect.ValueOf(e)
		for i := range v.NumField() {
			if s := v.Field(i).String(); len(s) > edgeValueLimit || s != Printable(s, edgeValueLimit) {
				t.Errorf("%s is not fit to be shown: %q", v.Type().Field(i).Name, s)
			}
		}
		if e.ViaESA != ViaYes && e.ViaESA != ViaPossible && e.ViaESA != ViaNo {
			t.Errorf("got via_esa %q", e.ViaESA)
		}
	})
}
