package agent

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// maxBodyFile bounds a request's body: ESA takes uploads of up to 500 MB, but a
// check that sends that much is a mistake.
const maxBodyFile = 16 << 20 // bytes

// Identity is who the checks of this agent say they are.
type Identity struct {
	Location  string
	UserAgent string
}

// BuildCheck makes a check of its configuration. Its error joins a
// *probe.FieldError for each setting that cannot be used, whose Field is the
// setting's name below the check.
func BuildCheck(site *config.Site, c *config.Check, cat *catalog.Catalog, id Identity) (*checks.Check, error) {
	return (&checkMaker{id: id}).check(site, c, cat)
}

// checkMaker makes checks that share what is equal between them. There may be
// ten thousand, and nearly all of them ask and expect alike.
type checkMaker struct {
	id     Identity
	probes probe.Common
	expect map[string]assert.List // by what is expected, as text
}

// check is BuildCheck.
func (m *checkMaker) check(site *config.Site, c *config.Check, cat *catalog.Catalog) (*checks.Check, error) {
	var errs []error
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	check := &checks.Check{
		Site: c.Site, Name: c.Name, Location: m.id.Location,
		URL: probe.ShownURL(c.URL), Method: c.Method,
		Catalog: cat, Severity: c.Severity, RunbookURL: c.RunbookURL,
	}
	expect := expectOf(&c.Expect)
	var err error
	check.Expect, err = m.list(expect)
	note(prefixed("expect.", err))

	req, err := requestOf(c, m.id)
	note(err)
	check.Asked = askedOf(req)
	edge, err := m.probes.New(req)
	if note(err); err == nil {
		check.Edge = edge
	}
	if site != nil && site.Origin != nil {
		note(m.addOrigin(check, site, req, expect))
	}
	return check, errors.Join(errs...)
}

// list makes expectations ready, once for all checks that have the same.
func (m *checkMaker) list(e assert.Expect) (assert.List, error) {
	key := fmt.Sprintf("%#v", e) // maps are in order of their keys
	if list, ok := m.expect[key]; ok {
		return list, nil
	}
	list, err := assert.Build(e)
	if err != nil {
		return nil, err
	}
	if m.expect == nil {
		m.expect = map[string]assert.List{}
	}
	m.expect[key] = list
	return list, nil
}

// addOrigin gives the check its second leg: the same request, dialled at the
// origin's address. A check of another host than the site's has none: that
// host's origin is not known.
func (m *checkMaker) addOrigin(check *checks.Check, site *config.Site, req probe.Request, expect assert.Expect) error {
	u, err := url.Parse(req.URL)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if base, err := url.Parse(site.URL); err != nil || !strings.EqualFold(base.Hostname(), u.Hostname()) {
		return nil
	}
	o := site.Origin
	leg := &checks.OriginLeg{Addr: o.Address}
	if o.Scheme != "" && o.Scheme != u.Scheme {
		u.Scheme = o.Scheme
		// The port belongs to the scheme that it was given for. ConnectTo says
		// where to go, so the URL needs none.
		u.Host = u.Hostname()
		req.URL = u.String()
		leg.URL = probe.ShownURL(req.URL)
	}
	req = originRequest(req, o, u.Scheme)
	there := req
	there.ConnectTo = "" // the steps name the address
	leg.Asked = askedOf(there)
	origin, err := m.probes.New(req)
	if err != nil {
		return prefixed("origin.", err)
	}
	leg.Expect, err = m.list(originExpect(expect))
	if err != nil {
		origin.Close()
		return nil // said already of the edge's
	}
	leg.Prober, check.Origin = origin, leg
	return nil
}

// originRequest is the check's request as the origin is asked: as ESA would ask
// it, whatever the check wants to know of the edge's protocols.
func originRequest(req probe.Request, o *config.Origin, scheme string) probe.Request {
	req.ConnectTo, req.StayPinned = o.Address, true
	req.ProxyURL = "" // the way to the origin is a direct one
	req.IPFamily = "any"
	if req.HTTPVersion != "1.1" {
		req.HTTPVersion = "auto"
	}
	if scheme == "http" {
		req.HTTPVersion = "1.1"
	}
	if o.Host != "" {
		req.Header = req.Header.Clone()
		if req.Header == nil {
			req.Header = http.Header{}
		}
		req.Header.Set("Host", o.Host)
		req.TLS.ServerName = "" // as Host
	}
	if o.ServerName != "" {
		req.TLS.ServerName = o.ServerName
	}
	req.TLS.InsecureSkipVerify = req.TLS.InsecureSkipVerify || o.InsecureSkipVerify
	return req
}

// originExpect is what of the check's expectations the origin is judged by: what
// it answers and how fast. Headers, the edge's certificate and how the edge
// treats visitors are no business of its, nor are redirects that the edge makes.
func originExpect(e assert.Expect) assert.Expect {
	return assert.Expect{
		Status:       append(slices.Clone(e.Status), "2xx", "3xx"),
		BodyContains: e.BodyContains, BodyNotContain: e.BodyNotContain,
		BodyMatches: e.BodyMatches, BodyNotMatch: e.BodyNotMatch,
		JSON: e.JSON, MaxDuration: e.MaxDuration,
		ViaESA: "any", Challenge: "allow",
	}
}

// requestOf is the request of the check's configuration.
func requestOf(c *config.Check, id Identity) (probe.Request, error) {
	body, err := bodyOf(c)
	req := probe.Request{
		URL: c.URL, Method: c.Method, Body: body, UserAgent: id.UserAgent,
		Timeout: c.Timeout, ConnectTo: c.ConnectTo, ProxyURL: c.ProxyURL,
		IPFamily: c.IPFamily, HTTPVersion: c.HTTPVersion,
		NoRedirects: !c.FollowRedirects, MaxRedirects: c.MaxRedirects,
		Reuse: c.Connection == "reuse", MaxBodyBytes: c.MaxBodyBytes,
		TLS: probe.TLSOptions{
			CAFile: c.TLS.CAFile, CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile,
			ServerName: c.TLS.ServerName, MinVersion: c.TLS.MinVersion,
			InsecureSkipVerify: c.TLS.InsecureSkipVerify,
		},
		Auth: authOf(c.Auth),
	}
	if len(c.Headers) > 0 {
		req.Header = make(http.Header, len(c.Headers))
		for name, value := range c.Headers {
			req.Header.Set(name, value)
		}
	}
	return req, err
}

func bodyOf(c *config.Check) ([]byte, error) {
	if c.BodyFile == "" {
		return []byte(c.Body), nil
	}
	body, err := readBody(c.BodyFile)
	if err != nil {
		return nil, &probe.FieldError{Field: "body_file", Err: err}
	}
	return body, nil
}

// readBody reads a regular file: a pipe or a device would hang or never end.
func readBody(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxBodyFile+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxBodyFile {
		return nil, fmt.Errorf("%q is longer than %d bytes", name, maxBodyFile)
	}
	return body, nil
}

func authOf(a *config.Auth) probe.Auth {
	switch {
	case a == nil:
		return probe.Auth{}
	case a.Basic != nil:
		return probe.Auth{BasicUser: a.Basic.Username, BasicPassword: a.Basic.Password.Get}
	case a.Bearer != nil:
		return probe.Auth{Bearer: a.Bearer.Token.Get}
	case a.OAuth2 != nil:
		return probe.Auth{OAuth2: &probe.OAuth2{
			TokenURL: a.OAuth2.TokenURL, ClientID: a.OAuth2.ClientID,
			ClientSecret: a.OAuth2.ClientSecret.Get, Scopes: a.OAuth2.Scopes,
		}}
	}
	return probe.Auth{}
}

func expectOf(e *config.Expect) assert.Expect {
	return assert.Expect{
		Status:       e.Status,
		BodyContains: e.BodyContains, BodyNotContain: e.BodyNotContains,
		BodyMatches: e.BodyMatches, BodyNotMatch: e.BodyNotMatches,
		Headers: e.Headers, JSON: e.JSON, Expr: e.Expr,
		MaxDuration: e.MaxDuration, CertValidFor: e.CertValidFor,
		ViaESA: e.ViaESA, Challenge: e.Challenge,
	}
}

// prefixed puts a prefix before the field of each FieldError in err.
func prefixed(prefix string, err error) error {
	if err == nil {
		return nil
	}
	var errs []error
	for _, e := range fieldErrors(err) {
		if field, ok := errors.AsType[*probe.FieldError](e); ok {
			e = &probe.FieldError{Field: prefix + field.Field, Err: field.Err}
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// fieldErrors takes a joined error apart.
func fieldErrors(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, fieldErrors(e)...)
		}
		return all
	}
	return []error{err}
}
