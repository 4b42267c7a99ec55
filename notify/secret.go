package notify

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ReadSecret asks for a secret, whose name is that of the setting; there is none if
// source is nil.
func ReadSecret(source func() (string, error), name string) (string, error) {
	if source == nil {
		return "", nil
	}
	secret, err := source()
	if err != nil {
		return "", Misconfigured(fmt.Errorf("read %s: %w", name, err))
	}
	if secret = strings.TrimSpace(secret); secret == "" {
		return "", Misconfigured(errors.New(name + " is empty"))
	}
	return secret, nil
}

// ShortestSecret is the length, in bytes, of what is taken for a secret at all: to
// take out less would tear words apart.
const ShortestSecret = 6

// URLSecrets is what of a URL that is a secret must be in no error: the whole, and
// those parts that may be told without the rest.
func URLSecrets(target string) []string {
	all := []string{target}
	add := func(s string) {
		if len(s) >= ShortestSecret {
			all = append(all, s)
		}
	}
	u, err := url.Parse(target)
	if err != nil {
		return all
	}
	password, _ := u.User.Password()
	add(password)
	add(u.RequestURI())
	add(u.Path)
	add(u.RawQuery)
	add(u.Path[strings.LastIndexByte(u.Path, '/')+1:])
	for _, values := range u.Query() {
		for _, v := range values {
			add(v)
		}
	}
	return all
}
