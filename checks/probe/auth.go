package probe

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// authenticator adds what proves who we are. Secrets are asked for at each run.
type authenticator struct {
	auth   Auth
	static string // the header of a URL with user info
	tokens *tokenSource
}

// apply is header with an Authorization, or header itself when there is none to
// add. Every secret that it uses goes into secrets.
func (a *authenticator) apply(ctx context.Context, header http.Header, secrets *redactor) (http.Header, error) {
	value, err := a.value(ctx, secrets)
	if err != nil || value == "" {
		return header, err
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return nil, &localError{errors.New("auth: the secret has a character that no header may have")}
	}
	header = maps.Clone(header)
	header["Authorization"] = []string{value}
	return header, nil
}

func (a *authenticator) value(ctx context.Context, secrets *redactor) (string, error) {
	switch {
	case a.static != "":
		return a.static, nil
	case a.auth.BasicPassword != nil:
		password, err := a.auth.BasicPassword()
		if err != nil {
			return "", &localError{fmt.Errorf("auth.basic.password: %w", err)}
		}
		pair := base64.StdEncoding.EncodeToString([]byte(a.auth.BasicUser + ":" + password))
		secrets.add(password, pair)
		return "Basic " + pair, nil
	case a.auth.Bearer != nil:
		token, err := a.auth.Bearer()
		if err != nil {
			return "", &localError{fmt.Errorf("auth.bearer.token: %w", err)}
		}
		token = strings.TrimSpace(token)
		secrets.add(token)
		return "Bearer " + token, nil
	case a.tokens != nil:
		return a.tokens.header(ctx, secrets)
	}
	return "", nil
}

// refused is called when the site did not accept us: a token that was kept may
// have been revoked.
func (a *authenticator) refused() {
	if a.tokens != nil {
		a.tokens.forget()
	}
}
