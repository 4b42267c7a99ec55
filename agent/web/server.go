package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	toolkit "github.com/prometheus/exporter-toolkit/web"

	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/exposition"
)

// Options are what a Server needs of the agent.
type Options struct {
	Listen       string // HOST:PORT; a socket of systemd takes its place
	ConfigFile   string // exporter-toolkit web configuration: TLS, basic auth; "" = plain
	HealthListen string // HOST:PORT for /-/healthy and /-/ready without authentication; "" = none
	// Metrics write what has series a check; Gatherer has all other metrics.
	Metrics  []func(*exposition.Writer)
	Gatherer prometheus.Gatherer

	Healthy   func() error // nil: the agent does its work
	Ready     func() error // nil: it is also set up to be relied on
	Reload    func() error // loads the configuration anew
	Recent    *Recent
	Incidents Incidents
	Cluster   Cluster                  // nil: there is but this agent
	RunNow    func(check string) error // by full name; as schedule.Scheduler.RunNow
	Location  string
	Version   string
	Log       *slog.Logger
}

// Server serves the agent's pages on listeners of its own.
type Server struct {
	opts     Options
	listener net.Listener
	health   net.Listener // nil without HealthListen
	pages    *pages
	content  atomic.Pointer[Content]

	stopping  chan struct{} // closed when Run begins to stop
	listeners atomic.Int64  // pages that wait for events
	shown     atomic.Uint64 // how many contents there were
	reading   chan struct{} // holds a value while the history of all sites is read
	lists     chan struct{} // holds a value for each list of the API that is being sent

	description func() ([]byte, error) // of the API, as JSON
}

// CheckConfigFile finds what is wrong with an exporter-toolkit web configuration and
// the files that it names; "" is fine.
func CheckConfigFile(path string) error {
	if err := toolkit.Validate(path); err != nil {
		return errors.New(path + ": " + strings.Join(strings.Fields(err.Error()), " ")) // on one line
	}
	return nil
}

// Listen checks the options and opens the listeners, so that an address in use
// or a broken TLS file is known before anything else starts. Close releases
// them if Run is never called.
func Listen(opts Options) (*Server, error) {
	if err := CheckConfigFile(opts.ConfigFile); err != nil {
		return nil, fmt.Errorf("web.config_file: %w", err)
	}
	s := &Server{opts: opts, stopping: make(chan struct{}), reading: make(chan struct{}, 1),
		lists: make(chan struct{}, maxLists), description: sync.OnceValues(describe)}
	s.Show(Content{})
	var err error
	if s.pages, err = newPages(); err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

// Show puts content in the place of what was there before.
func (s *Server) Show(c Content) {
	if c.Catalog == nil {
		c.Catalog = catalog.Default()
	}
	s.content.Store(&c)
	s.shown.Add(1)
}

// Addr is where the server listens, with the real port.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close releases the listeners.
func (s *Server) Close() error {
	var err error
	for _, l := range []net.Listener{s.listener, s.health} {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}

// Run serves until ctx is done, then lets the requests under way finish for up
// to five seconds. It returns early only with an error.
func (s *Server) Run(ctx context.Context) error {
	type served struct {
		server *http.Server
		err    chan error
	}
	var all []served
	start := func(l net.Listener, h http.Handler, configFile string) {
		// One http.Server a listener: exporter-toolkit changes the server that it
		// is given, and two listeners would race for it.
		v := served{newServer(h, s.opts.Log), make(chan error, 1)}
		flags := &toolkit.FlagConfig{WebConfigFile: &configFile}
		go func() { v.err <- toolkit.Serve(l, v.server, flags, quietly(s.opts.Log)) }()
		all = append(all, v)
	}
	start(s.listener, s.handler(), s.opts.ConfigFile)
	failed := all[0].err
	var healthFailed chan error
	if s.health != nil {
		start(s.health, s.healthHandler(), "")
		healthFailed = all[1].err
	}

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		all[0].err <- err
	case err = <-healthFailed:
		all[1].err <- err
	}
	close(s.stopping)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, v := range all {
		if v.server.Shutdown(grace) != nil {
			_ = v.server.Close() // the grace is over: cut what is left
		}
	}
	for _, v := range all {
		if e := <-v.err; e != nil && !errors.Is(e, http.ErrServerClosed) && err == nil {
			err = e
		}
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           told(h, log),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		// Of HTTP/2, the timeouts above end a request and not the connection that
		// it came by, which a client that reads nothing would keep for ever.
		HTTP2:    &http.HTTP2Config{WriteByteTimeout: 30 * time.Second, SendPingTimeout: time.Minute},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// told logs what goes wrong within next. net/http would do so where it says what
// its clients do wrong, at a level that nobody reads.
func told(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch reason := recover(); reason {
			case nil:
				return
			case http.ErrAbortHandler: // the answer was given up with intent
			default:
				log.Error("request broken off by a fault in this program", "path", r.URL.Path,
					"err", fmt.Sprintf("%v\n%s", reason, debug.Stack()))
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}

// quietly keeps exporter-toolkit's own start-up lines, which the agent says in
// its own words, at debug level.
func quietly(log *slog.Logger) *slog.Logger {
	return slog.New(demoted{log.Handler()})
}

type demoted struct{ slog.Handler }

func (d demoted) Enabled(ctx context.Context, level slog.Level) bool {
	return d.Handler.Enabled(ctx, demote(level))
}

func (d demoted) Handle(ctx context.Context, r slog.Record) error {
	r.Level = demote(r.Level)
	return d.Handler.Handle(ctx, r)
}

func demote(level slog.Level) slog.Level {
	if level == slog.LevelInfo {
		return slog.LevelDebug
	}
	return level
}
