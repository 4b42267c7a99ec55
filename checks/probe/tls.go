package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// localError is a fault of this machine or its configuration: a file that
// cannot be read, no descriptor left. It says nothing about the site.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// tlsSettings makes the configuration of handshakes and makes it anew when one
// of its files has changed.
type tlsSettings struct {
	opts       TLSOptions
	minVersion uint16
	alpn       []string

	mu     sync.Mutex
	config *tls.Config
	stamps [3]fileStamp
}

// newTLSSettings reads the files that are set. Its error is a *FieldError.
func newTLSSettings(opts TLSOptions, alpn []string) (*tlsSettings, error) {
	version, err := tlsVersion(opts.MinVersion)
	if err != nil {
		return nil, &FieldError{"tls.min_version", err}
	}
	s := &tlsSettings{opts: opts, minVersion: version, alpn: alpn}
	if err := s.refresh(); err != nil {
		return nil, err
	}
	return s, nil
}

// fileStamp is what changes when a file does.
type fileStamp struct {
	size    int64
	changed time.Time
}

// current is the configuration by the files as they are now, for a handshake
// with a server of that name.
func (s *tlsSettings) current(serverName string) (*tls.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return nil, &localError{err}
	}
	config := s.config.Clone()
	config.ServerName = serverName
	return config, nil
}

// refresh makes the configuration if there is none or its files have changed.
// The caller holds s.mu, or is the only one who knows s.
func (s *tlsSettings) refresh() error {
	stamps, err := s.look()
	if err != nil {
		return err
	}
	if s.config != nil && stamps == s.stamps {
		return nil
	}
	config, err := s.build()
	if err != nil {
		return err
	}
	s.config, s.stamps = config, stamps
	return nil
}

// look takes the stamps of the files that are set.
func (s *tlsSettings) look() (stamps [3]fileStamp, err error) {
	for i, name := range [...]string{s.opts.CAFile, s.opts.CertFile, s.opts.KeyFile} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return stamps, fieldErrorf(tlsFileFields[i], "%w", err)
		}
		stamps[i] = fileStamp{info.Size(), info.ModTime()}
	}
	return stamps, nil
}

// tlsFileFields names the settings that hold files, in the order of look.
var tlsFileFields = [3]string{"tls.ca_file", "tls.cert_file", "tls.key_file"}

func (s *tlsSettings) build() (*tls.Config, error) {
	config := &tls.Config{
		MinVersion:         s.minVersion,
		NextProtos:         s.alpn,
		InsecureSkipVerify: s.opts.InsecureSkipVerify,
	}
	if s.opts.CAFile != "" {
		roots, err := readRoots(s.opts.CAFile, s.opts.systemToo)
		if err != nil {
			return nil, fieldErrorf("tls.ca_file", "%w", err)
		}
		config.RootCAs = roots
	}
	own := new(tls.Certificate)
	if s.opts.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(s.opts.CertFile, s.opts.KeyFile)
		if err != nil {
			return nil, fieldErrorf("tls.cert_file", "%w", err)
		}
		own = &pair
	}
	config.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return clientCertificate(asked, own), nil
	}
	return config, nil
}

// clientCertificate is what to show a server that asks who we are. When we have
// nothing that it would take, the run remembers that, for the server may then
// break off without a word.
func clientCertificate(asked *tls.CertificateRequestInfo, own *tls.Certificate) *tls.Certificate {
	if len(own.Certificate) > 0 && asked.SupportsCertificate(own) == nil {
		return own
	}
	if r, ok := asked.Context().Value(runKey{}).(*run); ok {
		r.unproven.Store(true)
	}
	return new(tls.Certificate)
}

// readRoots reads the certificates that are trusted, in place of the system's or
// beside them.
func readRoots(file string, systemToo bool) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if systemToo {
		if roots, err = x509.SystemCertPool(); err != nil {
			return nil, err
		}
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read %q: no PEM certificate in it", file)
	}
	return roots, nil
}

// tlsVersion reads the setting min_version; "" is Go's own default.
func tlsVersion(s string) (uint16, error) {
	switch s {
	case "":
		return 0, nil
	case "1.0":
		return tls.VersionTLS10, nil
	case "1.1":
		return tls.VersionTLS11, nil
	case "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("%q (want 1.0, 1.1, 1.2 or 1.3)", s)
}

// unverified takes the certificates that a server presented out of the error
// with which they were refused.
func unverified(err error) []*x509.Certificate {
	if refused, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return refused.UnverifiedCertificates
	}
	return nil
}
