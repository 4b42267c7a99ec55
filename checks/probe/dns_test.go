package probe

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/esawatch/esawatch/checks/catalog"
)

// zone is what a name server of a test knows of one name.
type zone struct {
	code   dnsmessage.RCode
	cname  string
	v4, v6 bool // loopback addresses
	silent bool

	linkLocal bool // 169.254.169.254
}

// serveDNS starts a name server on loopback.
func serveDNS(t *testing.T, zones map[string]zone) string {
	t.Helper()
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		b := make([]byte, 1500)
		for {
			n, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			z, ok := zones[strings.TrimSuffix(q.Name.String(), ".")]
			if !ok {
				z.code = dnsmessage.RCodeNameError
			}
			if z.silent {
				continue
			}
			m.Response, m.RCode, m.Additionals = true, z.code, nil
			head := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}
			if z.cname != "" {
				target := dnsmessage.MustNewName(z.cname + ".")
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.CNAMEResource{CNAME: target}})
				head.Name = target
			}
			switch {
			case q.Type == dnsmessage.TypeA && z.v4:
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}})
			case q.Type == dnsmessage.TypeA && z.linkLocal:
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: [4]byte{169, 254, 169, 254}}})
			case q.Type == dnsmessage.TypeAAAA && z.v6:
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: [16]byte{15: 1}}})
			}
			if out, err := m.Pack(); err == nil {
				udp.WriteTo(out, from)
			}
		}
	})
	t.Cleanup(func() { udp.Close(); wg.Wait() })
	return udp.LocalAddr().String()
}

func TestDNS(t *testing.T) {
	server := serveDNS(t, map[string]zone{
		"site.invalid":  {v4: true},
		"esa.invalid":   {cname: "site.a1.initww.com", v4: true},
		"moved.invalid": {cname: "shop.elsewhere.invalid"},
		"gone.invalid":  {cname: "site.a1.initww.com", code: dnsmessage.RCodeNameError},
		"empty.invalid": {},
		"six.invalid":   {v6: true},
		"fail.invalid":  {code: dnsmessage.RCodeServerFailure},
		"deny.invalid":  {code: dnsmessage.RCodeRefused},
		"mute.invalid":  {silent: true},
	})
	site := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(site, "http://"))
	tests := []struct {
		name, family string
		want         string // of the detail; "" = it works
		note         string
		cnames       int
	}{
		{"site.invalid", "any", "", "", 0},
		{"esa.invalid", "4", "", "", 1},
		{"none.invalid", "any", "resolve none.invalid: no such name (NXDOMAIN)", "", 0},
		{"gone.invalid", "any", "no such name (NXDOMAIN)", "cname: site.a1.initww.com (ESA)", 1},
		{"moved.invalid", "any", "the name exists, but has no address", "cname: shop.elsewhere.invalid (no known name of ESA)", 1},
		{"empty.invalid", "any", "the name exists, but has no address", "", 0},
		{"six.invalid", "4", "the name exists, but has no IPv4 address", "addresses: 1 of IPv6 only, such as ::1", 0},
		{"site.invalid", "6", "the name exists, but has no IPv6 address", "addresses: 1 of IPv4 only, such as 127.0.0.1", 0},
		{"fail.invalid", "any", "the name server failed (SERVFAIL)", "name server: " + server, 0},
		{"deny.invalid", "any", "the name server failed (REFUSED)", "name server: " + server, 0},
		{"mute.invalid", "any", "no answer from the name server in time", "name server: " + server, 0},
	}
	for _, version := range []string{"auto", "3"} {
		for _, tt := range tests {
			if version == "3" && tt.want == "" {
				continue // nothing listens on UDP here
			}
			t.Run(tt.name+" "+tt.family+" "+version, func(t *testing.T) {
				t.Parallel()
				url := "http://" + tt.name + ":" + port
				if version == "3" {
					url = "https" + strings.TrimPrefix(url, "http")
				}
				p, err := New(Request{URL: url, IPFamily: tt.family, HTTPVersion: version, Timeout: 600 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				p.nameServer = server
				r := p.Do(t.Context())
				checkSane(t, r)
				if len(r.CNAMEs) != tt.cnames {
					t.Errorf("got aliases %q", r.CNAMEs)
				}
				if tt.want == "" {
					wantCondition(t, r, "", "")
					if r.Phases.Resolve == 0 {
						t.Error("resolving took no time")
					}
					return
				}
				if r.Condition != catalog.DNSFailure || r.Phase != phaseResolve || !strings.Contains(r.Detail, tt.want) {
					t.Errorf("got %q in %q: %s", r.Condition, r.Phase, r.Detail)
				}
				if tt.note != "" {
					wantNote(t, r, tt.note, "")
				}
			})
		}
	}
}

// TestNoNameServer asks a name server that is not there.
func TestNoNameServer(t *testing.T) {
	p, err := New(Request{URL: "http://site.invalid", Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	p.nameServer = closedPort(t)
	r := p.Do(t.Context())
	wantCondition(t, r, catalog.DNSFailure, phaseResolve)
}

func FuzzParseAnswer(f *testing.F) {
	name := dnsmessage.MustNewName("a.invalid.")
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{Response: true},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
		Answers:   []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.CNAMEResource{CNAME: name}}},
	}
	b, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, ok := parseAnswer(b); ok && (len(a.cnames) > cnamesKept || a.name != Printable(a.name, 255)) {
			t.Errorf("got %+v", a)
		}
	})
}
