package cluster

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Server says how NATS is reached.
type Server struct {
	URLs            []string               // with no user and password in them
	CredentialsFile string                 // a .creds file, read at each connection; "" = none
	Username        string                 // "" = none
	Password        func() (string, error) // asked at each connection
	CAFile          string                 // PEM; "" = the system's
	CertFile        string                 // PEM, with KeyFile; "" = none
	KeyFile         string
}

const (
	connectTimeout = 3 * time.Second
	// A server that is gone without a word is found out after two pings in vain.
	pingEvery    = 2 * time.Second
	pingsMissing = 2
)

// connect makes a connection that is kept up from then on. It waits for no
// server: there may be none yet. What would be sent while there is none is not
// kept for later, but an error.
func (s *Server) connect(name string, log *slog.Logger) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name("esawatch " + name),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ReconnectWait(500 * time.Millisecond), nats.ReconnectJitter(250*time.Millisecond, 500*time.Millisecond),
		nats.Timeout(connectTimeout), nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(pingsMissing),
		nats.ConnectHandler(func(c *nats.Conn) { log.Info("connected", "target", c.ConnectedUrlRedacted()) }),
		nats.ReconnectHandler(func(c *nats.Conn) { log.Info("connected again", "target", c.ConnectedUrlRedacted()) }),
		nats.DisconnectErrHandler(func(c *nats.Conn, err error) {
			if !c.IsClosed() {
				log.Warn("connection lost", "err", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Warn("NATS says", "err", err) }),
	}
	if s.CredentialsFile != "" {
		options = append(options, nats.UserCredentials(s.CredentialsFile))
	}
	if s.Username != "" {
		options = append(options, nats.UserInfoHandler(func() (string, string) {
			password, err := s.Password()
			if err != nil {
				log.Error("password for NATS not read", "err", err)
			}
			return s.Username, password
		}))
	}
	if s.CAFile != "" {
		options = append(options, nats.RootCAs(s.CAFile))
	}
	if s.CertFile != "" {
		options = append(options, nats.ClientCert(s.CertFile, s.KeyFile))
	}
	nc, err := nats.Connect(strings.Join(s.URLs, ","), options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return nc, nil
}
