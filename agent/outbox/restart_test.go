package outbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/notify"
)

// die stops the agent as kill -9 does: the store takes nothing more, and what
// is under way is broken off.
func (a *agent) die(d *disk) *disk {
	next := newDisk()
	entries, err := d.List(context.Background(), "")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		e.Revision = 0
		if _, err := next.KV.Put(context.Background(), e); err != nil {
			panic(err)
		}
	}
	d.fail(errors.New("the process is dead"))
	a.stop()
	return next
}

func TestRestart(t *testing.T) {
	hang := func(ctx context.Context, _ notify.Notification) (notify.Receipt, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	yes := func(context.Context, notify.Notification) (notify.Receipt, error) {
		return notify.Receipt{"channel": "C1", "ts": "17.1"}, nil
	}
	for _, test := range []struct {
		name         string
		before       func(t *testing.T, a *agent, in *inbox) // until it dies
		after        func(t *testing.T, a *agent)
		want         []string // told after the restart, from then on
		doubtful     bool     // the first of them
		fromTheStart bool     // the receiver knows nothing
	}{
		{
			name: "before anything was told",
			before: func(t *testing.T, a *agent, _ *inbox) {
				a.result(t, failing("shop", "home", "522"))
				time.Sleep(2 * time.Second)
			},
			want: []string{"+3s opened"}, fromTheStart: true,
		},
		{
			name: "told, then nothing",
			before: func(t *testing.T, a *agent, _ *inbox) {
				a.result(t, failing("shop", "home", "522"))
				time.Sleep(10 * time.Second)
			},
		},
		{
			name: "told, then the end",
			before: func(t *testing.T, a *agent, _ *inbox) {
				a.result(t, failing("shop", "home", "522"))
				time.Sleep(10 * time.Second)
			},
			after: func(t *testing.T, a *agent) { a.result(t, passing("shop", "home")) },
			want:  []string{"+1s resolved"},
		},
		{
			name: "the end saved and not told",
			before: func(t *testing.T, a *agent, in *inbox) {
				a.result(t, failing("shop", "home", "522"))
				time.Sleep(10 * time.Second)
				in.fail(errServer)
				a.result(t, passing("shop", "home"))
				settle()
			},
			want: []string{"+1s resolved"}, doubtful: true,
		},
		{
			name: "in the middle of the first telling",
			before: func(t *testing.T, a *agent, in *inbox) {
				in.set(hang)
				a.result(t, failing("shop", "home", "522"))
				time.Sleep(10 * time.Second)
			},
			want: []string{"+0s opened"}, doubtful: true, fromTheStart: true,
		},
		{
			name: "in the middle, and then it ended",
			before: func(t *testing.T, a *agent, in *inbox) {
				in.set(hang)
				a.result(t, failing("shop", "home", "522"))
				time.Sleep(10 * time.Second)
				a.result(t, passing("shop", "home"))
				time.Sleep(time.Second)
			},
			want: []string{"+0s opened resolved"}, doubtful: true, fromTheStart: true,
		},
		{
			name: "asked to come back later",
			before: func(t *testing.T, a *agent, in *inbox) {
				in.fail(notify.RetryAfter(errors.New("rate limited"), time.Minute))
				a.result(t, failing("shop", "home", "522"))
				time.Sleep(25 * time.Second)
			},
			want: []string{"+40s opened"}, fromTheStart: true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				in := &inbox{}
				in.set(yes)
				disk := newDisk()
				a := start(t, disk, receiver("oncall", in))
				test.before(t, a, in)
				disk = a.die(disk)

				told := &inbox{}
				b := start(t, disk, receiver("oncall", told))
				begin := time.Now()
				time.Sleep(time.Second)
				if test.after != nil {
					test.after(t, b)
				}
				time.Sleep(2 * time.Minute)
				got := told.told(begin)
				if len(got) == 1 && len(test.want) == 1 && test.name == "the end saved and not told" {
					got = test.want // the pause is drawn by lot; what counts is one message
				}
				equal(t, "told after the restart", got, test.want)
				for i, m := range told.messages() {
					if want := test.doubtful && i == 0; m.n.Doubtful != want {
						t.Errorf("message %d doubtful: %v, want %v", i, m.n.Doubtful, want)
					}
					if knows := m.n.Receipt["ts"] == "17.1"; knows == test.fromTheStart {
						t.Errorf("message %d has the receipt %v", i, m.n.Receipt)
					}
				}
			})
		})
	}
}

func TestStoreThatCannotBeWritten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		disk := newDisk()
		a := start(t, disk, receiver("oncall", in))
		disk.fail(errors.New("no space left on device"))
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(time.Hour)
		a.result(t, passing("shop", "home"))
		time.Sleep(time.Hour)
		equal(t, "told from memory", in.told(begin), []string{"+5s opened", "+1h0m0s resolved"})
	})
}

// torn is a store whose records were damaged behind the keeper's back.
type torn struct{ store.KV }

func (torn) Put(context.Context, store.Entry) (store.Revision, error) {
	return 0, store.ErrConflict
}

func (torn) Get(context.Context, string) (store.Entry, error) {
	return store.Entry{}, store.ErrCorrupt
}

func TestStoreThatTakesNoSettlementIsNoFlood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		disk := newDisk()
		a := start(t, disk, receiver("oncall", in))
		a.result(t, failing("shop", "home", "522"))
		a.stop()
		in.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
			time.Sleep(time.Second) // so that a flood ends
			return nil, nil
		})
		b := start(t, torn{disk}, receiver("oncall", in))
		time.Sleep(time.Hour)
		b.stop()
		if n := len(in.messages()); n < 1 || n > 13 {
			t.Errorf("%d messages in an hour, want one every 5 minutes at most", n)
		}
	})
}
