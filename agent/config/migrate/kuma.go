package migrate

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// UptimeKuma imports the monitors of Uptime Kuma: its JSON backup, what its
// interface calls monitorList, or rows of its database. Each monitor that asks
// over HTTP becomes a check, each notification that one uses a receiver.
//
// It fails with an *Error when the source cannot be read or nothing is left of
// it. The result is then nil, or has the notes only.
func UptimeKuma(src Source) (*Result, error) {
	tree, err := parseJSON(src)
	if err != nil {
		return nil, err
	}
	d := newDraft("uptime-kuma", src)
	k := &kuma{draft: d, names: map[string]string{}, tags: map[string][]label{}, linked: map[string][]string{}, told: map[string]string{}}
	root := d.root(tree, src.Name)
	monitors := root
	if root.kind == mapping {
		monitors = k.sections(root)
	}
	entries := rows(monitors, "monitors")
	if len(entries) == 0 {
		return nil, &Error{src.Name, tree.line, "has no monitors: this is neither a backup of Uptime Kuma nor a list of its monitors"}
	}
	for _, m := range entries {
		k.names[m.str("id")] = m.str("name")
	}
	// Monitors to be added have no id yet: nothing is meant by its absence.
	delete(k.names, "")
	delete(k.tags, "")
	delete(k.linked, "")
	for _, m := range entries {
		k.monitor(m.named(m.str("name")))
	}
	d.remarks = append(d.remarks,
		"Reminders come every 4 hours (alerting.repeat_interval; 0s = never).",
		"Certificates are looked at everywhere, also where the monitor did not (expect.cert_valid_for: 0s = not).",
		"resolve_after is 1, as in Uptime Kuma; 2 is quieter.")
	return d.result()
}

// kuma is one import in the making.
type kuma struct {
	*draft
	names         map[string]string  // of monitors and groups, by id
	tags          map[string][]label // by monitor, where they are a list of their own
	linked        map[string][]string
	notifications map[string]at     // by id
	proxies       map[string]at     // by id
	told          map[string]string // a notification's id -> the receiver, "" = there is none
}

// sections finds the lists in an object: the backup's, and those of the other
// tables of the database.
func (k *kuma) sections(root at) (monitors at) {
	list := func(names ...string) []at {
		for _, n := range names {
			if root.has(n) {
				return rows(root.key(n), n)
			}
		}
		return nil
	}
	k.notifications = byID(list("notificationList", "notification", "notifications"))
	k.proxies = byID(list("proxyList", "proxy"))
	for _, row := range list("monitorNotificationList", "monitor_notification") {
		id := row.str("monitor_id")
		k.linked[id] = append(k.linked[id], row.str("notification_id"))
	}
	for _, row := range list("monitorTagList", "monitor_tag") {
		id := row.str("monitor_id")
		k.tags[id] = append(k.tags[id], tagLabel(row))
	}
	for _, n := range []string{"monitorList", "monitor", "monitors"} {
		if root.has(n) {
			return root.key(n)
		}
	}
	return root // an object of monitors by their id
}

func byID(rows []at) map[string]at {
	all := map[string]at{}
	for _, r := range rows {
		all[r.str("id")] = r
	}
	return all
}

// rows are the entries of a list, or the values of an object by id.
func rows(a at, name string) []at {
	var all []at
	switch {
	case a.missing():
	case a.kind == list:
		if a.path == "" {
			a.path = name
		}
		all = a.each()
	case a.kind == mapping:
		for _, p := range a.pairs() {
			p.at.path = name + "[" + p.name + "]"
			all = append(all, p.at)
		}
	}
	return slices.DeleteFunc(all, func(e at) bool { return e.value == nil || e.kind != mapping })
}

// column is a key by the name that the interface has for it; the database has
// another for most: retryInterval is retry_interval there.
func (a at) column(names ...string) at {
	for _, name := range names {
		for _, n := range []string{name, snake(name)} {
			if a.has(n) {
				return a.key(n)
			}
		}
	}
	return a.key(names[0])
}

var hump = regexp.MustCompile(`([a-z0-9])([A-Z])`)

func snake(s string) string { return strings.ToLower(hump.ReplaceAllString(s, "${1}_${2}")) }

// yes is a column that is true.
func (a at) yes(name string) bool {
	switch strings.ToLower(a.column(name).text()) {
	case "true", "1":
		return true
	}
	return false
}

// count is a column with a number, which may be of text.
func (a at) count(name string) (int, bool) {
	c := a.column(name)
	if c.missing() || c.text() == "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(c.text(), 64)
	if err != nil || n < 0 || n > 1e9 {
		c.note("is not carried over: it is no number", "")
		return 0, false
	}
	return int(n), true
}

// monitor makes a check.
func (k *kuma) monitor(m at) {
	name, kind := m.str("name"), m.str("type")
	switch kind {
	case "http", "keyword", "json-query":
	case "group":
		return // its members bear its name
	case "":
		m.note("is not carried over: it has no type", "")
		return
	default:
		m.note("is not carried over: it is of type "+quoted(kind)+", and esawatch asks over HTTP only", "keep it in Uptime Kuma")
		return
	}
	if m.yes("upsideDown") {
		m.note("is not carried over: it is upside down, and esawatch does not alert of success", "say with expect.status what the answer has to be")
		return
	}
	ad, ok := k.address(m.key("url"), name, m.str("url"))
	if !ok {
		return
	}
	c := &check{at: m, title: name, address: ad, resolveAfter: 1}
	if active := m.column("active"); !active.missing() {
		c.disabled = !m.yes("active")
	}
	k.times(c, m)
	k.request(c, m, name)
	k.authentication(c, m, name)
	k.way(c, m, name)
	k.answer(c, m, kind)
	k.labels(c, m)
	k.receiversOf(c, m)
	if words := m.str("description"); words != "" {
		c.comments = append(c.comments, words)
	}
	if m.yes("cacheBust") {
		m.column("cacheBust").note("is not carried over: the URL is asked as it is, and the evidence says whether ESA's cache answered", "")
	}
	k.add(c)
}
