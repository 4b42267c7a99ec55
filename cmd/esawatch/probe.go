package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/esawatch/esawatch/agent"
	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// probeFlags are the flags of the command probe.
type probeFlags struct {
	output, lang                   string
	origin, method, data           string
	connectTo, httpVersion, caFile string
	header, expectStatus           []string
	insecure                       bool
	timeout                        time.Duration
	credentials
}

func newProbe() *cobra.Command {
	var f probeFlags
	cmd := &cobra.Command{
		Use:   "probe URL",
		Short: "Check a URL once with no configuration, and explain what is wrong",
		Example: `  esawatch probe https://shop.example.com/
  esawatch probe https://shop.example.com/ --origin 203.0.113.10:443
  esawatch probe https://shop.example.com/ --lang zh
  esawatch probe https://shop.example.com/admin --user probe --password-file ./password
  esawatch probe https://shop.example.com/api --method POST --data '{}' --header 'Content-Type: application/json'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("output", f.output, "text", "json"); err != nil {
				return err
			}
			if err := oneOf("lang", f.lang, languages...); err != nil {
				return err
			}
			check, err := f.build(args[0])
			if err != nil {
				return err
			}
			result := check.In(f.lang, check.Run(cmd.Context()))
			if cmd.Context().Err() != nil {
				return failed(fmt.Errorf("interrupted"))
			}
			result.Site, result.Check = "", "" // it belongs to no configuration
			if err := writeResults(cmd.OutOrStdout(), f.output, f.lang, []checks.Result{result}); err != nil {
				return failed(err)
			}
			if result.Outcome == checks.Fail {
				return failed(nil)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.output, "output", "text", "text or json")
	flags.StringVar(&f.lang, "lang", "en", "language of the diagnosis, en or zh")
	flags.StringVar(&f.origin, "origin", "", "HOST:PORT of the origin, asked directly at the same moment")
	flags.StringVar(&f.method, "method", "", "HTTP method (default GET, or POST with --data)")
	flags.StringArrayVar(&f.header, "header", nil, "`\"Name: value\"`, repeatable")
	flags.StringVar(&f.data, "data", "", "request body, or @FILE")
	flags.StringSliceVar(&f.expectStatus, "expect-status", nil, "status codes, classes or ranges that pass (default 2xx)")
	flags.StringVar(&f.user, "user", "", "NAME for basic authentication, with --password-file")
	flags.StringVar(&f.passwordFile, "password-file", "", "FILE with the password")
	flags.StringVar(&f.connectTo, "connect-to", "", "HOST:PORT to dial in place of the URL's; Host and SNI stay")
	flags.StringVar(&f.httpVersion, "http-version", "", "auto, 1.1, 2 or 3 (default auto)")
	flags.StringVar(&f.caFile, "ca-file", "", "PEM file of the authorities to trust in place of the system's")
	flags.BoolVar(&f.insecure, "insecure", false, "accept any certificate")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "of the whole request")
	return cmd
}

// build makes the check that the flags describe.
func (f *probeFlags) build(rawURL string) (*checks.Check, error) {
	if !strings.Contains(rawURL, "://") {
		return nil, fmt.Errorf("url %q: want http:// or https:// in front", rawURL)
	}
	if u, err := url.Parse(rawURL); err == nil && u.User != nil {
		u.User = nil
		return nil, fmt.Errorf("url %q: it holds a user name or password, which everybody on this machine can see (give them with --user NAME --password-file FILE)", probe.ShownURL(u.String()))
	}
	c, err := config.DefaultCheck(rawURL)
	if err != nil {
		return nil, err
	}
	if err := f.apply(&c); err != nil {
		return nil, err
	}
	site := &config.Site{Name: c.Site, URL: c.URL}
	if f.origin != "" {
		site.Origin = &config.Origin{Address: f.origin}
	}
	cat, err := catalog.Load()
	if err != nil {
		return nil, err
	}
	cfg, err := config.Default()
	if err != nil {
		return nil, err
	}
	version, _ := buildVersion()
	check, err := agent.BuildCheck(site, &c, cat, agent.IdentityOf(cfg, version))
	if err != nil {
		return nil, flagErrors(err)
	}
	return check, nil
}

// flagOf is the flag that sets a setting.
var flagOf = map[string]string{
	"auth":              "--user",
	"body_file":         "--data",
	"connect_to":        "--connect-to",
	"expect.status":     "--expect-status",
	"headers":           "--header",
	"http_version":      "--http-version",
	"method":            "--method",
	"origin.connect_to": "--origin",
	"tls.ca_file":       "--ca-file",
	"url":               "url",
}

// flagErrors names the flags in place of the settings that they set.
func flagErrors(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		field, ok := errors.AsType[*probe.FieldError](err)
		if !ok {
			return err
		}
		name := flagOf[field.Field]
		if setting, _, ok := strings.Cut(field.Field, "["); name == "" && ok {
			name = flagOf[setting]
		}
		if setting, _, ok := strings.Cut(field.Field, "."); name == "" && ok {
			name = flagOf[setting]
		}
		return fmt.Errorf("%s: %w", cmp.Or(name, field.Field), field.Err)
	}
	var errs []error
	for _, e := range joined.Unwrap() {
		errs = append(errs, flagErrors(e))
	}
	return errors.Join(errs...)
}

func (f *probeFlags) apply(c *config.Check) error {
	if f.timeout <= 0 {
		return fmt.Errorf("--timeout: got %v, want more than 0", f.timeout)
	}
	c.Timeout = f.timeout
	password, err := f.password()
	if err != nil {
		return err
	}
	if f.user != "" {
		c.Auth = &config.Auth{Basic: &config.Basic{Username: f.user, Password: config.NewSecret(password)}}
	}
	c.ConnectTo = f.connectTo
	c.TLS.CAFile, c.TLS.InsecureSkipVerify = f.caFile, f.insecure
	if f.httpVersion != "" {
		c.HTTPVersion = f.httpVersion
	}
	if len(f.expectStatus) > 0 {
		c.Expect.Status = f.expectStatus
	}
	c.Body = f.data
	if name, ok := strings.CutPrefix(f.data, "@"); ok {
		if _, err := os.Stat(name); err != nil {
			return fmt.Errorf("--data: %w", err)
		}
		c.Body, c.BodyFile = "", name
	}
	switch {
	case f.method != "":
		c.Method = strings.ToUpper(f.method)
	case f.data != "":
		c.Method = http.MethodPost
	}
	c.Headers = map[string]string{}
	for _, h := range f.header {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return fmt.Errorf(`--header: got %q, want "Name: value"`, h)
		}
		c.Headers[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return nil
}
