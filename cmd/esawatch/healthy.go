package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// defaultHealthURL is where web.health_listen is in the container image.
const defaultHealthURL = "http://127.0.0.1:9523/-/healthy"

func newHealthy() *cobra.Command {
	return &cobra.Command{
		Use:   "healthy [URL]",
		Short: "Ask a running agent whether it does its work",
		Long: `Ask the agent at URL, ` + defaultHealthURL + ` if none is given: what is
configured as web.health_listen, or as web.listen where that wants no password. With
the path /-/ready it is asked whether it can be relied on, too.

It is for the health check of a container that has neither a shell nor curl. The
configuration is not read: a mistake in it, made while the agent runs on with what
it had, is no reason to end that.`,
		Example: "  esawatch healthy\n  esawatch healthy http://127.0.0.1:9522/-/ready",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at := defaultHealthURL
			if len(args) == 1 {
				at = args[0]
			}
			said, err := askHealth(cmd.Context(), at)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), said)
			return nil
		},
	}
}

// askHealth returns what the agent says of itself, in one line, or why it is not
// well. Its errors carry the exit code.
func askHealth(ctx context.Context, at string) (string, error) {
	const patience = 5 * time.Second
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") == "" {
		return "", fmt.Errorf("URL: want one like %s", defaultHealthURL)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return "", err
	}
	// No proxy of the environment, and no other page in the place of this one.
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return "", failed(fmt.Errorf("ask %s: %w", u.Redacted(), err))
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return "", failed(fmt.Errorf("read the answer of %s: %w", u.Redacted(), err))
	}
	said := printable(strings.TrimSpace(string(text)))
	if resp.StatusCode != http.StatusOK {
		return "", failed(fmt.Errorf("%s answers %d: %s", u.Redacted(), resp.StatusCode, said))
	}
	return said, nil
}
