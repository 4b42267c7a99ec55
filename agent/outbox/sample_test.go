package outbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/notify"
)

func TestSendSample(t *testing.T) {
	in := &inbox{}
	in.set(func(_ context.Context, n notify.Notification) (notify.Receipt, error) {
		return notify.Receipt{"ts": "1"}, nil
	})
	r := receiver("oncall", in)
	if err := outbox.SendSample(t.Context(), r, ""); err != nil {
		t.Fatal(err)
	}
	m := in.messages()
	if len(m) != 2 || !m[0].n.Firing || m[1].n.Firing || !m[0].n.Test || !m[1].n.Test {
		t.Fatalf("got %+v", m)
	}
	if m[0].n.Receipt != nil || m[1].n.Receipt["ts"] != "1" || m[0].n.ID != m[1].n.ID {
		t.Error("the end does not follow up on the opening")
	}

	r.SendResolved = false
	if err := outbox.SendSample(t.Context(), r, ""); err != nil || len(in.messages()) != 3 {
		t.Errorf("error %v, %d messages, want no end", err, len(in.messages())-2)
	}

	cause := errors.New("invalid_auth")
	in.fail(cause)
	err := outbox.SendSample(t.Context(), r, "")
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "of an incident") {
		t.Errorf("error %v", err)
	}
}
