package alertmanager

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/esawatch/esawatch/notify"
)

const (
	// grace is how much longer than the first instance the others may take.
	grace = 2 * time.Second
	// rest is how long an instance that failed is left alone while another one
	// works, so that one which hangs does not slow every notification down.
	rest = 15 * time.Second
)

// errSlow is for an instance that did not answer within the grace.
var errSlow = notify.Because(notify.ReasonTimeout, errors.New("much slower than another instance"))

// instance is one Alertmanager.
type instance struct {
	url     string   // of the API
	name    string   // what to call it
	secrets []string // what must be in no error

	mu    sync.Mutex
	awake time.Time // it failed, and rests until then; zero when it works
}

func newInstance(base string, u *url.URL) *instance {
	i := &instance{url: strings.TrimSuffix(base, "/") + "/api/v2/alerts", name: u.Host}
	if password, ok := u.User.Password(); ok {
		basic := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
		i.secrets = []string{password, basic}
	}
	return i
}

func (i *instance) resting(now time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return now.Before(i.awake)
}

// note remembers how telling went and reports whether that is a change.
func (i *instance) note(err error, now time.Time) (changed bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	failed := !i.awake.IsZero()
	i.awake = time.Time{}
	if err != nil {
		i.awake = now.Add(rest)
	}
	return failed != (err != nil)
}

// outcome is how telling an instance went.
type outcome struct {
	*instance
	err error
}

// tellAll sends bodies to every instance at once, and is done when all have
// answered, or some time after the first has taken them. behind is how many
// have not. It is an error only if none has.
func (n *Notifier) tellAll(ctx context.Context, bodies [][]byte) (behind int, err error) {
	asked := n.awake(time.Now())
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	outcomes := make(chan outcome, len(asked))
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, i := range asked {
		wg.Go(func() { outcomes <- outcome{i, n.tell(ctx, i, bodies)} })
	}
	var failed []outcome
	var late <-chan time.Time
	for range asked {
		var o outcome
		select {
		case o = <-outcomes:
		case <-late:
			cancel(errSlow)
			late = nil
			o = <-outcomes
		}
		if o.err != nil {
			failed = append(failed, o)
		} else if late == nil && context.Cause(ctx) == nil {
			timer := time.NewTimer(grace)
			defer timer.Stop()
			late = timer.C
		}
		n.note(ctx, o)
	}
	if len(failed) == len(asked) {
		return len(n.instances), join(failed)
	}
	return len(n.instances) - len(asked) + len(failed), nil
}

// awake is the instances to tell now: all but those that rest, unless all do.
func (n *Notifier) awake(now time.Time) []*instance {
	var awake []*instance
	for _, i := range n.instances {
		if !i.resting(now) {
			awake = append(awake, i)
		}
	}
	if len(awake) == 0 {
		return n.instances
	}
	return awake
}

// note remembers an outcome and logs it if it is news. That we stopped ourselves
// says nothing about an instance.
func (n *Notifier) note(ctx context.Context, o outcome) {
	if o.err != nil && ctx.Err() != nil && context.Cause(ctx) != errSlow {
		return
	}
	switch changed := o.note(o.err, time.Now()); {
	case changed && o.err != nil:
		n.log.Warn("alertmanager does not take alerts", "component", "notify/alertmanager", "target", o.name, "err", o.err)
	case changed:
		n.log.Info("alertmanager takes alerts again", "component", "notify/alertmanager", "target", o.name)
	}
}

// join makes one error of those of all instances, of the kind that gives the
// most hope.
func join(failed []outcome) error {
	best, others := failed[0], []string{}
	for _, o := range failed[1:] {
		worse := o
		if hope(o.err) > hope(best.err) {
			best, worse = o, best
		}
		others = append(others, fmt.Sprintf("%s: %v", worse.name, worse.err))
	}
	err := fmt.Errorf("%s: %w", best.name, best.err)
	if len(others) > 0 {
		err = fmt.Errorf("%w; %s", err, strings.Join(others, "; "))
	}
	return err
}

// hope orders errors by what trying again may bring.
func hope(err error) int {
	switch {
	case notify.IsPermanent(err):
		return 0
	case notify.IsMisconfigured(err):
		return 1
	case notify.RetryDelay(err) > 0:
		return 2
	}
	return 3
}

// tell sends bodies to one instance, one after another.
func (n *Notifier) tell(ctx context.Context, i *instance, bodies [][]byte) error {
	for _, body := range bodies {
		answer, err := notify.Post(ctx, n.client, i.url, http.Header{"User-Agent": {"esawatch"}}, body, false)
		switch {
		case err != nil && context.Cause(ctx) == errSlow:
			return errSlow
		case err != nil:
			return notify.Redact(err, i.secrets...)
		case !answer.OK():
			return notify.Redact(answer.Err(reason(answer), "check the URL, and that it is Alertmanager's"), i.secrets...)
		case strings.HasPrefix(answer.ContentType, "text/html"):
			return notify.Because(notify.ReasonAnswer, errors.New("the answer is a web page: this is not Alertmanager"))
		}
	}
	return nil
}

// reason is why an Alertmanager refused: it says so in a JSON string.
func reason(a notify.Answer) string {
	var text string
	if json.Unmarshal(a.Body, &text) == nil {
		return text
	}
	if strings.HasPrefix(a.ContentType, "application/json") {
		return string(a.Body)
	}
	return ""
}
