package web

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/coreos/go-systemd/v22/activation"
)

// healthSocket is the name (FileDescriptorName=) of a socket of systemd that
// stands for web.health_listen. Any other stands for web.listen.
const healthSocket = "health"

// open opens the listeners: those that systemd has passed to this process, and
// the configured ones in the place of those that it has not.
func (s *Server) open() (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	// This also keeps the sockets from processes that we start, and from a second
	// call.
	for _, f := range activation.Files(true) {
		if err := s.take(f); err != nil {
			return err
		}
	}
	if s.listener == nil {
		if s.listener, err = net.Listen("tcp", s.opts.Listen); err != nil {
			return fmt.Errorf("web.listen %q: %w", s.opts.Listen, err)
		}
	}
	if s.health == nil && s.opts.HealthListen != "" {
		if s.health, err = net.Listen("tcp", s.opts.HealthListen); err != nil {
			return fmt.Errorf("web.health_listen %q: %w", s.opts.HealthListen, err)
		}
	}
	return nil
}

// take puts a socket of systemd where its name says that it belongs.
func (s *Server) take(f *os.File) error {
	defer func() { _ = f.Close() }() // the listener has its own
	l, err := net.FileListener(f)
	if err != nil {
		return fmt.Errorf("socket %q of systemd does not listen for connections, want ListenStream=: %w", f.Name(), err)
	}
	place, setting := &s.listener, "web.listen"
	if f.Name() == healthSocket {
		place, setting = &s.health, "web.health_listen"
	}
	if *place != nil {
		return errors.Join(fmt.Errorf("socket %q of systemd is the second for %s, want one", f.Name(), setting), l.Close())
	}
	*place = l
	s.opts.Log.Info("listening on a socket of systemd", "listen", l.Addr().String(), "path", setting)
	return nil
}
