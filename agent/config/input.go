package config

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxInput bounds how much of a file its sum is made of. It is more than any
// file may hold that a configuration names.
const maxInput = 32 << 20 // bytes

// Input is a file or directory that a Load has looked at, whether it was there
// or not.
type Input struct {
	Path string // as the operator named it, or relative to the file that names it
	// Live is for a file that is read again whenever it is used: a secret, a
	// certificate. The configuration need not be loaded again when it changes.
	Live bool
	// Sum is that of SumOf, taken before the Load read it: a change in between
	// is seen later rather than never.
	Sum string
}

// SumOf tells one content of a file, or one list of a directory's *.yaml, from
// another. It is "" for what cannot be read, and for what must not be read
// twice: a pipe, a device.
func SumOf(path string) string {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return ""
	case info.IsDir():
		names, err := filesNamed(path, ".yaml")
		if err != nil {
			return ""
		}
		return hashOf(strings.NewReader(strings.Join(names, "\x00")))
	case !info.Mode().IsRegular():
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	return hashOf(io.LimitReader(f, maxInput))
}

func hashOf(r io.Reader) string {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// filesNamed are the files of a directory with this ending, in the order of their
// names. Of those with .yaml the configuration is made.
func filesNamed(dir, ending string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ending && !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

// Secrets are the receiver's secrets, those that are not set among them.
func (r Receiver) Secrets() []Secret {
	switch {
	case r.Slack != nil:
		return []Secret{r.Slack.Token, r.Slack.WebhookURL}
	case r.Webhook != nil:
		return []Secret{r.Webhook.URL, r.Webhook.Secret}
	case r.PagerDuty != nil:
		return []Secret{r.PagerDuty.RoutingKey}
	case r.DingTalk != nil:
		return []Secret{r.DingTalk.WebhookURL, r.DingTalk.Secret}
	case r.Feishu != nil:
		return []Secret{r.Feishu.WebhookURL, r.Feishu.Secret}
	case r.WeCom != nil:
		return []Secret{r.WeCom.WebhookURL}
	case r.Email != nil:
		return []Secret{r.Email.Password}
	}
	return nil
}

// hasSeen tells whether a path was looked at, however it was written then.
func (l *loader) hasSeen(path string) bool {
	info, err := os.Stat(path)
	for seen := range l.seen {
		if seen == path {
			return true
		}
		if other, otherErr := os.Stat(seen); err == nil && otherErr == nil && os.SameFile(info, other) {
			return true
		}
	}
	return false
}

// see notes what is about to be looked at.
func (l *loader) see(path string, live bool) {
	if l.seen[path] {
		return
	}
	l.seen[path] = true
	if l.opts.Seen == nil {
		return
	}
	l.opts.Seen(Input{Path: path, Live: live, Sum: SumOf(path)})
}
