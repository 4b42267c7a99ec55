package notifytest

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxSlackRequest bounds what the stand-in reads of one request.
const maxSlackRequest = 4 << 20

// ServeHTTP answers the Web API below /api/ and the webhook.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method, isAPI := strings.CutPrefix(r.URL.Path, "/api/")
	if !isAPI {
		method = "webhook"
	}
	fault := s.takeFault(method)
	if fault != nil && !fault.After {
		s.record(method, cmp.Or(fault.Error, "fault"))
		fault.play(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxSlackRequest)
	var answer map[string]any
	if isAPI {
		answer = s.api(method, r)
	} else {
		answer = s.webhook(r)
	}
	failure, _ := answer["error"].(string)
	s.record(method, failure)
	switch {
	case fault != nil:
		fault.play(w, r)
	case isAPI:
		writeJSON(w, answer)
	case failure != "":
		writeWebhookError(w, failure)
	default:
		_, _ = io.WriteString(w, "ok")
	}
}

func (s *Slack) record(method, failure string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, SlackCall{Method: method, At: time.Now(), Error: failure})
}

// refuse is Slack's answer to a call that it does not carry out.
func refuse(code string, messages ...string) map[string]any {
	return map[string]any{"ok": false, "error": code, "response_metadata": map[string]any{"messages": messages}}
}

// api carries out one call of the Web API.
func (s *Slack) api(method string, r *http.Request) map[string]any {
	if err := r.ParseForm(); err != nil {
		return refuse("invalid_form_data")
	}
	f := r.Form
	s.mu.Lock()
	defer s.mu.Unlock()
	token := cmp.Or(f.Get("token"), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	switch {
	case token == "":
		return refuse("not_authed")
	case token != s.token:
		return refuse("invalid_auth")
	}
	switch method {
	case "auth.test":
		return map[string]any{"ok": true, "url": "https://example.slack.com/", "team": "example", "user": "esawatch", "team_id": "T00000000", "user_id": "U00000000", "bot_id": "B00000000"}
	case "chat.postMessage":
		return s.post(f)
	case "chat.update":
		return s.update(f)
	case "conversations.history":
		return s.history(f, "")
	case "conversations.replies":
		return s.history(f, f.Get("ts"))
	case "users.conversations", "conversations.list":
		return s.conversations()
	}
	return refuse("unknown_method")
}

// post is chat.postMessage. A channel may be named or given by its ID.
func (s *Slack) post(f url.Values) map[string]any {
	channel := ""
	for id, name := range s.channels {
		if f.Get("channel") == id || strings.TrimPrefix(f.Get("channel"), "#") == name {
			channel = id
		}
	}
	if channel == "" {
		return refuse("channel_not_found")
	}
	m, code, why := parseMessage(f)
	if code != "" {
		return refuse(code, why)
	}
	m.Channel, m.TS, m.PostedAt = channel, s.newTS(), time.Now()
	// A reply to a message that is gone becomes a message of its own.
	if parent := s.find(channel, f.Get("thread_ts")); parent != nil {
		m.ThreadTS = cmp.Or(parent.ThreadTS, parent.TS)
		m.Broadcast = f.Get("reply_broadcast") == "true"
	}
	s.messages = append(s.messages, m)
	return map[string]any{"ok": true, "channel": channel, "ts": m.TS, "message": m.wire(true)}
}

// update is chat.update, which takes a channel's ID only.
func (s *Slack) update(f url.Values) map[string]any {
	if _, known := s.channels[f.Get("channel")]; !known {
		return refuse("channel_not_found")
	}
	old := s.find(f.Get("channel"), f.Get("ts"))
	if old == nil {
		return refuse("message_not_found")
	}
	m, code, why := parseMessage(f)
	if code != "" {
		return refuse(code, why)
	}
	before := *old
	before.Edits = nil
	old.Edits = append(old.Edits, before)
	old.Text, old.EditedAt = m.Text, time.Now()
	// What an update leaves out stays as it was.
	if m.Blocks != nil {
		old.Blocks = m.Blocks
	}
	if m.Attachments != nil {
		old.Attachments = m.Attachments
	}
	if m.Metadata != nil {
		old.Metadata = m.Metadata
	}
	return map[string]any{"ok": true, "channel": old.Channel, "ts": old.TS, "text": old.Text, "message": old.wire(true)}
}

// history is conversations.history, newest first, or with a thread its
// conversations.replies, oldest first. Both take a channel's ID only.
func (s *Slack) history(f url.Values, thread string) map[string]any {
	channel := f.Get("channel")
	if _, known := s.channels[channel]; !known {
		return refuse("channel_not_found")
	}
	if thread != "" && s.find(channel, thread) == nil {
		return refuse("thread_not_found")
	}
	all := []map[string]any{}
	for _, m := range s.messages {
		inList := m.ThreadTS == "" || m.Broadcast
		if thread != "" {
			inList = m.TS == thread || m.ThreadTS == thread
		}
		tooOld := f.Get("oldest") != "" && tsMicros(m.TS) < tsMicros(f.Get("oldest")) && m.TS != thread
		if m.Channel != channel || m.Deleted || !inList || tooOld {
			continue
		}
		all = append(all, m.wire(f.Get("include_all_metadata") == "1"))
	}
	if thread == "" {
		for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
			all[i], all[j] = all[j], all[i]
		}
	}
	limit, _ := strconv.Atoi(f.Get("limit"))
	from, _ := strconv.Atoi(f.Get("cursor"))
	from = min(max(from, 0), len(all))
	to := min(from+cmp.Or(limit, 100), len(all))
	next := ""
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return map[string]any{"ok": true, "messages": all[from:to], "has_more": next != "", "response_metadata": map[string]any{"next_cursor": next}}
}

func (s *Slack) conversations() map[string]any {
	list := []map[string]any{}
	for id, name := range s.channels {
		list = append(list, map[string]any{"id": id, "name": name, "is_channel": true, "is_member": true})
	}
	return map[string]any{"ok": true, "channels": list, "response_metadata": map[string]any{"next_cursor": ""}}
}

// webhook posts what an incoming webhook is sent to the first channel.
func (s *Slack) webhook(r *http.Request) map[string]any {
	if r.URL.Path != SlackWebhookPath {
		return refuse("no_service")
	}
	var body struct {
		Text        string          `json:"text"`
		Blocks      json.RawMessage `json:"blocks"`
		Attachments json.RawMessage `json:"attachments"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return refuse("invalid_payload")
	}
	f := url.Values{"text": {body.Text}}
	if body.Blocks != nil {
		f.Set("blocks", string(body.Blocks))
	}
	if body.Attachments != nil {
		f.Set("attachments", string(body.Attachments))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, code, why := parseMessage(f)
	if code != "" {
		return refuse(code, why)
	}
	m.Channel, m.TS, m.PostedAt, m.Webhook = SlackChannelID, s.newTS(), time.Now(), true
	s.messages = append(s.messages, m)
	return map[string]any{"ok": true}
}

// find returns the message, nil when there is none.
func (s *Slack) find(channel, ts string) *SlackMessage {
	for _, m := range s.messages {
		if m.Channel == channel && m.TS == ts && !m.Deleted {
			return m
		}
	}
	return nil
}

// wire is the message as Slack's answers show it.
func (m *SlackMessage) wire(metadata bool) map[string]any {
	w := map[string]any{"type": "message", "bot_id": "B00000000", "ts": m.TS, "text": m.Text}
	if m.ThreadTS != "" {
		w["thread_ts"] = m.ThreadTS
	}
	if m.Broadcast {
		w["subtype"] = "thread_broadcast"
	}
	if len(m.Blocks) > 0 {
		w["blocks"] = m.Blocks
	}
	if len(m.Attachments) > 0 {
		w["attachments"] = m.Attachments
	}
	if metadata && len(m.Metadata) > 0 {
		w["metadata"] = m.Metadata
	}
	return w
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v)
}

// writeWebhookError answers as an incoming webhook does: a status and one word.
func writeWebhookError(w http.ResponseWriter, code string) {
	status := http.StatusBadRequest
	switch code {
	case "no_service", "no_team", "channel_not_found":
		status = http.StatusNotFound
	case "action_prohibited", "invalid_token":
		status = http.StatusForbidden
	case "channel_is_archived":
		status = http.StatusGone
	case "ratelimited", "rate_limited":
		status = http.StatusTooManyRequests
	case "rollup_error":
		status = http.StatusInternalServerError
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, code)
}
