package notify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// maxAnswer bounds how much of an answer is read, in bytes.
	maxAnswer = 64 << 10
	// defaultPause is the pause after a 429 that does not name one.
	defaultPause = 30 * time.Second
)

// Answer is what a receiver said to a request.
type Answer struct {
	Status      int           // of HTTP
	ContentType string        // as it was sent
	RetryAfter  time.Duration // 0 when not asked for
	Body        []byte        // at most 64 KiB, and nothing of a 2xx unless it was wanted
}

// Post sends body to url, as JSON unless header says otherwise. What the server
// answered is no error, whatever its status: Answer.Err judges that. An error
// means that there was no whole answer; it holds no part of the URL.
//
// The body of a 2xx is read only if wantBody is set: who does not need it is
// told the moment the status is there, and must not wait for the rest.
func Post(ctx context.Context, client *http.Client, url string, header http.Header, body []byte, wantBody bool) (Answer, error) {
	if WebURL(url) == "" {
		return Answer{}, Misconfigured(errors.New("the URL is not an http or https URL"))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, Misconfigured(errors.New("the URL is not valid"))
	}
	req.Header.Set("Content-Type", "application/json")
	for name, values := range header {
		req.Header[name] = values
	}
	// Go takes the host from here only.
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, TransportError(err)
	}
	defer func() { _ = res.Body.Close() }()
	a := Answer{
		Status: res.StatusCode, ContentType: res.Header.Get("Content-Type"),
		RetryAfter: ParseRetryAfter(res.Header, time.Now()),
	}
	if a.OK() && !wantBody {
		return a, nil
	}
	a.Body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	// Beside a refusal the body only explains: what there is of it will do.
	if a.OK() && err != nil {
		return a, TransportError(cmp.Or(ctx.Err(), err))
	}
	if len(a.Body) > maxAnswer {
		a.Body = a.Body[:maxAnswer]
		if a.OK() {
			return a, Because(ReasonAnswer, errors.New("the answer is too long"))
		}
	}
	return a, nil
}

// OK tells whether the server took the request.
func (a Answer) OK() bool { return a.Status >= 200 && a.Status < 300 }

// Err is the error for an answer that is no 2xx, nil for one that is. why is
// what the server gave as its reason, "" when it gave none; fix is what the
// operator can do when the address or the credentials are wrong.
func (a Answer) Err(why, fix string) error {
	if a.OK() {
		return nil
	}
	err := fmt.Errorf("HTTP status %d", a.Status)
	if why = Line(why, 200); why != "" {
		err = fmt.Errorf("%w: %q", err, why)
	}
	switch {
	case a.Status == http.StatusTooManyRequests:
		return RetryAfter(err, cmp.Or(a.RetryAfter, defaultPause))
	case a.Status >= 500 && a.RetryAfter > 0:
		return RetryAfter(Because(ReasonServer, err), a.RetryAfter)
	case a.Status >= 500:
		return Because(ReasonServer, err)
	case a.Status >= 300 && a.Status < 400:
		return Because(ReasonAnswer, fmt.Errorf("%w: redirects are not followed: set the final URL", err))
	}
	switch a.Status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusProxyAuthRequired, http.StatusGone:
		return Misconfigured(fmt.Errorf("%w: %s", err, fix))
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusMisdirectedRequest, http.StatusLocked:
		return Because(ReasonServer, err)
	}
	if a.Status < 300 { // 1xx, which Go never hands over
		return Because(ReasonAnswer, err)
	}
	return Permanent(err)
}
