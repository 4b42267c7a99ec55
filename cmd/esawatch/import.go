package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/esawatch/esawatch/agent/config/migrate"
)

// maxImport bounds what is read of a file to import; migrate says what is too much.
const maxImport = 64 << 20 // bytes

func newImport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import blackbox|gatus|uptime-kuma FILE",
		Short: "Turn the configuration of another monitor into one of esawatch",
		Long: `import reads the configuration of blackbox_exporter, Gatus or Uptime Kuma and prints
one of esawatch that asks the same. FILE may be "-" for standard input.

WHERE THINGS GO
  standard output   the configuration, with comments where something was decided
  standard error    what could not be carried over, a line each:
                    FILE:LINE: PATH: what, and why (what to do about it)
  Nothing is left out in silence. What esawatch has nothing like (ping, DNS, TCP,
  gRPC, pushed results, scripts) is named and left where it is.

SECRETS
  No secret of the source is printed. Each becomes a variable, ${NAME}, and the
  beginning of the output lists them all, with where each came from. Set them in
  the environment, or write X_file: /path in place of X. A check's header, a token
  in a URL and a password in a body are recognised by their names: look through
  the output before you share it.

WHAT IS DECIDED FOR YOU
  URLs of one host become one site with several checks, for what fails together is
  told together. What all checks say alike moves up into their site or into
  "defaults". Names are cut down to A-Z a-z 0-9 . _ -, and the name as it was
  stands in a comment. A check that told nobody tells the receiver "console", so
  that nobody is woken by surprise.

THEN
  1. esawatch import … FILE > config.yaml       read what it says on standard error
  2. export NAME=…                              the variables it lists
  3. esawatch validate                          what is still wrong, each with its line
  4. esawatch check                             every check once; do they pass?
  5. add "origin: {address: HOST:PORT}" to the sites behind ESA: with it esawatch
     can tell whose fault a failure is, which no other monitor could

EXIT CODES
  0  there is output, whatever it lacks
  1  the source was read, but nothing in it can be carried over
  2  the source cannot be read, or a flag is wrong`,
		Example: `  esawatch import blackbox blackbox.yml --prometheus prometheus.yml > config.yaml
  esawatch import gatus config/config.yaml > config.yaml
  esawatch import uptime-kuma Uptime_Kuma_Backup.json > config.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.New("import: from what? one of blackbox, gatus, uptime-kuma")
		},
	}
	cmd.AddCommand(newImportBlackbox(), newImportGatus(), newImportUptimeKuma())
	return cmd
}

func newImportBlackbox() *cobra.Command {
	var prometheus string
	var opts migrate.BlackboxOptions
	cmd := &cobra.Command{
		Use:   "blackbox FILE",
		Short: "Import blackbox_exporter: its modules, and the targets of Prometheus",
		Long: `blackbox reads the modules of a blackbox.yml. They say how to probe; what is probed
stands in the configuration of Prometheus, so name that with --prometheus, or
the targets one by one with --target.

FROM blackbox.yml, modules of the prober http
  valid_status_codes, accept_any_response      expect.status
  fail_if_body_matches_regexp                  expect.body_not_matches
  fail_if_body_not_matches_regexp              expect.body_matches
  fail_if_header_(not_)matches                 expect.headers, expect.expr
  fail_if_ssl, fail_if_not_ssl                 expect.expr
  valid_http_versions                          expect.expr
  method, headers, http_headers, body(_file)   the same
  basic_auth, authorization, bearer_token,
  oauth2                                       auth
  tls_config, proxy_url, follow_redirects      tls, proxy_url, follow_redirects
  enable_http2, enable_http3                   http_version
  preferred_ip_protocol with no fallback       ip_family
  body_size_limit                              max_body_bytes
  timeout, or scrape_timeout if it is less     timeout

FROM prometheus.yml
  scrape jobs with params.module, or of        a check for each target
  metrics_path /probe: static_configs, and
  the files of file_sd_configs, as they are
  labels of a static_config                    labels
  relabelling of a label to __param_module     which module it is
  scrape_interval                              schedule
  alerting.alertmanagers                       a receiver

Not carried over: modules of the probers tcp, dns, icmp, grpc and unix, other service
discovery, relabelling beyond the usual rules, CEL over a JSON body, and
alerting rules, which can stay in Prometheus: esawatch exports probe_success and
the others under their names.`,
		Example: `  esawatch import blackbox blackbox.yml --prometheus prometheus.yml > config.yaml
  esawatch import blackbox blackbox.yml --module http_2xx --target https://shop.example.com/`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if prometheus == "" && len(opts.Targets) == 0 {
				return errors.New("import blackbox: what is probed? --prometheus FILE has the targets, or --target URL names one")
			}
			src, err := readSource(cmd, args[0])
			if err != nil {
				return err
			}
			if prometheus != "" {
				if opts.Prometheus, err = readSource(cmd, prometheus); err != nil {
					return err
				}
				opts.TargetFiles = func(pattern string) ([]migrate.Source, error) {
					return readTargetFiles(cmd, filepath.Dir(prometheus), pattern)
				}
			}
			result, err := migrate.Blackbox(src, opts)
			return writeImport(cmd, result, err)
		},
	}
	cmd.Flags().StringVar(&prometheus, "prometheus", "", "configuration `FILE` of Prometheus, whose scrape jobs name the targets")
	cmd.Flags().StringArrayVar(&opts.Targets, "target", nil, "`URL` to check, repeatable")
	cmd.Flags().StringVar(&opts.Module, "module", "", "module of the --target URLs (default http_2xx, or the only one of the prober http)")
	return cmd
}

func newImportGatus() *cobra.Command {
	return &cobra.Command{
		Use:   "gatus FILE",
		Short: "Import Gatus: endpoints, conditions, alerts and maintenance",
		Long: `gatus reads a config.yaml of Gatus. Of a directory of files import each, and give
esawatch a directory of the results.

ENDPOINTS of http:// and https://
  name, group, extra-labels       name, labels
  url, method, headers, body      the same; graphql bodies are wrapped as Gatus does
  interval                        schedule, and confirm.interval
  client                          timeout, tls, auth.oauth2, proxy_url, follow_redirects
  ${NAME}, $NAME                  ${NAME}

CONDITIONS
  [STATUS] == 200, < 300, any(), pat()        expect.status; several are combined
  [RESPONSE_TIME] < 500                       expect.max_duration: degraded, a warning
  [CERTIFICATE_EXPIRATION] > 48h              expect.cert_valid_for: degraded, a warning
  [BODY] == pat(*text*)                       expect.body_contains
  [BODY] == pat(…)                            expect.body_matches
  [BODY].path == value                        expect.json
  [BODY].path with <, !=, any(), pat();
  len(), has(), [BODY] == text, [IP]          expect.expr
  [CONNECTED] == true                         every check wants it

ALERTS
  slack, email, pagerduty, custom             a receiver each, and one for each override
  failure-threshold, success-threshold        confirm.failures, resolve_after
  send-on-resolved                            send_resolved
  maintenance, maintenance-windows            maintenance

Not carried over: endpoints that are no HTTP, suites, external endpoints, SSH tunnels,
[DOMAIN_EXPIRATION], other alerting providers, and the settings of Gatus's own pages.`,
		Example: `  esawatch import gatus config/config.yaml > config.yaml`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := readSource(cmd, args[0])
			if err != nil {
				return err
			}
			result, err := migrate.Gatus(src)
			return writeImport(cmd, result, err)
		},
	}
}

func newImportUptimeKuma() *cobra.Command {
	return &cobra.Command{
		Use:   "uptime-kuma FILE",
		Short: "Import Uptime Kuma: monitors and notifications",
		Long: `uptime-kuma reads the monitors of Uptime Kuma as JSON, in any of these forms:

  - the backup of version 1 (Settings, Backup, Export): monitorList,
    notificationList and proxyList in one object
  - monitorList alone, as a list or by id, as its socket.io interface and the
    libraries for it give it
  - rows of the database. Version 2 has no backup; this makes one:

      rows() { local r; r=$(sqlite3 -json kuma.db "$1"); echo "${r:-[]}"; }
      { echo '{"monitorList":';            rows 'select * from monitor'
        echo ',"notificationList":';       rows 'select * from notification'
        echo ',"monitorNotificationList":'; rows 'select * from monitor_notification'
        echo ',"proxyList":';              rows 'select * from proxy'
        echo ',"monitorTagList":'
        rows 'select monitor_id, name, value from monitor_tag join tag on tag.id = tag_id'
        echo '}'; } > kuma.json

    (kuma.db is in the data directory. "select * from monitor" alone does too, but
    says nothing of who is told.) The file holds passwords: delete it afterwards.

MONITORS of the types http, keyword and json-query
  name, description, tags, parent      name, a comment, labels
  url, method, headers, body           the same
  interval, timeout                    schedule, timeout
  maxretries, retryInterval            confirm
  accepted_statuscodes                 expect.status
  keyword, invertKeyword               expect.body_contains, body_not_contains
  jsonPath, expectedValue              expect.json, expect.expr, where the JSONata is a path
  basic and OAuth2 authentication      auth
  ignoreTls, maxredirects, proxy       tls, max_redirects, proxy_url
  paused                               enabled: false

NOTIFICATIONS of the kinds slack, DingDing, Feishu, WeCom, webhook, PagerDuty, smtp and
AlertManager                           a receiver each, named in the checks that used it

Not carried over: other types of monitors (ping, port, dns, push, docker, …), upside-down
monitors, NTLM and mutual TLS, other notifications, status pages and maintenance.`,
		Example: `  esawatch import uptime-kuma Uptime_Kuma_Backup.json > config.yaml`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := readSource(cmd, args[0])
			if err != nil {
				return err
			}
			result, err := migrate.UptimeKuma(src)
			return writeImport(cmd, result, err)
		},
	}
}

// readSource reads a file to import; "-" is standard input.
func readSource(cmd *cobra.Command, name string) (migrate.Source, error) {
	in := cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return migrate.Source{}, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxImport))
	if err != nil {
		return migrate.Source{}, fmt.Errorf("read %s: %w", name, err)
	}
	return migrate.Source{Name: name, Data: data}, nil
}

// readTargetFiles reads what a pattern of Prometheus names: files beside its own
// configuration, unless the path is absolute. What can be read is returned beside
// an error about the rest.
func readTargetFiles(cmd *cobra.Command, dir, pattern string) (files []migrate.Source, err error) {
	if !filepath.IsAbs(pattern) {
		dir = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
		pattern = filepath.Join(dir, pattern)
	}
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pattern, err)
	}
	var errs []error
	for _, name := range names {
		file, err := readSource(cmd, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		files = append(files, file)
	}
	return files, errors.Join(errs...)
}

// writeImport prints what an import came to: the configuration, and on standard
// error what is to be known about it.
func writeImport(cmd *cobra.Command, r *migrate.Result, err error) error {
	stderr := cmd.ErrOrStderr()
	if r != nil {
		for _, n := range r.Notes {
			fmt.Fprintln(stderr, n)
		}
	}
	switch {
	case err != nil && r != nil:
		return failed(err)
	case err != nil:
		return err
	}
	if _, err := cmd.OutOrStdout().Write(r.YAML); err != nil {
		return failed(err)
	}
	fmt.Fprintf(stderr, "%s of %s, %s", migrate.Count(r.Checks, "check"), migrate.Count(r.Sites, "site"), migrate.Count(r.Receivers, "receiver"))
	if len(r.Notes) > 0 {
		fmt.Fprintf(stderr, "; %s above: what is missing, or not as it was", migrate.Count(len(r.Notes), "note"))
	}
	fmt.Fprintln(stderr)
	if len(r.Needs) > 0 {
		fmt.Fprintln(stderr, "before it can be loaded, it needs:")
		for _, n := range r.Needs {
			what := "the variable"
			if n.Variable == "" {
				what = "the file"
			}
			fmt.Fprintf(stderr, "  %s %s, for %s\n", what, n.Name(), n.For)
		}
	}
	return nil
}
