package notifytest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"unicode/utf8"
)

// Slack's limits. Those on a whole message are not documented; what is counted
// here, the characters of the JSON, was never seen to be stricter than it.
const (
	maxBlocks      = 50
	maxHeader      = 150
	maxSection     = 3000
	maxFields      = 10
	maxField       = 2000
	maxContext     = 10
	maxActions     = 25
	maxButton      = 75
	maxURL         = 3000
	maxText        = 40000
	maxAllBlocks   = 13000
	maxMetadata    = 8000
	maxAttachments = 20
)

// parseMessage reads and checks what chat.postMessage, chat.update and the
// webhook have in common. code is Slack's error, "" when there is none.
func parseMessage(f url.Values) (m *SlackMessage, code, why string) {
	m = &SlackMessage{Text: f.Get("text")}
	if f.Has("blocks") {
		m.Blocks = json.RawMessage(f.Get("blocks"))
	}
	if f.Has("attachments") {
		m.Attachments = json.RawMessage(f.Get("attachments"))
	}
	if f.Has("metadata") {
		m.Metadata = json.RawMessage(f.Get("metadata"))
	}
	if utf8.RuneCountInString(m.Text) > maxText {
		return nil, "msg_too_long", "text"
	}
	// The real one takes a message without text; a phone then shows nothing.
	if m.Text == "" {
		return nil, "no_text", "text is missing"
	}
	var blocks []map[string]any
	if m.Blocks != nil && json.Unmarshal(m.Blocks, &blocks) != nil {
		return nil, "invalid_blocks_format", "blocks"
	}
	size := utf8.RuneCount(m.Blocks)
	if err := checkBlocks(blocks); err != nil {
		return nil, "invalid_blocks", err.Error()
	}
	var attachments []struct {
		Blocks   []map[string]any `json:"blocks"`
		Fallback string           `json:"fallback"`
	}
	if m.Attachments != nil && json.Unmarshal(m.Attachments, &attachments) != nil {
		return nil, "invalid_attachments", "attachments"
	}
	if len(attachments) > maxAttachments {
		return nil, "too_many_attachments", ""
	}
	for _, a := range attachments {
		if err := checkBlocks(a.Blocks); err != nil {
			return nil, "invalid_blocks", err.Error()
		}
	}
	if size+utf8.RuneCount(m.Attachments) > maxAllBlocks {
		return nil, "msg_blocks_too_long", fmt.Sprint(size)
	}
	return m, checkMetadata(m.Metadata), ""
}

func checkMetadata(raw json.RawMessage) string {
	var metadata struct {
		EventType    string         `json:"event_type"`
		EventPayload map[string]any `json:"event_payload"`
	}
	switch {
	case raw == nil:
		return ""
	case len(raw) > maxMetadata:
		return "metadata_too_large"
	case json.Unmarshal(raw, &metadata) != nil, metadata.EventType == "", metadata.EventPayload == nil:
		return "invalid_metadata_format"
	}
	return ""
}

func checkBlocks(blocks []map[string]any) error {
	if len(blocks) > maxBlocks {
		return fmt.Errorf("no more than %d items allowed [json-pointer:/blocks]", maxBlocks)
	}
	for i, b := range blocks {
		if err := checkBlock(b); err != nil {
			return fmt.Errorf("%w [json-pointer:/blocks/%d]", err, i)
		}
	}
	return nil
}

func checkBlock(b map[string]any) error {
	elements, _ := b["elements"].([]any)
	switch kind := b["type"]; kind {
	case "divider":
		return nil
	case "header":
		if text, _ := b["text"].(map[string]any); text["type"] != "plain_text" {
			return fmt.Errorf("header must be plain_text")
		}
		return checkText(b["text"], maxHeader)
	case "section":
		return checkSection(b)
	case "context":
		if len(elements) == 0 || len(elements) > maxContext {
			return fmt.Errorf("context has %d elements", len(elements))
		}
		for _, e := range elements {
			if err := checkText(e, maxSection); err != nil {
				return err
			}
		}
		return nil
	case "actions":
		return checkActions(elements)
	case "rich_text":
		return checkRichText(elements)
	default:
		return fmt.Errorf("unsupported type: %v", kind)
	}
}

func checkSection(b map[string]any) error {
	fields, _ := b["fields"].([]any)
	if b["text"] == nil && len(fields) == 0 {
		return fmt.Errorf("section has neither text nor fields")
	}
	if len(fields) > maxFields {
		return fmt.Errorf("section has %d fields", len(fields))
	}
	for _, f := range fields {
		if err := checkText(f, maxField); err != nil {
			return err
		}
	}
	if b["text"] == nil {
		return nil
	}
	return checkText(b["text"], maxSection)
}

func checkActions(elements []any) error {
	if len(elements) == 0 || len(elements) > maxActions {
		return fmt.Errorf("actions has %d elements", len(elements))
	}
	for _, e := range elements {
		button, _ := e.(map[string]any)
		if link, _ := button["url"].(string); len(link) > maxURL {
			return fmt.Errorf("url is too long")
		}
		if err := checkText(button["text"], maxButton); err != nil {
			return err
		}
	}
	return nil
}

// checkText checks one text object: its type, and that it is neither empty nor
// longer than limit.
func checkText(v any, limit int) error {
	object, _ := v.(map[string]any)
	text, _ := object["text"].(string)
	if kind := object["type"]; kind != "plain_text" && kind != "mrkdwn" {
		return fmt.Errorf("text object has type %v", kind)
	}
	if n := utf8.RuneCountInString(text); n == 0 || n > limit {
		return fmt.Errorf("text has %d characters, must be 1 to %d", n, limit)
	}
	return nil
}

// checkRichText checks the tree of a rich_text block: known elements, and no
// empty text.
func checkRichText(elements []any) error {
	if len(elements) == 0 {
		return fmt.Errorf("rich_text is empty")
	}
	for _, e := range elements {
		element, _ := e.(map[string]any)
		children, _ := element["elements"].([]any)
		switch kind := element["type"]; kind {
		case "rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted":
			if err := checkRichText(children); err != nil {
				return err
			}
		case "text":
			if element["text"] == "" {
				return fmt.Errorf("rich_text has an empty text")
			}
		case "link":
			if link, _ := element["url"].(string); link == "" || len(link) > maxURL {
				return fmt.Errorf("rich_text has a bad url")
			}
		case "date", "emoji", "user", "usergroup", "broadcast":
		default:
			return fmt.Errorf("unsupported rich_text element: %v", kind)
		}
	}
	return nil
}

// walkText calls f with every string called "text" in v, a decoded JSON value,
// in the order of the document's arrays.
func walkText(v any, f func(string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			walkText(e, f)
		}
	case map[string]any:
		if text, ok := v["text"].(string); ok {
			f(text)
		}
		for _, key := range []string{"text", "fields", "elements", "blocks"} {
			if _, isText := v[key].(string); !isText {
				walkText(v[key], f)
			}
		}
	}
}
