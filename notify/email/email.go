// Package email tells incidents by mail: one thread an incident, each mail with
// the whole present state as text and as HTML.
package email

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	netmail "net/mail"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// DefaultTimeout bounds one delivery, from the connection to the server's last
// word. Servers that slow strangers down take their time.
const DefaultTimeout = 25 * time.Second

// Options say where to tell.
type Options struct {
	Smarthost string   // host:port; on port 465 the connection is TLS from its start
	From      string   // an address, with or without a name
	To        []string // addresses, at least one

	Username string                 // "" for no authentication
	Password func() (string, error) // asked anew for each mail; nil without a username
	// RequireTLS asks for STARTTLS and for a certificate that is valid for the
	// smarthost. Without it TLS is not tried, and a password is sent only to this
	// very machine or in a form that hides it.
	RequireTLS bool

	Timeout time.Duration // of one delivery; DefaultTimeout when 0
	// TLS is the base of the TLS settings; nil for the system's roots.
	TLS *tls.Config
	// Logger hears of recipients that the server refuses; nil for none.
	Logger *slog.Logger
}

// Notifier is a notify.Notifier for one list of recipients.
type Notifier struct {
	options Options
	host    string // of the smarthost
	wrapped bool   // TLS from the connection's start
	from    *netmail.Address
	to      []*netmail.Address
	hello   string // what we call ourselves
	log     *slog.Logger
}

var _ notify.Notifier = (*Notifier)(nil)

// New makes a Notifier. An error says which option is wrong.
func New(o Options) (*Notifier, error) {
	host, port, err := net.SplitHostPort(o.Smarthost)
	if err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("email: smarthost %q is not host:port", o.Smarthost)
	}
	n := &Notifier{options: o, host: host, wrapped: port == "465" || port == "smtps"}
	if n.from, err = netmail.ParseAddress(o.From); err != nil {
		return nil, fmt.Errorf("email: from %q is not a mail address", o.From)
	}
	if len(o.To) == 0 {
		return nil, errors.New("email: want at least one recipient in to")
	}
	for _, s := range o.To {
		to, err := netmail.ParseAddress(s)
		if err != nil {
			return nil, fmt.Errorf("email: to %q is not a mail address", s)
		}
		n.to = append(n.to, to)
	}
	if o.Username != "" && o.Password == nil {
		return nil, errors.New("email: a username needs a password")
	}
	n.options.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	n.log = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	n.hello = "localhost"
	if name, err := os.Hostname(); err == nil && name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		n.hello = name
	}
	return n, nil
}

// receipt is what is remembered of an incident.
type receipt struct {
	seq int      // of the last mail
	to  []string // who was sent that one; nil for everybody
}

func receiptOf(r notify.Receipt) receipt {
	seq, err := strconv.Atoi(r["seq"])
	if err != nil {
		return receipt{}
	}
	return receipt{seq, strings.Fields(r["to"])}
}

func (r receipt) encode() notify.Receipt {
	encoded := notify.Receipt{"seq": strconv.Itoa(r.seq)}
	if len(r.to) > 0 {
		encoded["to"] = strings.Join(r.to, " ")
	}
	return encoded
}

// Notify sends m: see notify.Notifier. The receipt is worth keeping beside an
// error too: when some recipients had to be put off, it says who has the mail.
func (n *Notifier) Notify(ctx context.Context, m notify.Notification) (notify.Receipt, error) {
	password, err := n.password()
	if err != nil {
		return m.Receipt, err
	}
	msg, err := n.compose(m)
	if err != nil {
		return m.Receipt, notify.Permanent(fmt.Errorf("email: compose the mail: %w", err))
	}
	to, have := n.recipients(), []string(nil)
	if was := receiptOf(m.Receipt); was.seq == m.Seq {
		have = was.to
		to = slices.DeleteFunc(to, func(s string) bool { return slices.Contains(have, s) })
	}
	if len(to) == 0 { // all of those who lacked it have left the configuration
		return receipt{seq: m.Seq}.encode(), nil
	}
	d := n.deliver(ctx, password, to, msg)
	for _, r := range d.refused {
		n.log.Warn("recipient refused, the others have the mail", "component", "notify/email",
			"target", r.address, "err", n.clean(r.err, password))
	}
	if d.err == nil {
		return receipt{seq: m.Seq}.encode(), nil
	}
	err = fmt.Errorf("email: %w", n.clean(d.err, password))
	if len(d.taken) == 0 {
		return m.Receipt, err
	}
	for _, r := range d.refused { // not to be asked again about this mail
		d.taken = append(d.taken, r.address)
	}
	return receipt{m.Seq, slices.Concat(have, d.taken)}.encode(), err
}

// recipients is the bare addresses of all who are to be told.
func (n *Notifier) recipients() []string {
	var all []string
	for _, to := range n.to {
		if !slices.Contains(all, to.Address) {
			all = append(all, to.Address)
		}
	}
	return all
}

func (n *Notifier) password() (string, error) {
	if n.options.Username == "" {
		return "", nil
	}
	password, err := n.options.Password()
	if err != nil {
		return "", notify.Misconfigured(fmt.Errorf("email: read password: %w", err))
	}
	// A file ends in a line break, a password does not.
	if password = strings.TrimRight(password, "\r\n"); password == "" {
		return "", notify.Misconfigured(errors.New("email: password is empty"))
	}
	return password, nil
}
