package notifytest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What a new Slack stand-in knows.
const (
	SlackToken       = "xoxb-000000000000-test-only-secret"
	SlackWebhookPath = "/services/T00000000/B00000000/webhook-test-only-secret"
	SlackChannel     = "#oncall"
	SlackChannelID   = "C0ONCALL"
)

// Slack is a stand-in for Slack: an http.Handler that speaks the part of its Web
// API that esawatch uses, below /api/, and an incoming webhook at
// SlackWebhookPath. It refuses what the real one refuses, remembers what was
// posted, and fails as told. Its methods may be called at any time.
type Slack struct {
	mu       sync.Mutex
	token    string
	channels map[string]string // name without "#" by ID
	messages []*SlackMessage
	calls    []SlackCall
	faults   []SlackFault
	lastTS   int64

	listener *listener
}

// SlackMessage is one message as the stand-in holds it.
type SlackMessage struct {
	Channel     string // ID
	TS          string // unique, and larger than every earlier one
	ThreadTS    string // of the message that it replies to, "" at the top
	Broadcast   bool   // a reply shown in the channel too
	Text        string // the fallback
	Blocks      json.RawMessage
	Attachments json.RawMessage
	Metadata    json.RawMessage
	Webhook     bool // posted through the incoming webhook
	Deleted     bool
	PostedAt    time.Time
	EditedAt    time.Time      // zero when never
	Edits       []SlackMessage // what it looked like before, oldest first
}

// SlackCall is one call as it came in, in order.
type SlackCall struct {
	Method string // "chat.postMessage", …, "webhook"
	At     time.Time
	Error  string // what was answered, "" for ok
}

// NewSlack makes a stand-in with one channel, SlackChannel.
func NewSlack() *Slack {
	return &Slack{token: SlackToken, channels: map[string]string{SlackChannelID: strings.TrimPrefix(SlackChannel, "#")}}
}

// AddChannel makes another channel and returns its ID.
func (s *Slack) AddChannel(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := fmt.Sprintf("C%07d", len(s.channels))
	s.channels[id] = strings.TrimPrefix(name, "#")
	return id
}

// SetToken changes the only token that is taken.
func (s *Slack) SetToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// Delete removes a message, as a person can.
func (s *Slack) Delete(ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		if m.TS == ts {
			m.Deleted = true
		}
	}
}

// Messages returns copies of all messages that are not deleted, oldest first.
func (s *Slack) Messages() []SlackMessage {
	return s.list(func(m *SlackMessage) bool { return true })
}

// Tops returns the messages that are no replies, oldest first.
func (s *Slack) Tops() []SlackMessage {
	return s.list(func(m *SlackMessage) bool { return m.ThreadTS == "" })
}

// Replies returns the replies to the message ts, oldest first.
func (s *Slack) Replies(ts string) []SlackMessage {
	return s.list(func(m *SlackMessage) bool { return m.ThreadTS == ts })
}

// Calls returns what was called, oldest first, refused calls included.
func (s *Slack) Calls() []SlackCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *Slack) list(want func(*SlackMessage) bool) []SlackMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []SlackMessage
	for _, m := range s.messages {
		if !m.Deleted && want(m) {
			c := *m
			c.Edits = slices.Clone(m.Edits)
			found = append(found, c)
		}
	}
	return found
}

// Rendered is all text that the message shows, a line for each piece: what a
// test looks into when the layout does not matter.
func (m SlackMessage) Rendered() string {
	var pieces []string
	for _, raw := range []json.RawMessage{m.Blocks, m.Attachments} {
		var v any
		if json.Unmarshal(raw, &v) == nil {
			walkText(v, func(text string) { pieces = append(pieces, text) })
		}
	}
	if len(pieces) == 0 {
		return m.Text
	}
	return strings.Join(pieces, "\n")
}

// newTS makes the next message id: seconds and microseconds, never the same
// twice. The caller holds the lock.
func (s *Slack) newTS() string {
	s.lastTS = max(s.lastTS+1, time.Now().UnixMicro())
	return fmt.Sprintf("%d.%06d", s.lastTS/1e6, s.lastTS%1e6)
}

// tsMicros is the reverse of newTS. Unlike a float it loses no digit.
func tsMicros(ts string) int64 {
	seconds, micros, _ := strings.Cut(ts, ".")
	sec, _ := strconv.ParseInt(seconds, 10, 64)
	us, _ := strconv.ParseInt((micros + "000000")[:6], 10, 64)
	return sec*1e6 + us
}

// listener is a stand-in that listens: it can go away and come back on the same
// address, as seen from a client in another process.
type listener struct {
	addr   string
	server *http.Server
	done   chan struct{}
}

// Listen serves s on a free loopback port, until Close.
func (s *Slack) Listen() error { return s.listen("127.0.0.1:0") }

// Up serves s again on the address it had before Down.
func (s *Slack) Up() error {
	s.mu.Lock()
	addr := s.listener.addr
	s.mu.Unlock()
	return s.listen(addr)
}

func (s *Slack) listen(addr string) error {
	socket, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen as slack: %w", err)
	}
	l := &listener{addr: socket.Addr().String(), server: &http.Server{Handler: s}, done: make(chan struct{})}
	s.mu.Lock()
	s.listener = l
	s.mu.Unlock()
	go func() {
		defer close(l.done)
		_ = l.server.Serve(socket)
	}()
	return nil
}

// Down stops listening and breaks every open connection.
func (s *Slack) Down() {
	s.mu.Lock()
	l := s.listener
	s.mu.Unlock()
	_ = l.server.Close()
	<-l.done
}

// APIURL is the address of the Web API, for api_url.
func (s *Slack) APIURL() string { return s.base() + "/api/" }

// WebhookURL is the address of the incoming webhook.
func (s *Slack) WebhookURL() string { return s.base() + SlackWebhookPath }

func (s *Slack) base() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "http://" + s.listener.addr
}
