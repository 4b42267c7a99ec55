package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/esawatch/esawatch/checks/catalog"
)

// tokenTimeout bounds the fetching of a token, which is not part of the check's
// own timeout.
const tokenTimeout = 10 * time.Second

// tokenSource fetches access tokens by the client credentials grant and keeps
// the last one until shortly before it lapses.
//
// When no token comes, whether the token endpoint cannot be reached or answers
// with something else, the site was never asked: that is internal_error, its
// detail beginning with "oauth2 token endpoint:".
type tokenSource struct {
	settings OAuth2
	probe    *Probe // makes the connections to the token endpoint

	mu    sync.Mutex
	token *oauth2.Token
}

// newTokenSource prepares the fetching of tokens for a request, by the same
// proxy, but without what is meant for the site alone: its pinned address, its
// client certificate, and above all the leave not to verify.
func newTokenSource(o *OAuth2, req *Request) (*tokenSource, error) {
	if o.ClientSecret == nil {
		return nil, fieldErrorf("auth.oauth2.client_secret", "is missing")
	}
	if o.ClientID == "" {
		return nil, fieldErrorf("auth.oauth2.client_id", "is missing")
	}
	p, err := New(Request{
		URL:       o.TokenURL,
		Method:    http.MethodPost,
		UserAgent: req.UserAgent,
		Timeout:   tokenTimeout,
		ProxyURL:  req.ProxyURL,
		TLS:       TLSOptions{CAFile: req.TLS.CAFile, MinVersion: req.TLS.MinVersion, systemToo: true},
	})
	if err != nil {
		return nil, fieldErrorf("auth.oauth2.token_url", "%w", err)
	}
	return &tokenSource{settings: *o, probe: p}, nil
}

// header is the value of Authorization. Runs that need a token at the same
// moment share one fetch.
func (s *tokenSource) header(ctx context.Context, secrets *redactor) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.token.Valid() {
		token, err := s.fetch(ctx, secrets)
		if err != nil {
			return "", err
		}
		s.token = token
	}
	secrets.add(s.token.AccessToken)
	return s.token.Type() + " " + s.token.AccessToken, nil
}

func (s *tokenSource) fetch(ctx context.Context, secrets *redactor) (*oauth2.Token, error) {
	secret, err := s.settings.ClientSecret()
	if err != nil {
		return nil, &localError{fmt.Errorf("auth.oauth2.client_secret: %w", err)}
	}
	secrets.add(secret, url.QueryEscape(secret))
	config := clientcredentials.Config{
		ClientID:     s.settings.ClientID,
		ClientSecret: secret,
		TokenURL:     s.settings.TokenURL,
		Scopes:       s.settings.Scopes,
	}
	client := &http.Client{
		Transport:     roundTripper{s.probe},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
	if err != nil {
		return nil, tokenFailure(err)
	}
	return token, nil
}

// tokenFailure names what kept a token from coming. The library's own words may
// quote the whole answer and are not used.
func tokenFailure(err error) *failure {
	const where = "oauth2 token endpoint: "
	var f *failure
	if errors.As(err, &f) {
		return &failure{catalog.InternalError, where + f.detail, f.notes}
	}
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		detail := fmt.Sprintf("%sanswered %d", where, refused.Response.StatusCode)
		if refused.ErrorCode != "" {
			detail += " " + Printable(refused.ErrorCode, 64)
		}
		return &failure{condition: catalog.InternalError, detail: detail}
	}
	return &failure{condition: catalog.InternalError, detail: where + "answered with no token"}
}

// forget drops the token that is kept.
func (s *tokenSource) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = nil
}

func (s *tokenSource) close() { s.probe.Close() }

// roundTripper lets a library use a probe's way to connect. A request that fails
// gives a *failure.
type roundTripper struct{ p *Probe }

func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	r := t.p.newRun()
	r.begin(hop{url: req.URL})
	ctx := httptrace.WithClientTrace(context.WithValue(req.Context(), runKey{}, r), r.trace())
	c, err := r.newConn(ctx)
	if err != nil {
		return nil, r.explain(ctx, req.Context(), err, r.clock.now())
	}
	r.clock.enter(phaseProcessing)
	resp, err := c.RoundTrip(req.WithContext(ctx))
	if err != nil {
		c.close()
		return nil, r.explain(ctx, req.Context(), err, r.clock.now())
	}
	resp.Body = &closingBody{resp.Body, c}
	return resp, nil
}

// closingBody closes its connection too.
type closingBody struct {
	io.ReadCloser
	conn *conn
}

func (b *closingBody) Close() error {
	err := b.ReadCloser.Close()
	b.conn.close()
	return err
}
