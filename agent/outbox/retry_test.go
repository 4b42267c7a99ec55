package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/notify"
)

func TestReceiverDownThenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(errServer)
		a := start(t, newDisk(), receiver("oncall", in))
		for i := range 50 {
			a.result(t, failing(fmt.Sprintf("site%02d", i), "home", "522"))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		attempts := len(in.messages())
		tried := map[string]bool{}
		for _, m := range in.messages() {
			tried[m.n.Site] = true
		}
		// At first each pause is short, then one attempt a pause of up to 5 minutes.
		if attempts < 15 || attempts > 100 {
			t.Errorf("%d attempts in an hour, want a few dozen", attempts)
		}
		health := a.Health()[0]
		if health.Owed != 50 || health.Failures != attempts || health.LastError != errServer.Error() || time.Since(health.Oldest) < time.Hour {
			t.Errorf("health %+v", health)
		}
		a.result(t, passing("site07", "home")) // is owed as its present state
		in.fail(nil)
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		told := map[string]int{}
		for _, m := range in.messages()[attempts:] {
			told[m.n.Site]++
			if firing := m.n.Site != "site07"; m.n.Firing != firing {
				t.Errorf("%s firing %v, want %v", m.n.Site, m.n.Firing, firing)
			}
			if m.n.Doubtful != tried[m.n.Site] || m.n.Doubtful == m.n.DoubtfulSince.IsZero() {
				t.Errorf("%s: doubtful %v since %v, tried before %v", m.n.Site, m.n.Doubtful, m.n.DoubtfulSince, tried[m.n.Site])
			}
		}
		if len(told) != 50 || len(in.messages()) != attempts+50 {
			t.Errorf("told of %d incidents in %d messages, want 50 in 50", len(told), len(in.messages())-attempts)
		}
		if h := a.Health()[0]; h.Owed != 0 || h.Failures != 0 || h.LastError != "" || !h.Oldest.IsZero() {
			t.Errorf("health afterwards %+v", h)
		}
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(notify.RetryAfter(errors.New("rate limited"), 30*time.Second))
		a := start(t, newDisk(), receiver("oncall", in))
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		a.result(t, failing("blog", "home", "522"))
		time.Sleep(10 * time.Second)
		in.fail(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		equal(t, "told", in.told(begin), []string{"+5s opened !", "+35s opened", "+35s opened"})
		for _, m := range in.messages() {
			if m.n.Doubtful {
				t.Errorf("%s is doubtful, but the receiver said no", m.n.Site)
			}
		}
	})
}

// The first attempt may have got through. That the second is refused for sure
// must not make the third forget it: it would post a second message.
func TestGatus421AFailedSendDoublesTheAlert(t *testing.T) {
	for name, second := range map[string]error{
		"rate limited":  notify.RetryAfter(errors.New("rate limited"), 30*time.Second),
		"unreachable":   &net.OpError{Op: "dial", Err: errors.New("connection refused")},
		"misconfigured": notify.Misconfigured(errors.New("invalid_auth")),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				in := &inbox{}
				in.fail(context.DeadlineExceeded)
				a := start(t, newDisk(), receiver("oncall", in))
				begin := time.Now()
				a.result(t, failing("shop", "home", "522"))
				time.Sleep(timings.GroupWait + time.Millisecond)
				synctest.Wait()
				in.fail(second)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				in.fail(nil)
				time.Sleep(11 * time.Minute)
				got := in.messages()
				if len(got) < 3 || !got[len(got)-1].ok {
					t.Fatalf("told %v, want two failed attempts and a good one", in.told(begin))
				}
				for i, m := range got {
					if doubt := i > 0; m.n.Doubtful != doubt || doubt && !m.n.DoubtfulSince.Equal(got[0].at) {
						t.Errorf("attempt %d: doubtful %t since %v, want %t since %v", i+1, m.n.Doubtful, m.n.DoubtfulSince, doubt, got[0].at)
					}
				}
			})
		})
	}
}

// A message that is held up by a rate limit is told later as what it has become,
// even when all is well again by then.
func TestAlertmanager2111RateLimitDropsAlerts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(notify.RetryAfter(errors.New("rate limited"), 30*time.Second))
		a := start(t, newDisk(), receiver("oncall", in))
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(10 * time.Second)
		in.fail(nil)
		a.result(t, passing("shop", "home"))
		time.Sleep(time.Hour)
		equal(t, "told", in.told(begin), []string{"+5s opened !", "+35s opened resolved"})
	})
}

func TestHostileRetryAfter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(notify.RetryAfter(errors.New("rate limited"), 10*365*24*time.Hour))
		a := start(t, newDisk(), receiver("oncall", in))
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(61 * time.Minute)
		synctest.Wait()
		if got := len(in.messages()); got != 2 {
			t.Errorf("%d attempts, want another after an hour", got)
		}
	})
}

func TestOneBadIncidentHoldsUpNoOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.set(func(_ context.Context, n notify.Notification) (notify.Receipt, error) {
			if n.Site == "bad" {
				return nil, errServer
			}
			return nil, nil
		})
		a := start(t, newDisk(), receiver("oncall", in))
		a.result(t, failing("bad", "home", "522"))
		time.Sleep(time.Hour) // its own pause is 5 minutes by now
		for i := range 20 {
			begin := time.Now()
			site := fmt.Sprintf("good%d", i)
			a.result(t, failing(site, "home", "522"))
			time.Sleep(8 * time.Second)
			synctest.Wait()
			at := slices.IndexFunc(in.messages(), func(m message) bool { return m.n.Site == site })
			if at < 0 {
				t.Fatalf("%s was not told within 8 s", site)
			}
			if late := in.messages()[at].at.Sub(begin) - timings.GroupWait; late > time.Second {
				t.Errorf("%s was told %v late", site, late)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestBadReceiverDelaysNoOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		hanging, refused, panics, good := &inbox{}, &inbox{}, &inbox{}, &inbox{}
		hanging.set(func(ctx context.Context, _ notify.Notification) (notify.Receipt, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		refused.fail(&net.OpError{Op: "dial", Err: errors.New("connection refused")})
		panics.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
			panic("https://hooks.example.com/s3cret")
		})
		a := start(t, newDisk(), receiver("hanging", hanging), receiver("refused", refused), receiver("panics", panics), receiver("good", good))
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(time.Minute)
		a.result(t, passing("shop", "home"))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		equal(t, "told", good.told(begin), []string{"+5s opened", "+1m0s resolved"})
		if n := len(hanging.messages()); n < 2 || n > 3 {
			t.Errorf("%d attempts ended at the hanging receiver, want one in 30 s", n)
		}
		if len(refused.messages()) < 3 || len(panics.messages()) < 3 {
			t.Error("the failing receivers are not tried again")
		}
		last := func(in *inbox) notify.Notification { m := in.messages(); return m[len(m)-1].n }
		if !last(hanging).Doubtful {
			t.Error("a timeout leaves no doubt")
		}
		if last(refused).Doubtful {
			t.Error("a refused connection leaves doubt")
		}
		if log := a.log.String(); strings.Contains(log, "s3cret") || !strings.Contains(log, "panicked with a string") {
			t.Errorf("log of the panic:\n%s", log)
		}
	})
}

func TestRefusedForGood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(notify.Permanent(errors.New("msg_too_long from https://hooks.example.com/services/s3cret")))
		a := start(t, newDisk(), receiver("oncall", in))
		begin := time.Now()
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(time.Hour)
		equal(t, "tried", in.told(begin), []string{"+5s opened !"})
		in.fail(nil)
		a.result(t, passing("shop", "home")) // newer, so it is tried
		settle()
		equal(t, "tried", in.told(begin), []string{"+5s opened !", "+1h0m0s resolved"})
		if log := a.log.String(); !strings.Contains(log, "level=ERROR") || strings.Contains(log, "s3cret") {
			t.Errorf("log:\n%s", log)
		}
		counts(t, a, `esawatch_notifications_total{outcome="dropped",receiver="oncall"} 1
			esawatch_notifications_total{outcome="failed",receiver="oncall"} 0
			esawatch_notifications_total{outcome="sent",receiver="oncall"} 1`)
	})
}

func TestSuccessShortensThePause(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(errServer)
		a := start(t, newDisk(), receiver("oncall", in))
		for i := range 30 {
			a.result(t, failing(fmt.Sprintf("site%02d", i), "home", "522"))
		}
		time.Sleep(time.Hour)
		in.fail(nil)
		time.Sleep(10 * time.Minute)
		failures := 1
		in.set(func(context.Context, notify.Notification) (notify.Receipt, error) {
			if failures--; failures == 0 {
				return nil, errServer
			}
			return nil, nil
		})
		a.result(t, failing("shop", "home", "522"))
		time.Sleep(timings.GroupWait + time.Second) // the pause after one failure
		synctest.Wait()
		if m := in.messages(); m[len(m)-1].n.Site != "shop" || !m[len(m)-1].ok {
			t.Error("the failures before the last success still count")
		}
	})
}
