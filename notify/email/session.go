package email

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/esawatch/esawatch/notify"
)

const (
	// maxAnswers bounds what a server may say in one delivery, in bytes.
	maxAnswers = 256 << 10
	// goodbye is how long the server may take to end a session that is done.
	goodbye = time.Second
)

// delivery is how sending one mail went.
type delivery struct {
	taken   []string  // recipients for whom the server took it
	refused []refusal // recipients that it will never take, while it took others
	err     error     // what is left to do, nil when nothing is
}

type refusal struct {
	address string
	err     error
}

// deliver sends msg to the given recipients in one session.
func (n *Notifier) deliver(ctx context.Context, password string, to []string, msg io.WriterTo) (d delivery) {
	ctx, cancel := context.WithTimeout(ctx, n.options.Timeout)
	defer cancel()
	conn, err := n.dial(ctx)
	if err != nil {
		return delivery{err: fmt.Errorf("connect to %s: %w", n.options.Smarthost, transportError(ctx, err))}
	}
	defer func() { _ = conn.Close() }()
	// The protocol's calls know no context: closing ends them.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()

	client, err := n.greet(ctx, conn)
	if err == nil {
		err = n.authenticate(ctx, client, password)
	}
	if err != nil {
		return delivery{err: err}
	}
	d = n.send(ctx, client, to, msg)
	// It has answered for the mail; whether it says goodbye changes nothing.
	if conn.SetDeadline(time.Now().Add(goodbye)) == nil {
		_ = client.Quit()
	}
	return d
}

// dial connects, with TLS where that comes first.
func (n *Notifier) dial(ctx context.Context) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", n.options.Smarthost)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	bounded := &boundedConn{Conn: conn, left: maxAnswers}
	if !n.wrapped {
		return bounded, nil
	}
	secure := tls.Client(bounded, n.tls())
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

// greet begins a session, encrypted if it has to be.
func (n *Notifier) greet(ctx context.Context, conn net.Conn) (*smtp.Client, error) {
	client, err := smtp.NewClient(conn, n.host)
	if err != nil {
		return nil, explain(ctx, "greeting", err, fatalSetup("check smarthost"))
	}
	if err := client.Hello(n.hello); err != nil {
		return nil, explain(ctx, "EHLO", err, fatalSetup("check smarthost"))
	}
	if !n.options.RequireTLS || n.wrapped {
		return client, nil
	}
	if offered, _ := client.Extension("STARTTLS"); !offered {
		return nil, notify.Misconfigured(errors.New("the server offers no STARTTLS: use its submission port, 587 or 465, or set require_tls to false"))
	}
	if err := client.StartTLS(n.tls()); err != nil {
		return nil, explain(ctx, "STARTTLS", err, fatalSetup("check smarthost and require_tls"))
	}
	return client, nil
}

func (n *Notifier) tls() *tls.Config {
	config := &tls.Config{}
	if n.options.TLS != nil {
		config = n.options.TLS.Clone()
	}
	config.ServerName = cmp.Or(config.ServerName, n.host)
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return config
}

// authenticate logs in, if there is a username.
func (n *Notifier) authenticate(ctx context.Context, client *smtp.Client, password string) error {
	if n.options.Username == "" {
		return nil
	}
	offered, mechanisms := client.Extension("AUTH")
	if !offered {
		return notify.Misconfigured(errors.New("the server offers no authentication: use its submission port, or remove username"))
	}
	_, encrypted := client.TLSConnectionState()
	auth := n.mechanism(strings.Fields(strings.ToUpper(mechanisms)), encrypted, password)
	if auth == nil {
		why := "none that this program knows"
		if !encrypted {
			why = "none that hides the password on an unencrypted connection: set require_tls to true"
		}
		return notify.Misconfigured(fmt.Errorf("the server offers the authentication %q: %s", notify.Line(mechanisms, 100), why))
	}
	if err := client.Auth(auth); err != nil {
		return explain(ctx, "AUTH", err, fatalSetup("check username and password"))
	}
	return nil
}

// mechanism chooses how to log in, nil if no way is safe. The password itself is
// shown only where nobody listens.
func (n *Notifier) mechanism(offered []string, encrypted bool, password string) smtp.Auth {
	user, private := n.options.Username, encrypted || n.host == "localhost" || n.host == "127.0.0.1" || n.host == "::1"
	for _, name := range []string{"PLAIN", "LOGIN", "SCRAM-SHA-256", "CRAM-MD5"} {
		for _, o := range offered {
			switch {
			case o != name:
			case name == "PLAIN" && private:
				return smtp.PlainAuth("", user, password, n.host, false)
			case name == "LOGIN" && private:
				return smtp.LoginAuth(user, password, n.host, false)
			case name == "SCRAM-SHA-256":
				return smtp.ScramSHA256Auth(user, password)
			case name == "CRAM-MD5":
				return smtp.CRAMMD5Auth(user, password)
			}
		}
	}
	return nil
}

// send hands the mail over. A recipient whom the server refuses does not keep
// the mail from the others.
func (n *Notifier) send(ctx context.Context, client *smtp.Client, to []string, msg io.WriterTo) delivery {
	if err := client.Mail("<" + n.from.Address + ">"); err != nil {
		return delivery{err: explain(ctx, "MAIL FROM", err, fatalSetup("check from, and whether the server wants a username"))}
	}
	var d delivery
	var later error
	var accepted []string
	for _, address := range to {
		err := client.Rcpt("<" + address + ">")
		if err == nil {
			accepted = append(accepted, address)
			continue
		}
		err = fmt.Errorf("recipient %q: %w", address, explain(ctx, "RCPT TO", err, fatalSetup("check the address in to")))
		if notify.IsMisconfigured(err) {
			d.refused = append(d.refused, refusal{address, err})
			continue
		}
		later = err
		if ctx.Err() != nil {
			break
		}
	}
	if len(accepted) == 0 {
		if later == nil && len(d.refused) > 0 {
			later, d.refused = d.refused[0].err, nil
		}
		return delivery{err: later}
	}
	if err := transfer(client, msg); err != nil {
		return delivery{err: explain(ctx, "DATA", err, notify.Permanent)}
	}
	d.taken, d.err = accepted, later
	return d
}

// transfer sends the mail itself.
func transfer(client *smtp.Client, msg io.WriterTo) error {
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := msg.WriteTo(w); err != nil {
		return err
	}
	return w.Close()
}

// boundedConn is a connection from which no more than left bytes are read.
type boundedConn struct {
	net.Conn
	left int
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, notify.Because(notify.ReasonAnswer, errors.New("the server talks without end"))
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
