package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/boltstore"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// flaky is a store whose writes are counted, and can be made to fail.
type flaky struct {
	store.KV
	writes atomic.Int32
	err    atomic.Pointer[error] // what every write fails with
	done   atomic.Bool           // though it was done
}

func (f *flaky) before() error {
	f.writes.Add(1)
	if err := f.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (f *flaky) Put(ctx context.Context, e store.Entry) (store.Revision, error) {
	err := f.before()
	if err != nil && !f.done.Load() {
		return 0, err
	}
	rev, putErr := f.KV.Put(ctx, e)
	return rev, errors.Join(err, putErr)
}

func (f *flaky) Delete(ctx context.Context, key string, rev store.Revision) error {
	if err := f.before(); err != nil {
		return err
	}
	return f.KV.Delete(ctx, key, rev)
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// everything is due.
func everything(string) bool { return true }

// restarted is a Recent as the next process has it.
func restarted(t testing.TB, kv store.KV, log *slog.Logger, names ...string) (*Recent, *Saver) {
	t.Helper()
	m := NewRecent()
	m.SetChecks(checkList(names...))
	s := NewSaver(m, kv, log)
	s.Load(t.Context(), catalog.Default())
	return m, s
}

func seen(m *Recent, name string) history {
	var h history
	site, check := checks.SplitName(name)
	m.look(site, check, &h)
	h.kinds = nil // for the ring's own use
	return h
}

func TestSaverRestart(t *testing.T) {
	names := []string{"shop/home", "shop/login", "blog/home"}
	kv := memstore.New()
	m, s := restarted(t, kv, silent(), names...)
	for n := range 3 * ringSize {
		r := answerOfESA(&checks.Check{Site: "shop", Name: "home"}, noon.Add(time.Duration(n)*20*time.Minute+123*time.Millisecond))
		r.DurationSeconds = float64(n) / 100
		if n%7 == 0 {
			r.Outcome, r.Success, r.StatusCode = checks.Fail, false, 522
			r.Diagnosis = &catalog.Diagnosis{Condition: "522", Title: "of its own", Steps: []string{"do"}}
		}
		m.Observe(r)
	}
	login := result(noon, "")
	login.Check, login.Origin = "login", nil
	m.Observe(login)
	s.save(t.Context(), everything)

	again, _ := restarted(t, kv, silent(), names...)
	for _, name := range names {
		was, is := seen(m, name), seen(again, name)
		if was.day != is.day {
			t.Errorf("%s: day %+v, was %+v", name, is.day, was.day)
		}
		n := min(len(was.entries), keptResults)
		if diff := cmp.Diff(was.entries[len(was.entries)-n:], is.entries, cmp.AllowUnexported(entry{}), cmp.Transformer("", func(e []entry) []entry { return append([]entry{}, e...) })); diff != "" {
			t.Errorf("%s: -was +is:\n%s", name, diff)
		}
		if !was.newest.StartedAt.Equal(is.newest.StartedAt) || was.newest.DurationSeconds != is.newest.DurationSeconds ||
			was.newest.Outcome != is.newest.Outcome || was.newest.StatusCode != is.newest.StatusCode ||
			was.newest.Condition() != is.newest.Condition() || !cmp.Equal(was.newest.Origin, is.newest.Origin) {
			t.Errorf("%s: newest %+v, was %+v", name, is.newest, was.newest)
		}
		if site, check := checks.SplitName(name); len(is.entries) > 0 {
			if _, whole := again.Newest(site, check); whole {
				t.Errorf("%s: a short form is given for a whole result", name)
			}
		}
	}
	// The last one of home passed. Let it fail, so that there is a title to find.
	r := result(noon.AddDate(0, 0, 3), "522")
	m.Observe(r)
	s.save(t.Context(), everything)
	again, _ = restarted(t, kv, silent(), names...)
	h := seen(again, "shop/home")
	if d := h.newest.Diagnosis; d == nil || d.Title != "Connection timed out" || d.Fault != "origin_link" {
		t.Errorf("diagnosis %+v, want what the catalog says of 522", d)
	}
	before := h.day
	again.Observe(result(noon.AddDate(0, 0, 3).Add(time.Minute), ""))
	h = seen(again, "shop/home")
	if h.day.runs != before.runs+1 || h.day.since != before.since || len(h.entries) != keptResults+1 {
		t.Errorf("after one more: %+v of %d entries, want one more than %+v", h.day, len(h.entries), before)
	}
	if _, whole := again.Newest("shop", "home"); !whole {
		t.Error("a new result is not given")
	}
}

// What has left the configuration leaves the store.
func TestSaverFollowsTheConfiguration(t *testing.T) {
	kv := memstore.New()
	m, s := restarted(t, kv, silent(), "shop/home", "shop/login", "blog/home", "old/home")
	for _, name := range []string{"shop/home", "shop/login", "blog/home", "old/home"} {
		r := result(noon, "")
		r.Site, r.Check = checks.SplitName(name)
		m.Observe(r)
	}
	s.save(t.Context(), everything)
	m.SetChecks(checkList("shop/home", "blog/home", "old/home"))
	m.SetChecks(checkList("shop/home", "old/home"))
	s.save(t.Context(), everything)

	// A site that left while no agent ran goes too.
	again, s := restarted(t, kv, silent(), "shop/home", "shop/login")
	if len(seen(again, "shop/login").entries) != 0 || len(seen(again, "shop/home").entries) != 1 {
		t.Error("the check that left was kept, or the one that stayed was not")
	}
	s.save(t.Context(), everything)
	if keys, err := kv.Keys(t.Context(), ""); err != nil || fmt.Sprint(keys) != "[recent/shop]" {
		t.Errorf("keys %q, %v, want that of shop alone", keys, err)
	}
}

func TestSaverSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sites = 100
		var names []string
		for i := range sites {
			names = append(names, fmt.Sprintf("site-%d/home", i))
		}
		kv := &flaky{KV: memstore.New()}
		m, s := restarted(t, kv, silent(), names...)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		pass := func(d time.Duration) int32 {
			was := kv.writes.Load()
			time.Sleep(d)
			synctest.Wait()
			return kv.writes.Load() - was
		}
		if n := pass(time.Hour); n != 0 {
			t.Errorf("%d writes with no result, want none", n)
		}
		observe := func() {
			for _, name := range names {
				r := result(time.Now(), "")
				r.Site, r.Check = checks.SplitName(name)
				m.Observe(r)
			}
		}
		// Each site once in five minutes, however many results, and at no moment
		// more than a few of them.
		most := int32(0)
		total := int32(0)
		for range int(time.Hour / (10 * time.Second)) {
			observe()
			n := pass(10 * time.Second)
			most, total = max(most, n), total+n
			entries, err := kv.List(t.Context(), recentPrefix)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if err := readDoc(e.Value, func(_ string, r *ring) {
					if age := time.Since(time.Unix(int64(r.nth(0).at()), 0)); age > saveEvery+20*time.Second {
						t.Fatalf("what is saved of %s is %v old", e.Key, age)
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if want := int32(sites * 12); total < want-sites || total > want {
			t.Errorf("%d writes in an hour, want about %d", total, want)
		}
		if most > sites/5 {
			t.Errorf("%d writes within ten seconds, want them spread", most)
		}
		pass(saveEvery)
		if n := pass(24 * time.Hour); n != 0 {
			t.Errorf("%d writes on a day with nothing new, want none", n)
		}
		observe()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		again, _ := restarted(t, kv, silent(), names...)
		for _, name := range names {
			if was, is := seen(m, name), seen(again, name); !is.newest.StartedAt.Equal(was.newest.StartedAt) {
				t.Fatalf("%s: the newest at the end is of %v, want %v", name, is.newest.StartedAt, was.newest.StartedAt)
			}
		}
	})
}

func TestSaverOnAFullDisk(t *testing.T) {
	var names []string
	for i := range 3 * saveAtOnce {
		names = append(names, fmt.Sprintf("site-%d/home", i))
	}
	kv := &flaky{KV: memstore.New()}
	var log bytes.Buffer
	m, s := restarted(t, kv, slog.New(slog.NewTextHandler(&log, nil)), names...)
	for _, name := range names {
		r := result(noon, "")
		r.Site, r.Check = checks.SplitName(name)
		m.Observe(r)
	}
	full := error(syscall.ENOSPC)
	kv.err.Store(&full)
	for range 5 {
		s.save(t.Context(), everything)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "no space left") {
		t.Errorf("logged %d lines, want one that says why:\n%s", n, log.String())
	}
	if n := kv.writes.Load(); n != 5*saveAtOnce {
		t.Errorf("%d writes tried, want %d: after one that fails the others would too", n, 5*saveAtOnce)
	}
	kv.done.Store(true) // reported as failed, though done
	s.save(t.Context(), everything)
	kv.err.Store(nil)
	for range 2 {
		s.save(t.Context(), everything)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "saved again") {
		t.Errorf("logged %d lines, want one more that says that it works:\n%s", n, log.String())
	}
	if keys, err := kv.Keys(t.Context(), recentPrefix); err != nil || len(keys) != len(names) {
		t.Errorf("%d sites saved, %v, want all %d", len(keys), err, len(names))
	}
	before := kv.writes.Load()
	s.save(t.Context(), everything)
	if n := kv.writes.Load() - before; n != 0 {
		t.Errorf("%d writes with nothing new", n)
	}
}

// What cannot be read is said once, and costs no other site its results.
func TestSaverLoadsWhatItCan(t *testing.T) {
	kv := memstore.New()
	m, s := restarted(t, kv, silent(), "shop/home")
	m.Observe(result(noon, ""))
	s.save(t.Context(), everything)
	for site, value := range map[string]string{
		"empty": "", "none": "\x00", "newer": "\x02 in another form", "garbage": "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		if _, err := kv.Put(t.Context(), store.Entry{Key: recentPrefix + site, Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"shop/home", "empty/home", "none/home", "newer/home", "garbage/home"}
	var log bytes.Buffer
	again, s := restarted(t, kv, slog.New(slog.NewTextHandler(&log, nil)), names...)
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "sites=4") {
		t.Errorf("logged %d lines, want one of four sites:\n%s", n, log.String())
	}
	if len(seen(again, "shop/home").entries) != 1 {
		t.Error("the results of a sound site were not taken")
	}
	for _, name := range names {
		r := result(noon.Add(time.Hour), "")
		r.Site, r.Check = checks.SplitName(name)
		again.Observe(r)
	}
	s.save(t.Context(), everything)
	log.Reset()
	again, _ = restarted(t, kv, slog.New(slog.NewTextHandler(&log, nil)), names...)
	for _, name := range names {
		if len(seen(again, name).entries) == 0 || log.Len() > 0 {
			t.Errorf("%s was not saved over what could not be read: %s", name, log.String())
		}
	}

	log.Reset()
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	restarted(t, kv, slog.New(slog.NewTextHandler(&log, nil)), names...)
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "begin empty") {
		t.Errorf("of a store that cannot be read, logged:\n%s", log.String())
	}
}

// saverChild names the file that a copy of this test is to save results into
// until it is killed.
const saverChild = "ESAWATCH_SAVER_CHILD"

func saverChecks() (names []string) {
	for i := range 40 {
		names = append(names, fmt.Sprintf("site-%d/home", i))
	}
	return names
}

// saveForEver saves results as fast as it can, and prints a line for each round.
func saveForEver(t *testing.T, path string) {
	kv, err := boltstore.Open(path, boltstore.Options{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	go func() { // until killed, or its parent is
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	names := saverChecks()
	m, s := restarted(t, kv, silent(), names...)
	for n := len(seen(m, names[0]).entries); ; n++ {
		for _, name := range names {
			r := result(noon.Add(time.Duration(n)*time.Second), "")
			r.Site, r.Check = checks.SplitName(name)
			m.Observe(r)
		}
		s.save(context.Background(), everything)
		fmt.Println("round", n)
	}
}

func TestSaverKilled(t *testing.T) {
	if path := os.Getenv(saverChild); path != "" {
		saveForEver(t, path)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "state.db")
	last := uint32(0)
	for round := range 6 {
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestSaverKilled$")
		cmd.Env = append(os.Environ(), saverChild+"="+path)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		for n := 0; lines.Scan(); n++ {
			if n == 2+round {
				time.AfterFunc(time.Duration(round)*time.Millisecond/2, func() { _ = cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait() // killed
		_ = stdin.Close()

		kv, err := boltstore.Open(path, boltstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		m, _ := restarted(t, kv, slog.New(slog.NewTextHandler(&log, nil)), saverChecks()...)
		if kv.Recovered() != nil || log.Len() > 0 {
			t.Errorf("after a kill: recovered %+v, logged %s", kv.Recovered(), log.String())
		}
		oldest := uint32(0)
		for _, name := range saverChecks() {
			site, check := checks.SplitName(name)
			r := m.ring(site, check)
			if len(r.entries) == 0 {
				t.Fatalf("after a kill: nothing of %s", name)
			}
			if at := r.nth(0).at(); oldest == 0 || at < oldest {
				oldest = at
			}
		}
		if oldest <= last {
			t.Errorf("round %d saved up to %d, the one before it up to %d", round, oldest, last)
		}
		last = oldest
		if err := kv.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
