package web

import (
	"errors"
	"fmt"
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
			refuse(w, r, err.Error())
			return
		}
		if err := crossOrigin.Check(r); err != nil {
			refuse(w, r, "a request from another site's page is refused: "+err.Error())
			return
		}
		if !s.knownHost(r.Host) {
			refuse(w, r, unknownHost(r.Host))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// private keeps what is shown on a loopback listener from a page elsewhere
// whose name was made to point here: the user's browser would fetch it for
// them. A listener that others can reach is known by names that we do not know.
func (s *Server) private(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.loopback() && !s.knownHost(r.Host) {
			refuse(w, r, unknownHost(r.Host))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func unknownHost(host string) string {
	return fmt.Sprintf("host %.100q is neither an address nor that of web.external_url", host)
}

// refuse answers 403 with the reason.
func refuse(w http.ResponseWriter, r *http.Request, reason string) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		problem(w, r, http.StatusForbidden, reason)
		return
	}
	http.Error(w, reason, http.StatusForbidden)
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
	if u, err := url.Parse(s.content.Load().ExternalURL); err == nil && u.Hostname() != "" {
		return strings.EqualFold(u.Hostname(), host)
	}
	return false
}
