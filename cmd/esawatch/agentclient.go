package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/esawatch/esawatch/agent/config"
)

const (
	// defaultAgentURL is where an agent listens whose configuration does not say.
	defaultAgentURL = "http://127.0.0.1:9522"
	// maxAgentAnswer bounds what is read of an answer, in bytes: as many silences
	// as an agent keeps, each as large as it may be.
	maxAgentAnswer = 32 << 20
)

// agentFlags say where a running agent is and who asks it.
type agentFlags struct {
	url string
	credentials
}

// client makes the client of that agent.
func (f *agentFlags) client(cmd *cobra.Command) (*agentClient, error) {
	base, err := f.base(cmd)
	if err != nil {
		return nil, err
	}
	password, err := f.password()
	if err != nil {
		return nil, err
	}
	if f.user != "" {
		base.User = url.UserPassword(f.user, password)
	}
	version, _ := buildVersion()
	return &agentClient{base: base, agent: "esawatch/" + version, http: &http.Client{
		Transport: http.DefaultTransport.(*http.Transport).Clone(),
		Timeout:   30 * time.Second,
		// A change that is led elsewhere would arrive as a GET, and the password
		// is for this agent only.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// base is the URL of the flag, else that of the configuration, if there is one.
func (f *agentFlags) base(cmd *cobra.Command) (*url.URL, error) {
	raw := f.url
	if raw == "" {
		raw = defaultAgentURL
		if cmd.Flags().Changed("config") || slices.ContainsFunc(config.DefaultPaths(), isThere) {
			cfg, err := loadConfig(cmd, config.Options{})
			if err != nil {
				return nil, fmt.Errorf("%w\n--url http://HOST:PORT names the agent without a configuration", err)
			}
			raw = cmp.Or(cfg.Web.LocalURL(), raw)
		}
	}
	u, err := url.Parse(raw)
	if err != nil {
		// The error of url.Parse quotes all of it, with a password.
		return nil, errors.New("--url: this is not a URL, want http://HOST:PORT")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("--url: got %q, want http://HOST:PORT", u.Redacted())
	}
	return u, nil
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// agentClient asks a running agent through its API.
type agentClient struct {
	base  *url.URL // with who asks
	agent string   // User-Agent
	http  *http.Client
}

// close ends the connections that are kept for a next call.
func (c *agentClient) close() { c.http.CloseIdleConnections() }

// user is the name that the agent is told, "" for none.
func (c *agentClient) user() string { return c.base.User.Username() }

// name is the agent's URL, for people: without who asks.
func (c *agentClient) name() string {
	u := *c.base
	u.User = nil
	return u.String()
}

// call sends in, if it is not nil, and reads the answer into out. Its errors
// carry the exit code: what the agent finds wrong with the request is an error
// of usage.
func (c *agentClient) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path).String(), body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	resp, err := c.http.Do(req)
	if err != nil && ctx.Err() != nil {
		return failed(errors.New("interrupted"))
	}
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return failed(fmt.Errorf("ask the agent at %s: %w\nIs it running? --url http://HOST:PORT names another", c.name(), err))
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAgentAnswer))
	if err != nil {
		return failed(fmt.Errorf("read the answer of %s: %w", c.name(), err))
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return c.refusal(resp, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return failed(fmt.Errorf("%s does not answer as an agent of esawatch does: %w", c.name(), err))
	}
	return nil
}

// refusal is why the agent, or what is in its place, did not do what it was asked.
func (c *agentClient) refusal(resp *http.Response, text []byte) error {
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(text, &problem) != nil || problem.Detail == "" {
		if resp.StatusCode == http.StatusUnauthorized {
			return failed(fmt.Errorf("%s wants another user or password: --user NAME --password-file FILE", c.name()))
		}
		if to := resp.Header.Get("Location"); resp.StatusCode/100 == 3 && to != "" {
			return failed(fmt.Errorf("%s leads to %q; --url has to name the agent itself", c.name(), printable(to)))
		}
		said, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		return failed(fmt.Errorf("%s answers %d, not as an agent of esawatch does: %s", c.name(), resp.StatusCode, printable(said)))
	}
	err := errors.New(printable(problem.Detail))
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return err
	case http.StatusForbidden:
		return failed(fmt.Errorf("%s refuses: %w", c.name(), err))
	}
	return failed(err)
}

// printable is a server's text as a terminal may have it: in one line, with
// nothing that moves the cursor or turns the direction, and not endless.
func printable(s string) string {
	const most = 2000 // runes
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s))
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(runes)
}
