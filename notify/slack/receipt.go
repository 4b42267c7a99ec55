package slack

import (
	"strconv"

	"github.com/esawatch/esawatch/notify"
)

// thread is where an incident is told, and how far.
type thread struct {
	to      string // the channel as it was configured
	channel string // its ID
	ts      string // of the message; "" when there is none
	root    int    // Seq that the message told when it was posted
	replied int    // Seq that the message and its replies have told
}

// threadOf reads a receipt. A receipt for another channel than the configured
// one is no good: the story starts anew in the new channel.
func threadOf(r notify.Receipt, channel string) thread {
	if r["ts"] == "" || r["channel"] == "" || r["to"] != channel {
		return thread{to: channel}
	}
	t := thread{to: channel, channel: r["channel"], ts: r["ts"]}
	t.root, _ = strconv.Atoi(r["root"])
	t.replied, _ = strconv.Atoi(r["replied"])
	return t
}

func (t thread) receipt() notify.Receipt {
	if t.ts == "" {
		return nil
	}
	return notify.Receipt{
		"to": t.to, "channel": t.channel, "ts": t.ts,
		"root": strconv.Itoa(t.root), "replied": strconv.Itoa(t.replied),
	}
}
