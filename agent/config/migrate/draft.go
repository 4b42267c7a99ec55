package migrate

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/checks/probe"
)

// draft is a configuration in the making.
type draft struct {
	kind string // of the source: "gatus"
	file string
	text func(string) text // a text of the source as one of esawatch
	keys config.Keys

	sites       []*site
	receivers   []*receiver
	maintenance []*window
	alerting    block
	remarks     []string // decisions that hold for all of it

	notes     []Note
	needs     []Need
	needed    map[string]int    // a variable's or a file's name -> its place in needs
	secrets   map[string]string // a secret -> its variable
	variables *names            // of secrets

	byHost        map[string]*site
	siteNames     *names
	receiverNames *names
}

// names keeps names apart: one that is taken gets a number.
type names struct {
	taken map[string]bool
	next  map[string]int
}

func newNames() *names { return &names{map[string]bool{}, map[string]int{}} }

func (n *names) unique(name, separator string) string {
	base := name
	for n.taken[name] {
		n.next[base] = max(n.next[base]+1, 2)
		name = base + separator + strconv.Itoa(n.next[base])
	}
	n.taken[name] = true
	return name
}

func newDraft(kind string, src Source) *draft {
	return &draft{kind: kind, file: src.Name, text: literal, keys: config.NewKeys(), alerting: newBlock(), needed: map[string]int{}, secrets: map[string]string{},
		variables: newNames(), byHost: map[string]*site{}, siteNames: newNames(), receiverNames: newNames()}
}

// site is every check of one host.
type site struct {
	name   string
	host   string // with its port
	url    text
	checks []*check
	names  *names // of the checks
}

// receiver is somebody to be told.
type receiver struct {
	name     string
	comments []string
	resolved bool
	kind     string
	settings block
}

// window is a maintenance.
type window struct {
	name     string
	comments []string
	settings block
}

// address is where a check asks, taken apart.
type address struct {
	base, path text // "https://shop.example.com", "/health?q=1"; path "" when it is all one variable
	whole      text
	host       string // with its port, for people and for grouping
	secure     bool
	ip         bool
	basic      *basic // of the user info
}

// address takes a URL apart, and puts the secrets in it away.
func (d *draft) address(a at, name, raw string) (address, bool) {
	t := d.text(strings.TrimSpace(raw))
	var m mask
	masked := m.hide(t)
	if variableOnly.MatchString(string(t)) {
		variable := t.variables()[0]
		d.needVariable(variable, a)
		return address{base: t, whole: t, host: strings.ToLower(variable)}, true
	}
	u, err := url.Parse(masked)
	if err != nil || u.Hostname() == "" {
		a.note("is not carried over: it is not a URL with a host", "write it as https://host/path")
		return address{}, false
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" {
		a.note("is not carried over: esawatch asks over HTTP and HTTPS only, not "+quoted(u.Scheme), "keep it where it is, or check an HTTP address of the same service")
		return address{}, false
	}
	var auth *basic
	if u.User != nil {
		password, _ := u.User.Password()
		auth = &basic{user: m.show(u.User.Username()), password: m.show(password)}
		if len(auth.password.variables()) == 0 {
			auth.password = d.hidden(a, name+"_password", password)
		}
		u.User = nil
	}
	base := u.Scheme + "://" + u.Host
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	query := text("")
	if u.RawQuery != "" {
		query = "?" + d.query(a, name, u.RawQuery, &m)
	}
	if u.Fragment != "" {
		a.note("its fragment is not carried over: it is never sent", "")
	}
	for _, v := range t.variables() {
		d.needVariable(v, a)
	}
	ad := address{base: m.show(base), path: m.show(path) + query, host: m.name(u.Host), secure: u.Scheme == "https",
		ip: strings.Trim(u.Hostname(), "0123456789.:") == "", basic: auth}
	ad.whole = ad.base + ad.path
	for key, part := range map[string]text{"sites.url": ad.base, "sites.checks.path": ad.path, "sites.checks.url": ad.whole} {
		if err := d.check(key, part); err != nil {
			a.note("is not carried over: "+why(err), "")
			return address{}, false
		}
	}
	return ad, true
}

// query puts the secrets in a query away, and leaves the rest as it is.
func (d *draft) query(a at, name, raw string, m *mask) text {
	var b strings.Builder
	for i, part := range strings.Split(raw, "&") {
		if i > 0 {
			b.WriteByte('&')
		}
		key, v, ok := strings.Cut(part, "=")
		if shown := m.show(v); ok && v != "" && (secretName.MatchString(key) || probe.IsSecretParameter(key, v)) && !variableOnly.MatchString(string(shown)) && len(shown.variables()) == 0 {
			b.WriteString(string(m.show(key)) + "=" + string(d.hidden(a, name+"_"+key, v)))
			continue
		}
		b.WriteString(string(m.show(part)))
	}
	return text(b.String())
}

// hidden is secret for a value that is in the source's words no longer.
func (d *draft) hidden(a at, name, value string) text {
	words := d.text
	d.text = literal
	defer func() { d.text = words }()
	return d.secret(a, name, value)
}

// siteOf is the site of a host, made when it is the first.
func (d *draft) siteOf(ad address) *site {
	s := d.byHost[ad.host]
	if s == nil {
		s = &site{name: d.siteNames.unique(nameOf(ad.host, "site"), "-"), host: ad.host, url: ad.base, names: newNames()}
		d.byHost[ad.host] = s
		d.sites = append(d.sites, s)
	}
	if ad.secure && strings.HasPrefix(string(s.url), "http://") {
		s.url = ad.base // the checks keep their own address
	}
	return s
}

// result is what the draft comes to. It is an error when there is no check in
// it: a configuration needs one.
func (d *draft) result() (*Result, error) {
	r := &Result{Notes: d.notes, Needs: d.needs, Sites: len(d.sites), Receivers: len(d.receivers)}
	for _, s := range d.sites {
		r.Checks += len(s.checks)
	}
	files := []string{d.file} // then others, as they were met
	for _, n := range r.Notes {
		if !slices.Contains(files, n.File) {
			files = append(files, n.File)
		}
	}
	slices.SortStableFunc(r.Notes, func(a, b Note) int {
		return cmp.Or(slices.Index(files, a.File)-slices.Index(files, b.File), a.Line-b.Line)
	})
	if r.Checks == 0 {
		return r, &Error{d.file, 0, "nothing in it can be carried over: esawatch checks HTTP and HTTPS"}
	}
	yaml, err := d.write(r)
	if err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	r.YAML = yaml
	return r, nil
}

// nameOf makes a name as esawatch wants them of any words; other stands in when
// nothing is left of them.
func nameOf(words, other string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, strings.TrimSpace(words))
	for strings.Contains(name, "--") {
		name = strings.ReplaceAll(name, "--", "-")
	}
	name = strings.Trim(name, "-.")
	if strings.Trim(name, "-._") == "" {
		name = other
	}
	return name[:min(len(name), 56)] // room for a number
}

// receiver adds somebody to be told, under a name of its own.
func (d *draft) receiver(name, kind string, settings block, comments ...string) *receiver {
	name = d.receiverNames.unique(nameOf(name, kind), "-")
	r := &receiver{name: name, kind: kind, settings: settings, comments: comments, resolved: true}
	d.receivers = append(d.receivers, r)
	return r
}

// console is the receiver of what nobody was told of before: it wakes no one.
func (d *draft) console() string {
	i := slices.IndexFunc(d.receivers, func(r *receiver) bool { return r.kind == "console" })
	if i < 0 {
		return d.receiver("console", "console", newBlock(), "Checks that told nobody before are told here: on standard output.").name
	}
	return d.receivers[i].name
}

// duration writes d as it would be configured.
func duration(d time.Duration) text {
	if d <= 0 {
		return "0s"
	}
	var b strings.Builder
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if n := d / unit.size; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, unit.name)
			d -= n * unit.size
		}
	}
	if b.Len() == 0 {
		return "1ms"
	}
	return text(b.String())
}

// why is an error of a value without what is known from its place.
func why(err error) string { return oneLine(err.Error()) }

func quoted(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.Quote(s)
}

func itoa(n int) string { return strconv.Itoa(n) }

// The bounds of a schedule.
const (
	shortest = time.Second
	longest  = 366 * 24 * time.Hour
)
