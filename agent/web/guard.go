package web

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"
)

// errOpen is why nothing may be changed through a listener that anyone can reach.
var errOpen = errors.New("changes over HTTP need web.listen on a loopback address, or a web.config_file with basic_auth_users or client certificates")

// errUnknown is why a request is refused though the file asks who is there: it
// came in before the file did.
var errUnknown = errors.New("this connection was let in without a password or a certificate; connect anew, and if that does not help restart the agent")

// mayChange returns nil when requests that change something are allowed on the
// listener, else the reason why they are not. It is asked for each of them:
// exporter-toolkit reads its file anew for each request too, so that who was
// asked for a password at the start may come in without one later.
func (s *Server) mayChange() error {
	if s.loopback() {
		return nil
	}
	_, err := readAccess(s.opts.ConfigFile)
	return err
}

// mayChangeBy is mayChange for one request: it must be known whose it is. That
// the file asks is not enough, as parts of it hold only from the next connection
// or the next start on.
func (s *Server) mayChangeBy(r *http.Request) error {
	if s.loopback() {
		return nil
	}
	a, err := readAccess(s.opts.ConfigFile)
	if err != nil {
		return err
	}
	if _, _, given := r.BasicAuth(); a.passwords && given {
		return nil
	}
	if a.certificates && r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return nil
	}
	return errUnknown
}

// loopback tells whether only this machine can reach the listener.
func (s *Server) loopback() bool {
	switch addr := s.listener.Addr().(type) {
	case *net.TCPAddr:
		return addr.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

// access is how an exporter-toolkit web configuration asks who is there.
type access struct{ passwords, certificates bool }

// readAccess reads that file. The error is why it lets anyone in.
func readAccess(configFile string) (access, error) {
	if configFile == "" {
		return access{}, errOpen
	}
	data, err := os.ReadFile(configFile)
	if err != nil {
		return access{}, fmt.Errorf("web.config_file: %w", err)
	}
	var c struct {
		Users map[string]string `yaml:"basic_auth_users"`
		TLS   struct {
			ClientAuth string `yaml:"client_auth_type"`
			CAFile     string `yaml:"client_ca_file"`
			CA         string `yaml:"client_ca"`
		} `yaml:"tls_server_config"`
	}
	if err := yaml.Unmarshal(data, &c); err != nil {
		return access{}, fmt.Errorf("web.config_file %q: %w", configFile, err)
	}
	a := access{
		passwords: len(c.Users) > 0,
		// With no authority of its own it would take a certificate of any that
		// the system knows.
		certificates: c.TLS.ClientAuth == "RequireAndVerifyClientCert" && c.TLS.CAFile+c.TLS.CA != "",
	}
	if a == (access{}) {
		return a, errOpen
	}
	return a, nil
}

// guard lets a request through to a handler that changes something only where
// that is allowed: not from another site's page in the user's browser, nor
// under a name that somebody else made to point here.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if reason := s.refusal(r); reason != "" {
			refuse(w, r, reason)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refusal is why a request that changes something is not let through, "" when it is.
func (s *Server) refusal(r *http.Request) string {
	if err := s.mayChangeBy(r); err != nil {
		return err.Error()
	}
	for _, name := range []string{"Origin", "Sec-Fetch-Site"} {
		// Browsers send one, and of two the first would hide the other.
		if len(r.Header.Values(name)) > 1 {
			return "a request with several " + name + " headers is refused"
		}
	}
	if err := s.ownPages().Check(r); err != nil {
		return "a request from another site's page is refused: " + err.Error()
	}
	if !s.knownHost(r.Host) {
		return unknownHost(r.Host)
	}
	return ""
}

// ownPages knows requests of other sites' pages from those of our own, which
// are at the external URL too: a proxy in front of us may not pass the name on
// by which it was asked.
func (s *Server) ownPages() *http.CrossOriginProtection {
	c := http.NewCrossOriginProtection()
	if u, err := url.Parse(s.content.Load().ExternalURL); err == nil {
		_ = c.AddTrustedOrigin(originOf(u)) // there is none in a URL with no host
	}
	return c
}

// originOf is the origin of a page as browsers write it.
func originOf(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch {
	case scheme == "http":
		host = strings.TrimSuffix(host, ":80")
	case scheme == "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host
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
	host, ok := hostOf(hostport)
	if !ok {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	host = strings.TrimSuffix(host, ".")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	u, err := url.Parse(s.content.Load().ExternalURL)
	return err == nil && host != "" && strings.EqualFold(strings.TrimSuffix(u.Hostname(), "."), host)
}

// hostOf is the name or the address of a Host header, without the port. What is
// not written as one is none.
func hostOf(hostport string) (host string, ok bool) {
	u, err := url.Parse("//" + hostport)
	if err != nil || u.Host != hostport || u.User != nil {
		return "", false
	}
	host = u.Hostname()
	bracketed := strings.HasPrefix(hostport, "[")
	return host, host != "" && bracketed == strings.Contains(host, ":")
}
