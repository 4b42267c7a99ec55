package slack

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/esawatch/esawatch/notify"
)

const (
	// maxAnswer bounds one answer: a page of a channel's history is the largest.
	maxAnswer = 4 << 20
	// maxErrorBody is how much of an answer is kept to explain it.
	maxErrorBody = 512
)

// exchange carries one request and keeps what slack-go throws away of the
// answer: the status, Retry-After in both forms, the words beside an error.
type exchange struct {
	base http.RoundTripper

	status     int           // 0 while there is no answer
	retryAfter time.Duration // 0 when not asked for
	body       []byte        // the beginning of it
	broken     error         // what cut the body off, nil when it came whole
}

// RoundTrip implements http.RoundTripper, for one request at a time.
func (e *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	*e = exchange{base: e.base}
	answer, err := e.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	e.status = answer.StatusCode
	e.retryAfter = notify.ParseRetryAfter(answer.Header, time.Now())
	// slack-go fails in its own way on a Retry-After that is a date.
	answer.Header.Del("Retry-After")
	answer.Body = &keptBody{Reader: io.LimitReader(answer.Body, maxAnswer), Closer: answer.Body, ctx: r.Context(), into: e}
	return answer, nil
}

// keptBody is a bounded body that remembers its beginning.
type keptBody struct {
	io.Reader
	io.Closer
	ctx  context.Context // of the request, for the length of its answer
	into *exchange
}

func (b *keptBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.into.body = append(b.into.body, p[:min(n, maxErrorBody-len(b.into.body))]...)
	if err != nil && err != io.EOF {
		b.into.broken = cmp.Or(over(b.ctx), err)
	}
	return n, err
}

// over says why ctx is over, nil when it is not. The client's timer may break a
// request off a moment before its context knows, with an error that says nothing.
func over(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// exchange makes an HTTP client for one call, and the exchange behind it.
func (n *Notifier) exchange() (*http.Client, *exchange) {
	e := &exchange{base: n.client.Transport}
	client := *n.client
	client.Transport = e
	return &client, e
}
