package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// disk is a store that can be made to fail.
type disk struct {
	store.KV

	mu     sync.Mutex
	broken error // what every write fails with
	writes int   // of records
	dieAt  int   // the write of a record with which everything fails; 0 = never
}

func newDisk() *disk { return &disk{KV: memstore.New()} }

func (d *disk) Put(ctx context.Context, e store.Entry) (store.Revision, error) {
	if err := d.write(e.Key); err != nil {
		return 0, err
	}
	return d.KV.Put(ctx, e)
}

func (d *disk) Delete(ctx context.Context, key string, rev store.Revision) error {
	if err := d.write(key); err != nil {
		return err
	}
	return d.KV.Delete(ctx, key, rev)
}

func (d *disk) write(key string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if strings.HasPrefix(key, "site/") {
		if d.writes++; d.writes == d.dieAt {
			d.broken = errors.New("the process is dead")
		}
	}
	return d.broken
}

func (d *disk) written() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writes
}

func (d *disk) dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.broken != nil
}

func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}

func openKeeper(t testing.TB, kv store.KV) *incident.Keeper {
	t.Helper()
	k := incident.NewKeeper(kv, incident.Options{})
	if err := k.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return k
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

// agent is an outbox that runs on a keeper, with what it logs and counts.
type agent struct {
	*outbox.Outbox
	keeper *incident.Keeper
	reg    *prometheus.Registry
	log    *logBuffer
	stop   func()
}

var timings = incident.Timings{GroupWait: 5 * time.Second, GroupInterval: time.Minute}

var settings = outbox.Settings{Timings: timings, ExternalURL: "https://watch.example.com/esa/"}

// start runs an outbox on kv; it is stopped at the end of the test at the latest.
func start(t testing.TB, kv store.KV, receivers ...outbox.Receiver) *agent {
	t.Helper()
	return startWith(t, kv, settings, receivers...)
}

func startWith(t testing.TB, kv store.KV, settings outbox.Settings, receivers ...outbox.Receiver) *agent {
	t.Helper()
	a := &agent{keeper: openKeeper(t, kv), reg: prometheus.NewPedanticRegistry(), log: &logBuffer{}}
	a.Outbox = outbox.New(outbox.Options{
		Records: a.keeper, Registerer: a.reg, Grace: 3 * time.Second,
		Log: slog.New(slog.NewTextHandler(a.log, nil)),
	})
	a.SetReceivers(receivers, settings)
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
	_, err := a.keeper.Update(context.Background(), r.Site, func(rec incident.Record) (incident.Record, bool) {
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

var errServer = errors.New("the server said 500")
