package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"
)

// errOpen is why nothing may be changed through a listener that anyone can reach.
var errOpen = errors.New("changes over HTTP need web.listen on a loopback address, or a web.config_file with basic_auth_users or client certificates")

// mayChange returns nil when requests that change something are allowed on the
// listener, else the reason why they are not. It is asked for each of them:
// exporter-toolkit reads its file anew for each request too, so that who was
// asked for a password at the start may come in without one later.
func (s *Server) mayChange() error {
	if s.loopback() {
		return nil
	}
	if s.opts.ConfigFile == "" {
		return errOpen
	}
	authenticated, err := authenticates(s.opts.ConfigFile)
	if err == nil && !authenticated {
		err = errOpen
	}
	return err
}

// loopback tells whether only this machine can reach the listener.
func (s *Server) loopback() bool {
	tcp, ok := s.listener.Addr().(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// authenticates tells whether an exporter-toolkit web configuration asks who is there.
func authenticates(configFile string) (bool, error) {
	data, err := os.ReadFile(configFile)
	if err != nil {
		return false, fmt.Errorf("web.config_file: %w", err)
	}
	var c struct {
		Users map[string]string `yaml:"basic_auth_users"`
		TLS   struct {
			ClientAuth string `yaml:"client_auth_type"`
		} `yaml:"tls_server_config"`
	}
	if err := yaml.Unmarshal(data, &c); err != nil {
		return false, fmt.Errorf("web.config_file %q: %w", configFile, err)
	}
	return len(c.Users) > 0 || c.TLS.ClientAuth == "RequireAndVerifyClientCert", nil
}

// guard lets a request through to a handler that changes something only where
// that is allowed: not from another site's page in the user's browser, nor
// under a name that somebody else made to point here.
func (s *Server) guard(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.mayChange(); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		if err := crossOrigin.Check(r); err != nil {
			http.Error(w, "a request from another site's page is refused: "+err.Error(), http.StatusForbidden)
			return
		}
		if !s.knownHost(r.Host) {
			http.Error(w, fmt.Sprintf("host %.100q is neither an address nor that of web.external_url", r.Host), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knownHost tells whether a Host header is one by which nobody else can have
// made a browser come here: an IP address, localhost, or the external URL's.
func (s *Server) knownHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || net.ParseIP(host) != nil {
		return true
	}
	if u, err := url.Parse(s.opts.ExternalURL); err == nil && u.Hostname() != "" {
		return strings.EqualFold(u.Hostname(), host)
	}
	return false
}

// promLog hands promhttp's complaints to the log.
type promLog struct{ log *slog.Logger }

func (p promLog) Println(v ...any) {
	p.log.Warn("metrics not fully gathered", "err", strings.TrimSpace(fmt.Sprintln(v...)))
}
