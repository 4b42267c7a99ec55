package outbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book keeps records in a store, each as the bytes that a restart would find.
type book struct {
	kv      store.KV
	changed chan struct{}

	mu     sync.Mutex
	recs   map[string]entry
	broken error // what every write fails with
	writes int
}

type entry struct {
	rec incident.Record
	rev store.Revision
}

// openBook reads all records from kv, as a start does.
func openBook(t testing.TB, kv store.KV) *book {
	t.Helper()
	b := &book{kv: kv, changed: make(chan struct{}, 1), recs: make(map[string]entry)}
	entries, err := kv.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var rec incident.Record
		if err := json.Unmarshal(e.Value, &rec); err != nil {
			t.Fatal(err)
		}
		b.recs[rec.Site] = entry{rec, e.Revision}
	}
	b.signal()
	return b
}

func (b *book) signal() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

func (b *book) Changed() <-chan struct{} { return b.changed }

func (b *book) Records() []incident.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []incident.Record
	for _, site := range slices.Sorted(maps.Keys(b.recs)) {
		all = append(all, b.recs[site].rec)
	}
	return all
}

func (b *book) Record(site string) (incident.Record, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.recs[site]
	return e.rec, ok
}

func (b *book) Update(ctx context.Context, site string, f func(incident.Record) (incident.Record, bool)) (incident.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.recs[site]
	next, changed := f(e.rec)
	if !changed {
		return e.rec, nil
	}
	if b.broken != nil {
		return e.rec, b.broken
	}
	value, err := json.Marshal(next)
	if err != nil {
		return e.rec, err
	}
	rev, err := b.kv.Put(ctx, store.Entry{Key: site, Value: value, Revision: e.rev})
	if err != nil {
		return e.rec, err
	}
	b.writes++
	// What comes back from the store is what counts, as after a restart.
	var stored incident.Record
	if err := json.Unmarshal(value, &stored); err != nil {
		return e.rec, err
	}
	b.recs[site] = entry{stored, rev}
	b.signal()
	return stored, nil
}

func (b *book) setBroken(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = err
}

// inbox is a receiver that notes what it is told and answers as it is told to.
type inbox struct {
	mu     sync.Mutex
	got    []message
	answer func(ctx context.Context, n notify.Notification) (notify.Receipt, error) // nil: yes
}

type message struct {
	at time.Time
	n  notify.Notification
	ok bool
}

func (in *inbox) Notify(ctx context.Context, n notify.Notification) (receipt notify.Receipt, err error) {
	in.mu.Lock()
	answer := in.answer
	in.mu.Unlock()
	ok := false
	defer func() { // a panic too is an attempt
		in.mu.Lock()
		defer in.mu.Unlock()
		in.got = append(in.got, message{time.Now(), n, ok})
	}()
	if answer != nil {
		receipt, err = answer(ctx, n)
	}
	ok = err == nil
	return receipt, err
}

func (in *inbox) set(answer func(context.Context, notify.Notification) (notify.Receipt, error)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.answer = answer
}

func (in *inbox) fail(err error) {
	in.set(func(context.Context, notify.Notification) (notify.Receipt, error) { return nil, err })
}

func (in *inbox) messages() []message {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.got)
}

// told lists the messages as "+SECONDS kinds", an "!" for one that failed.
func (in *inbox) told(since time.Time) []string {
	var lines []string
	for _, m := range in.messages() {
		var kinds []string
		for _, e := range m.n.Events {
			kinds = append(kinds, e.Kind)
		}
		line := fmt.Sprintf("+%v %s", m.at.Sub(since).Round(100*time.Millisecond), strings.Join(kinds, " "))
		if !m.ok {
			line += " !"
		}
		lines = append(lines, line)
	}
	return lines
}

// agent is an outbox that runs on a book, with what it logs and counts.
type agent struct {
	*outbox.Outbox
	book *book
	reg  *prometheus.Registry
	log  *logBuffer
	stop func()
}

var timings = incident.Timings{GroupWait: 5 * time.Second, GroupInterval: time.Minute}

// start runs an outbox on kv; it is stopped at the end of the test at the latest.
func start(t testing.TB, kv store.KV, receivers ...outbox.Receiver) *agent {
	t.Helper()
	a := &agent{book: openBook(t, kv), reg: prometheus.NewPedanticRegistry(), log: &logBuffer{}}
	a.Outbox = outbox.New(outbox.Options{
		Records: a.book, Registerer: a.reg, Grace: 3 * time.Second,
		Log: slog.New(slog.NewTextHandler(a.log, nil)),
	})
	a.SetReceivers(receivers, timings, "https://watch.example.com/esa/")
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	a.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(a.stop)
	return a
}

// result hands a result to the machine, as the schedule does.
func (a *agent) result(t testing.TB, r checks.Result) { a.resultFor(t, r, incident.Policy{}) }

func (a *agent) resultFor(t testing.TB, r checks.Result, p incident.Policy) {
	t.Helper()
	_, err := a.book.Update(context.Background(), r.Site, func(rec incident.Record) (incident.Record, bool) {
		return incident.Next(rec, r, p)
	})
	if err != nil {
		t.Errorf("save %s: %v", r.Site, err)
	}
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func failing(site, check string, condition catalog.Condition) checks.Result {
	r := checks.Result{
		Site: site, Check: check, Location: "fra-1", URL: "https://" + site + ".example.com/" + check,
		Outcome: checks.Fail, StatusCode: condition.StatusCode(), StartedAt: time.Now(),
		Diagnosis: &catalog.Diagnosis{
			Condition: condition, Title: "Title of " + string(condition),
			Fault: catalog.FaultOriginLink, Owner: "origin team", Severity: catalog.Critical,
		},
	}
	return r
}

func warning(r checks.Result) checks.Result {
	d := *r.Diagnosis
	d.Severity = catalog.Warning
	r.Diagnosis = &d
	return r
}

func passing(site, check string) checks.Result {
	return checks.Result{Site: site, Check: check, Location: "fra-1", Outcome: checks.Pass, Success: true, StartedAt: time.Now()}
}

func receiver(name string, n notify.Notifier) outbox.Receiver {
	return outbox.Receiver{Name: name, Notifier: n, SendResolved: true, Lang: "en"}
}

// bubble runs f in fake time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// settle waits for all that can happen at this moment.
func settle() { time.Sleep(50 * time.Millisecond); synctest.Wait() }

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func newStore() store.KV { return memstore.New() }

var errServer = errors.New("the server said 500")
