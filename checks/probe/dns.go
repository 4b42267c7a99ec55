package probe

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/esawatch/esawatch/checks/catalog"
)

// lookupLog is what the name servers said during a run. Go's own errors tell
// neither an absent name from one without addresses nor which server failed.
type lookupLog struct {
	mu      sync.Mutex
	servers []string // asked, without repetition
	answers []dnsAnswer
}

// dnsAnswer is the part of an answer that explains a failure.
type dnsAnswer struct {
	server string
	name   string // asked for, without the final dot
	kind   dnsmessage.Type
	code   dnsmessage.RCode
	cnames []string // aliases in their order
}

const (
	dnsAnswersKept = 16
	cnamesKept     = 8
)

// dialNameServer is the resolver's way to its servers: it listens in.
func (m *manner) dialNameServer(ctx context.Context, network, address string) (net.Conn, error) {
	if m.nameServer != "" {
		address = m.nameServer
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	r, ok := ctx.Value(runKey{}).(*run)
	if !ok {
		return c, err
	}
	r.dns.asked(address)
	// TCP follows only when an answer was too long, and that says enough.
	if udp, ok := c.(*net.UDPConn); ok {
		return &nameServerConn{udp, address, &r.dns}, nil
	}
	return c, err
}

// nameServerConn passes on datagrams and reads along.
type nameServerConn struct {
	*net.UDPConn
	server string
	log    *lookupLog
}

func (c *nameServerConn) Read(b []byte) (int, error) {
	n, err := c.UDPConn.Read(b)
	if err == nil {
		if a, ok := parseAnswer(b[:n]); ok {
			a.server = c.server
			c.log.add(a)
		}
	}
	return n, err
}

// parseAnswer reads a DNS answer as far as it is of use.
func parseAnswer(b []byte) (a dnsAnswer, ok bool) {
	var p dnsmessage.Parser
	head, err := p.Start(b)
	if err != nil || !head.Response {
		return a, false
	}
	q, err := p.Question()
	if err != nil || p.SkipAllQuestions() != nil {
		return a, false
	}
	a = dnsAnswer{name: hostName(q.Name), kind: q.Type, code: head.RCode}
	for len(a.cnames) < cnamesKept {
		h, err := p.AnswerHeader()
		if err != nil {
			break
		}
		if h.Type != dnsmessage.TypeCNAME {
			if p.SkipAnswer() != nil {
				break
			}
			continue
		}
		c, err := p.CNAMEResource()
		if err != nil {
			break
		}
		a.cnames = append(a.cnames, hostName(c.CNAME))
	}
	return a, true
}

func hostName(n dnsmessage.Name) string {
	return Printable(strings.ToLower(strings.TrimSuffix(n.String(), ".")), 255)
}

func (l *lookupLog) asked(server string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.servers, server) && len(l.servers) < 8 {
		l.servers = append(l.servers, server)
	}
}

func (l *lookupLog) add(a dnsAnswer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.answers) < dnsAnswersKept {
		l.answers = append(l.answers, a)
	}
}

// about gives the answers for one name, and the servers that were asked.
func (l *lookupLog) about(name string) (answers []dnsAnswer, servers []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name = strings.TrimSuffix(name, ".")
	for _, a := range l.answers {
		if strings.EqualFold(a.name, name) {
			answers = append(answers, a)
		}
	}
	return answers, slices.Clone(l.servers)
}

// cnames are the aliases that a name led to.
func (l *lookupLog) cnames(name string) []string {
	answers, _ := l.about(name)
	for _, a := range answers {
		if len(a.cnames) > 0 {
			return a.cnames
		}
	}
	return nil
}

// resolveFailure explains why a name gave no address.
func (r *run) resolveFailure(ctx context.Context, err error, late bool) *failure {
	name := Printable(r.dialHost, 255)
	f := broken(catalog.DNSFailure, err)
	answers, servers := r.dns.about(r.dialHost)
	code, server := worstAnswer(answers)
	dns, _ := asDNSError(err)
	switch {
	case len(answers) > 0 && code == dnsmessage.RCodeNameError:
		f.detail = fmt.Sprintf("resolve %s: no such name (NXDOMAIN)", name)
	case len(answers) > 0 && code != dnsmessage.RCodeSuccess:
		f.detail = fmt.Sprintf("resolve %s: the name server failed (%s)", name, rcodeText(code))
		f.notes = append(f.notes, "name server: "+server)
	case len(answers) > 0 && !late:
		f.detail = fmt.Sprintf("resolve %s: the name exists, but has no %s", name, familyText(r.p.req.IPFamily))
		f.notes = append(f.notes, r.otherFamily(ctx)...)
	case late || dns != nil && dns.IsTimeout:
		f.detail = fmt.Sprintf("resolve %s: no answer from the name server in time", name)
		if len(servers) > 0 {
			f.notes = append(f.notes, "name server: "+strings.Join(servers, ", "))
		}
	case dns != nil && dns.IsNotFound:
		f.detail = fmt.Sprintf("resolve %s: no such name, or no %s for it", name, familyText(r.p.req.IPFamily))
	case dns != nil:
		f.detail = fmt.Sprintf("resolve %s: %s", name, dns.Err)
	}
	if chain := r.dns.cnames(r.dialHost); len(chain) > 0 {
		f.notes = append(f.notes, "cname: "+cnameText(chain))
	}
	return f
}

// worstAnswer is the code that explains a failure best: a server's failure
// before an absent name before one without addresses.
func worstAnswer(answers []dnsAnswer) (code dnsmessage.RCode, server string) {
	for _, a := range answers {
		switch {
		case code == dnsmessage.RCodeSuccess, code == dnsmessage.RCodeNameError && a.code != dnsmessage.RCodeSuccess:
			code, server = a.code, a.server
		}
	}
	return code, server
}

// rcodeText is a response code as resolvers print it.
func rcodeText(c dnsmessage.RCode) string {
	switch c {
	case dnsmessage.RCodeServerFailure:
		return "SERVFAIL"
	case dnsmessage.RCodeRefused:
		return "REFUSED"
	case dnsmessage.RCodeFormatError:
		return "FORMERR"
	case dnsmessage.RCodeNotImplemented:
		return "NOTIMP"
	}
	return fmt.Sprintf("code %d", c)
}

func familyText(family string) string {
	if family == "any" || family == "" {
		return "address"
	}
	return "IPv" + family + " address"
}

// otherFamily tells whether a name has addresses, only not of the family asked
// for. It asks the name server once more, briefly.
func (r *run) otherFamily(ctx context.Context) []string {
	other := map[string]string{"4": "ip6", "6": "ip4"}[r.p.req.IPFamily]
	if other == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	ips, err := r.p.resolver.LookupNetIP(ctx, other, r.dialHost)
	if err != nil || len(ips) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("addresses: %d of IPv%s only, such as %s", len(ips), strings.TrimPrefix(other, "ip"), ips[0].Unmap())}
}

// cnameText shows where a name leads, and whether that is ESA.
func cnameText(chain []string) string {
	text := strings.Join(chain, " -> ")
	if slices.ContainsFunc(chain, isESAName) {
		return text + " (ESA)"
	}
	return text + " (no known name of ESA)"
}

// isESAName knows the names that ESA gives to sites that join it by CNAME.
func isESAName(name string) bool {
	return strings.HasSuffix(name, ".initww.com") || strings.HasSuffix(name, ".aliyun-esa.net") || strings.HasSuffix(name, ".atrustdns.com")
}
