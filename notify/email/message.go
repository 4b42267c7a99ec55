package email

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	mail "github.com/wneessen/go-mail"

	"github.com/esawatch/esawatch/notify"
)

// maxSubject is how long a subject may be, in characters.
const maxSubject = 200

// compose makes the mail that tells m. The same state gives the same Message-ID,
// so that a mail which is sent twice can be known for one.
//
// Every mail of an incident refers to one that never was, under which mail
// programs gather them: whichever of them is lost, the rest stay together.
func (n *Notifier) compose(m notify.Notification) (io.WriterTo, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(n.from)
	msg.ToMailAddress(n.to...)
	root := "<" + n.messageID(m.ID, 0) + ">"
	msg.SetGenHeaderPreformatted(mail.HeaderInReplyTo, root)
	msg.SetGenHeaderPreformatted(mail.HeaderReferences, root)
	msg.SetMessageIDWithValue(n.messageID(m.ID, max(1, m.Seq)))
	msg.SetDateWithValue(time.Now())
	msg.Subject(subject(m))
	// Nobody's holiday answer is wanted.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetGenHeader(mail.HeaderUserAgent, "esawatch")
	if m.Firing && m.Severity == "critical" {
		msg.SetImportance(mail.ImportanceHigh)
	}
	p := newPage(m)
	var text, html bytes.Buffer
	if err := textPage.Execute(&text, p); err != nil {
		return nil, fmt.Errorf("write the text: %w", err)
	}
	if err := htmlPage.Execute(&html, p); err != nil {
		return nil, fmt.Errorf("write the HTML: %w", err)
	}
	msg.SetBodyString(mail.TypeTextPlain, text.String())
	msg.AddAlternativeString(mail.TypeTextHTML, html.String())
	return msg, nil
}

// subject is the state, and the incident in one line.
func subject(m notify.Notification) string {
	w := notify.WordsFor(m.Lang)
	state := strings.ToUpper(w.State(m))
	line := strings.TrimPrefix(m.Headline(), w.Test+w.Colon)
	line = strings.TrimPrefix(line, w.State(m)+w.Colon)
	if m.Test {
		state = w.Test + " " + state
	}
	return notify.Line("["+state+"] "+line, maxSubject)
}

// atoms is what may stand before the @ of a Message-ID.
var atoms = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// messageID is the Message-ID of an incident's mail, without the brackets. seq is
// 0 for the one that never was.
func (n *Notifier) messageID(incident string, seq int) string {
	const longest = 100
	if !atoms.MatchString(incident) || len(incident) > longest {
		sum := sha256.Sum256([]byte(incident))
		incident = hex.EncodeToString(sum[:16])
	}
	domain := n.from.Address[strings.LastIndexByte(n.from.Address, '@')+1:]
	if !atoms.MatchString(domain) {
		domain = "esawatch.invalid"
	}
	return fmt.Sprintf("esawatch.%s.%d@%s", incident, seq, domain)
}
