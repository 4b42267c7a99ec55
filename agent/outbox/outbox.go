package outbox

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/esawatch/esawatch/agent/incident"
)

// Records is where the outbox finds what is owed and writes down what was told.
// *incident.Keeper is one.
type Records interface {
	// Records returns a snapshot of all records.
	Records() []incident.Record
	// Record returns a snapshot of one site's record, and false when there is none.
	Record(site string) (incident.Record, bool)
	// Update changes the record of a site by f, which may be called several
	// times and tells with its bool whether there is anything to save. It
	// returns the record as it is then.
	Update(ctx context.Context, site string, f func(incident.Record) (incident.Record, bool)) (incident.Record, error)
	// Changed holds a value when a record has changed since it was last taken.
	Changed() <-chan struct{}
}

// Options are what an Outbox needs. Records is required.
type Options struct {
	Records    Records
	Log        *slog.Logger          // nil: none
	Registerer prometheus.Registerer // nil: none
	// SendTimeout bounds one attempt; 0 = 30 s.
	SendTimeout time.Duration
	// Grace is how long an attempt that is under way may go on after Run was
	// told to stop; 0 = it is cut off at once.
	Grace time.Duration
	// Turns is set when other agents tell what the same records owe; nil: this
	// one tells all.
	Turns Turns
	// Beside is the outbox of other records, whose metrics this one's count in.
	Beside *Outbox
}

// Outbox tells receivers what the records owe them.
type Outbox struct {
	opts    Options
	log     *slog.Logger
	metrics *metrics
	replan  chan struct{} // holds one when the settings have changed

	mu       sync.Mutex
	settings settings
	workers  map[string]*worker // those that run, by receiver
}

// Settings are what all receivers have in common. A reload replaces them.
type Settings struct {
	Timings     incident.Timings
	Storm       Storm
	ExternalURL string // of the status page, "" when there is none
}

// settings are what a reload replaces.
type settings struct {
	Settings
	ready     bool // SetReceivers was called
	shared    bool // others tell from the same records
	receivers []Receiver
}

// New makes an outbox. It does nothing before Run and SetReceivers are called.
func New(opts Options) *Outbox {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.SendTimeout <= 0 {
		opts.SendTimeout = 30 * time.Second
	}
	m := newMetrics(opts.Registerer)
	if opts.Beside != nil {
		m = opts.Beside.metrics
	}
	return &Outbox{
		opts:    opts,
		log:     opts.Log.With("component", "outbox"),
		metrics: m,
		replan:  make(chan struct{}, 1),
		workers: make(map[string]*worker),
	}
}

// SetReceivers gives the outbox its receivers, in place of those it had. It
// does not wait: a receiver that stays ends the attempt under way and then goes
// on with its new settings, at once even if it had failed before; one that is
// gone is stopped, and what it was owed is forgotten.
func (o *Outbox) SetReceivers(receivers []Receiver, s Settings) {
	o.mu.Lock()
	defer o.mu.Unlock()
	added := make(map[string]time.Time)
	for _, r := range o.settings.receivers {
		added[r.Name] = r.added
	}
	next := settings{Settings: s, ready: true, shared: o.opts.Turns != nil}
	for _, r := range receivers {
		r.added = time.Time{}
		if since, stays := added[r.Name]; stays {
			r.added = since
		} else if o.settings.ready {
			r.added = time.Now()
		}
		o.metrics.preset(r.Name)
		next.receivers = append(next.receivers, r)
	}
	o.settings = next
	select {
	case o.replan <- struct{}{}:
	default:
	}
}

// publish lets Health see the workers.
func (o *Outbox) publish(working map[string]running) {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.workers)
	for name, w := range working {
		o.workers[name] = w.worker
	}
}

func (o *Outbox) current() settings {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.settings
}

// Telling tells whether an attempt is under way.
func (o *Outbox) Telling() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.workers {
		if w.telling.Load() {
			return true
		}
	}
	return false
}

// Health is how the telling of one receiver goes.
type Health struct {
	Receiver string
	Owed     int       // incidents whose present state it was not told
	Oldest   time.Time // the oldest change that it was not told, zero if there is none
	Failures int       // attempts in vain, in a row
	// LastError is why the last attempt failed, "" once one has worked.
	LastError string
}

// Health returns how each receiver does that is being told, in the order of
// the configuration.
func (o *Outbox) Health() []Health {
	o.mu.Lock()
	defer o.mu.Unlock()
	health := make([]Health, 0, len(o.workers))
	for _, r := range o.settings.receivers {
		if w := o.workers[r.Name]; w != nil {
			w.mu.Lock()
			health = append(health, w.state)
			w.mu.Unlock()
		}
	}
	return health
}
