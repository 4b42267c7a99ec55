package email

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

// patient is the bound of one mail with a server that answers, however slow the
// machine is.
const patient = 20 * time.Second

// notifier makes one for the server, with TLS and a login, as change wants it.
func notifier(t *testing.T, change func(*server), options func(*Options)) (*Notifier, *server) {
	t.Helper()
	s, pool := serve(t, change)
	o := Options{
		Smarthost: s.addr, From: "esawatch <watch@example.com>", To: []string{"a@example.com", "B <b@example.com>"},
		Username: testUser, Password: func() (string, error) { return testPassword + "\n", nil },
		RequireTLS: true, TLS: &tls.Config{RootCAs: pool}, Timeout: patient,
	}
	if options != nil {
		options(&o)
	}
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return n, s
}

// parts is the text and the HTML of a mail, and its headers.
func parts(t *testing.T, data string) (header netmail.Header, text, html string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatalf("read the mail: %v\n%s", err, data)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q: %v", kind, err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for _, part := range []struct {
		kind string
		into *string
	}{{"text/plain", &text}, {"text/html", &html}} {
		p, err := r.NextRawPart()
		if err != nil || !strings.HasPrefix(p.Header.Get("Content-Type"), part.kind) || p.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Fatalf("part %s: %v %v", part.kind, p, err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		*part.into = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
	if _, err := r.NextPart(); err != io.EOF {
		t.Errorf("a third part: %v", err)
	}
	return m.Header, text, html
}

// TestStory: one thread an incident, encrypted and logged in, to everybody.
func TestStory(t *testing.T) {
	n, s := notifier(t, nil, nil)
	var receipt notify.Receipt
	story := notifytest.Story()
	for _, m := range story {
		m.Receipt = receipt
		var err error
		if receipt, err = n.Notify(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	mails := s.taken()
	if len(mails) != len(story) {
		t.Fatalf("%d mails, want %d", len(mails), len(story))
	}
	ids := map[string]bool{}
	for _, m := range mails {
		if !m.TLS || m.User != testUser || m.From != "<watch@example.com>" || !slices.Equal(m.To, []string{"<a@example.com>", "<b@example.com>"}) {
			t.Errorf("sent with %+v", m)
		}
		header, text, html := parts(t, m.Data)
		ids[header.Get("Message-ID")] = true
		if all := header["Message-Id"]; len(all) != 1 || !strings.HasPrefix(all[0], "<esawatch.shop-20261123T150405-1.") {
			t.Errorf("Message-IDs %q", all)
		}
		if got := header.Get("References"); got != "<esawatch.shop-20261123T150405-1.0@example.com>" || header.Get("In-Reply-To") != got {
			t.Errorf("refers to %q", got)
		}
		if header.Get("Auto-Submitted") != "auto-generated" || header.Get("Date") == "" {
			t.Errorf("headers %v", header)
		}
		if !strings.Contains(text, "shop") || !strings.Contains(html, "<h1") {
			t.Errorf("body %s\n%s", text, html)
		}
	}
	if len(ids) != len(mails) {
		t.Errorf("%d different Message-IDs", len(ids))
	}
	first, _, _ := parts(t, mails[0].Data)
	last, _, _ := parts(t, mails[6].Data)
	if first.Get("Subject") != "[WARNING] shop: Slow answer on login (origin, origin team)" ||
		last.Get("Subject") != "[RESOLVED] shop: 522 Connection timed out on login, home, after 4 h 19 min" {
		t.Errorf("subjects %q and %q", first.Get("Subject"), last.Get("Subject"))
	}
}

// TestHostileMail: no text can add a header, a recipient or a part.
func TestHostileMail(t *testing.T) {
	evil := "x\r\nBcc: evil@example.com\r\n\r\n.\r\nMAIL FROM:<evil@example.com>\r\n"
	m := notifytest.Hostile()
	m.ID, m.Site, m.Severity, m.Test = evil, evil, evil, true
	for i := range m.Alerts {
		m.Alerts[i].Check, m.Alerts[i].Condition = evil, evil
	}
	n, s := notifier(t, nil, nil)
	for _, m := range []notify.Notification{m, notifytest.Hostile(), notifytest.HostileResolved()} {
		if _, err := n.Notify(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for _, mail := range s.taken() {
		header, text, html := parts(t, mail.Data)
		if header.Get("Bcc") != "" || len(mail.To) != 2 {
			t.Errorf("header %v to %q", header, mail.To)
		}
		known := []string{"Auto-Submitted", "Content-Type", "Date", "From", "Importance", "In-Reply-To", "Message-Id", "Mime-Version",
			"Priority", "References", "Subject", "To", "User-Agent", "X-Auto-Response-Suppress", "X-Msmail-Priority", "X-Priority"}
		for name := range header {
			if !slices.Contains(known, name) {
				t.Errorf("header %q", name)
			}
		}
		if strings.Contains(html, "<script") || strings.Contains(html, "href=\"javascript") || strings.Contains(text, "https://evil") || strings.Contains(html, "https://evil") {
			t.Error("the mail links or runs what a server said")
		}
	}
	if len(s.taken()) != 3 {
		t.Errorf("%d mails", len(s.taken()))
	}
}

// TestSubjectInChinese is encoded as mail wants it.
func TestSubjectInChinese(t *testing.T) {
	n, s := notifier(t, nil, nil)
	if _, err := n.Notify(t.Context(), notifytest.Chinese()); err != nil {
		t.Fatal(err)
	}
	header, text, html := parts(t, s.taken()[0].Data)
	decoded, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
	if err != nil || decoded != "[严重] shop：522 连接超时，检查项 login（回源链路、源站团队）" {
		t.Errorf("subject %q, %v", decoded, err)
	}
	if !strings.Contains(text, "处理步骤") || !strings.Contains(html, `lang="zh-Hans"`) {
		t.Errorf("text %s", text)
	}
}

// TestLogins: what is sent of the password depends on who may listen.
func TestLogins(t *testing.T) {
	offer := func(auth string) func(*server) { return func(s *server) { s.auth, s.wrapped = auth, false } }
	plain := func(o *Options) { o.RequireTLS = false }
	for _, test := range []struct {
		name    string
		server  func(*server)
		options func(*Options)
		tls     bool
	}{
		{"plain over TLS", offer("PLAIN"), nil, true},
		{"login over TLS", offer("LOGIN"), nil, true},
		{"cram over TLS", offer("CRAM-MD5"), nil, true},
		{"to this machine", offer("PLAIN"), plain, false},
		{"nobody", offer(""), func(o *Options) { o.RequireTLS, o.Username, o.Password = false, "", nil }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			n, s := notifier(t, test.server, test.options)
			if _, err := n.Notify(t.Context(), notifytest.Story()[0]); err != nil {
				t.Fatal(err)
			}
			if m := s.taken()[0]; m.TLS != test.tls || m.User != n.options.Username {
				t.Errorf("sent with TLS %v as %q", m.TLS, m.User)
			}
		})
	}
	t.Run("not to others in the clear", func(t *testing.T) {
		n, _ := notifier(t, nil, plain)
		n.host = "mail.example.com"
		for offered, want := range map[string]bool{"PLAIN LOGIN": false, "PLAIN CRAM-MD5": true, "SCRAM-SHA-256": true, "": false} {
			if got := n.mechanism(strings.Fields(offered), false, testPassword) != nil; got != want {
				t.Errorf("%q without TLS: %v, want %v", offered, got, want)
			}
		}
	})
}

// TestWrapped is TLS from the start, as on port 465.
func TestWrapped(t *testing.T) {
	n, s := notifier(t, func(s *server) { s.wrapped = true }, nil)
	n.wrapped = true
	if _, err := n.Notify(t.Context(), notifytest.Story()[0]); err != nil {
		t.Fatal(err)
	}
	if !s.taken()[0].TLS {
		t.Error("sent in the clear")
	}
	for address, want := range map[string]bool{"mail.example.com:465": true, "mail.example.com:587": false} {
		other, err := New(Options{Smarthost: address, From: "a@example.com", To: []string{"b@example.com"}})
		if err != nil || other.wrapped != want {
			t.Errorf("%s: %v, %v", address, other.wrapped, err)
		}
	}
}

// TestFaults is what notifytest's contract is for receivers that speak HTTP:
// back in time, with the right kind of error and no secret in it, and delivered
// once the server is well.
func TestFaults(t *testing.T) {
	for _, test := range []struct {
		step, reply string
		reason      notify.Reason
		want        string
	}{
		{"GREETING", "hang", notify.ReasonTimeout, "deadline exceeded"},
		{"GREETING", "drop", notify.ReasonUnreachable, "greeting: EOF"},
		{"GREETING", "endless", notify.ReasonAnswer, ""},
		{"GREETING", "HTTP/1.1 400 \x1b[31mBad Request", notify.ReasonAnswer, "not an answer of a mail server"},
		{"GREETING", "554 no service", notify.ReasonMisconfigured, `554 "no service": check smarthost`},
		{"GREETING", "421 too busy", notify.ReasonThrottled, "421"},
		{"EHLO", "hang", notify.ReasonTimeout, "deadline exceeded"},
		{"EHLO", "550 go away", notify.ReasonMisconfigured, "go away"},
		{"EHLO", "451 later", notify.ReasonServer, "later"},
		{"EHLO", "endless", notify.ReasonAnswer, "talks without end"},
		{"STARTTLS", "454 4.3.0 not now", notify.ReasonServer, "STARTTLS: 454"},
		{"STARTTLS", "drop", notify.ReasonUnreachable, "STARTTLS"},
		{"AUTH", "535 5.7.8 no " + testPassword, notify.ReasonMisconfigured, `"5.7.8 no <secret>": check username and password`},
		{"AUTH", "454 4.7.0 later", notify.ReasonThrottled, "AUTH: 454"},
		{"AUTH", "hang", notify.ReasonTimeout, "AUTH"},
		{"MAIL", "550 5.7.1 not you", notify.ReasonMisconfigured, "check from"},
		{"MAIL", "451 4.3.0 broken", notify.ReasonServer, "MAIL FROM: 451"},
		{"RCPT", "550 5.1.1 unknown", notify.ReasonMisconfigured, `recipient "a@example.com": RCPT TO: 550 "5.1.1 unknown": check the address in to`},
		{"RCPT", "450 4.2.0 full", notify.ReasonServer, "RCPT TO: 450"},
		{"RCPT", "451 4.7.1 greylisted", notify.ReasonThrottled, "greylisted"},
		{"RCPT", "hang", notify.ReasonTimeout, "RCPT"},
		{"DATA", "554 5.6.0 no", notify.ReasonRefused, "DATA: 554"},
		{"END", "552 5.3.4 too big", notify.ReasonRefused, "552"},
		{"END", "452 4.3.1 no room", notify.ReasonServer, "452"},
		{"END", "drop", notify.ReasonUnreachable, "DATA"},
		{"END", "hang", notify.ReasonTimeout, "DATA"},
	} {
		t.Run(test.step+" "+test.reply, func(t *testing.T) {
			const timeout = 1500 * time.Millisecond
			n, s := notifier(t, nil, func(o *Options) { o.Timeout = timeout })
			s.set(test.step, test.reply)
			begin := time.Now()
			m := notifytest.Story()[0]
			receipt, err := n.Notify(t.Context(), m)
			if took := time.Since(begin); took > timeout+goodbye+10*time.Second {
				t.Errorf("took %v", took)
			}
			if err == nil || notify.ReasonOf(err) != test.reason || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v of reason %q, want one of %q with %q", err, notify.ReasonOf(err), test.reason, test.want)
			}
			clean(t, err)
			s.set(test.step, "")
			m.Receipt = receipt
			n.options.Timeout = patient
			if _, err := n.Notify(t.Context(), m); err != nil {
				t.Errorf("after the server recovered: %v", err)
			}
			if mails := s.taken(); len(mails) != 1 || len(mails[0].To) != 2 {
				t.Errorf("%d mails: %+v", len(mails), mails)
			}
		})
	}
}

// clean wants an error that is one line and holds no password.
func clean(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, secret := range []string{testPassword, "cGFzc3dvcmQtdGVzdC1vbmx5", "AHByb2JlAHBhc3N3b3JkLXRlc3Qtb25seQ=="} {
			if strings.Contains(e.Error(), secret) {
				t.Errorf("error holds the password: %v", e)
			}
		}
	}
	if text := err.Error(); text != notify.Line(text, 600) {
		t.Errorf("error is not one clean line: %q", text)
	}
}

// TestNoConnection: refused, not trusted, another name, no TLS where it must be.
func TestNoConnection(t *testing.T) {
	tell := func(n *Notifier) error {
		_, err := n.Notify(t.Context(), notifytest.Story()[0])
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := listener.Addr().String()
	_ = listener.Close()

	refused, _ := notifier(t, nil, func(o *Options) { o.Smarthost = gone })
	nowhere, _ := notifier(t, nil, func(o *Options) { o.Smarthost = "mail.invalid:25" })
	untrusted, _ := notifier(t, nil, func(o *Options) { o.TLS = nil })
	other, _ := notifier(t, nil, func(o *Options) { o.TLS.ServerName = "other.example.com" })
	stripped, s := notifier(t, func(s *server) { s.noTLS = true }, nil)
	closed, _ := notifier(t, func(s *server) { s.auth = "" }, nil)
	strange, _ := notifier(t, func(s *server) { s.auth = "GSSAPI" }, nil)
	noTLS, _ := notifier(t, nil, nil)
	noTLS.wrapped = true
	for _, test := range []struct {
		name   string
		n      *Notifier
		reason notify.Reason
		want   string
	}{
		{"refused", refused, notify.ReasonUnreachable, "refused"},
		{"no such host", nowhere, notify.ReasonUnreachable, "mail.invalid"},
		{"untrusted", untrusted, notify.ReasonTLS, "STARTTLS"},
		{"another name", other, notify.ReasonTLS, "STARTTLS"},
		{"no STARTTLS", stripped, notify.ReasonMisconfigured, "offers no STARTTLS"},
		{"no AUTH", closed, notify.ReasonMisconfigured, "offers no authentication"},
		{"unknown AUTH", strange, notify.ReasonMisconfigured, `"GSSAPI"`},
		{"no TLS on a TLS port", noTLS, notify.ReasonTLS, "connect to"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := tell(test.n)
			if err == nil || notify.ReasonOf(err) != test.reason || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v of reason %q, want one of %q with %q", err, notify.ReasonOf(err), test.reason, test.want)
			}
			clean(t, err)
		})
	}
	if len(s.taken()) > 0 {
		t.Error("a mail was sent without TLS")
	}
}

func TestCanceled(t *testing.T) {
	n, s := notifier(t, nil, nil)
	s.set("EHLO", "hang")
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(100*time.Millisecond, cancel)
	defer timer.Stop()
	begin := time.Now()
	_, err := n.Notify(ctx, notifytest.Story()[0])
	if notify.ReasonOf(err) != notify.ReasonCanceled || time.Since(begin) > patient/2 {
		t.Errorf("error %v after %v", err, time.Since(begin))
	}
}

// TestSomeRecipients: one who is refused keeps the mail from nobody; one who is
// put off gets it later, and nobody gets it twice.
func TestSomeRecipients(t *testing.T) {
	var log bytes.Buffer
	n, s := notifier(t, nil, func(o *Options) {
		o.To = []string{"a@example.com", "b@example.com", "c@example.com"}
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	s.set("RCPT <b@example.com>", "550 5.1.1 unknown")
	s.set("RCPT <c@example.com>", "450 4.2.0 full")
	m := notifytest.Story()[0]
	receipt, err := n.Notify(t.Context(), m)
	if notify.ReasonOf(err) != notify.ReasonServer || !strings.Contains(err.Error(), "c@example.com") {
		t.Fatalf("error %v", err)
	}
	if !strings.Contains(log.String(), "b@example.com") {
		t.Errorf("log: %s", &log)
	}
	s.set("RCPT <c@example.com>", "")
	m.Receipt = receipt
	if receipt, err = n.Notify(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var to []string
	ids := map[string]bool{}
	for _, mail := range s.taken() {
		to = append(to, mail.To...)
		header, _, _ := parts(t, mail.Data)
		ids[header.Get("Message-ID")] = true
	}
	if !slices.Equal(to, []string{"<a@example.com>", "<c@example.com>"}) || len(ids) != 1 {
		t.Errorf("sent to %q with the IDs %v", to, ids)
	}
	// The next state is for everybody again.
	m = notifytest.Story()[1]
	m.Receipt = receipt
	if _, err := n.Notify(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if mails := s.taken(); len(mails) != 3 || len(mails[2].To) != 2 {
		t.Errorf("%d mails, the last to %q", len(mails), mails[2].To)
	}
}

// TestGoodbye: a server that hangs once it has the mail holds nothing up.
func TestGoodbye(t *testing.T) {
	n, s := notifier(t, nil, nil)
	s.set("QUIT", "hang")
	begin := time.Now()
	if _, err := n.Notify(t.Context(), notifytest.Story()[0]); err != nil || time.Since(begin) > patient/2 {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

func TestNewRefuses(t *testing.T) {
	ok := func() Options {
		return Options{Smarthost: "mail.example.com:587", From: "a@example.com", To: []string{"b@example.com"}}
	}
	for want, change := range map[string]func(*Options){
		`smarthost "mail"`:     func(o *Options) { o.Smarthost = "mail" },
		`smarthost ":25"`:      func(o *Options) { o.Smarthost = ":25" },
		`from "a"`:             func(o *Options) { o.From = "a" },
		"at least one":         func(o *Options) { o.To = nil },
		`to "b\r\nBcc: c@x.y"`: func(o *Options) { o.To = []string{"b\r\nBcc: c@x.y"} },
		"needs a password":     func(o *Options) { o.Username = "x" },
	} {
		o := ok()
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	o := ok()
	o.Username = "x"
	for want, password := range map[string]func() (string, error){
		"email: password is empty":      func() (string, error) { return "\n", nil },
		"email: read password: no file": func() (string, error) { return "", errors.New("no file") },
	} {
		o.Password = password
		n, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Notify(t.Context(), notifytest.Story()[0]); !notify.IsMisconfigured(err) || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
