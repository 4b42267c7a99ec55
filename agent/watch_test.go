package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/notify"
)

// watchHouse is an agent whose files are watched, and nothing else of it runs.
type watchHouse struct {
	*Agent
	t       *testing.T
	dir     string // where the configuration is
	log     lockedBuffer
	looks   atomic.Int64
	reloads atomic.Int64
	loads   atomic.Int64
}

const watchedSite = "sites: [{name: shop, url: 'http://shop.invalid'}]\n"

// watchFolder starts an agent with the configuration at path, below a new folder in
// which prepare has made it. Without events files are looked at by the clock only.
func watchFolder(t *testing.T, path string, events bool, prepare func(w *watchHouse)) *watchHouse {
	t.Helper()
	w := &watchHouse{t: t, dir: t.TempDir()}
	prepare(w)
	var inputs []config.Input
	base := writeFile(t, filepath.Join(t.TempDir(), "base.yaml"),
		"agent: {location: fra-1, data_dir: '"+t.TempDir()+"'}\nweb: {listen: 127.0.0.1:0}\n")
	var err error
	w.Agent, err = New(t.Context(), Options{
		Load: func() (*config.Config, error) {
			inputs = nil
			w.loads.Add(1)
			return config.Load([]string{base, filepath.Join(w.dir, path)}, config.Options{Environ: []string{},
				Seen: func(in config.Input) { inputs = append(inputs, in) }})
		},
		Inputs:    func() []config.Input { return inputs },
		Reloading: func() func() { return func() { w.reloads.Add(1) } },
		Log:       slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	quick := &watcher{paths: w.inputPaths, log: w.Agent.log, settle: 30 * time.Millisecond, most: time.Second, poll: time.Hour,
		look: func() { w.reloadIfChanged(); w.looks.Add(1) }}
	if !events {
		quick.paths, quick.poll = func() []string { return nil }, 20*time.Millisecond
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- quick.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		w.release()
	})
	w.looked(1)
	return w
}

// looked waits until the files were looked at n times in all.
func (w *watchHouse) looked(n int64) {
	w.t.Helper()
	w.until("a look at the files", func() bool { return w.looks.Load() >= n })
}

func (w *watchHouse) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("waited in vain for %s; logged:\n%s", what, w.log.String())
		}
	}
}

// site waits until the site of this name is all that is watched.
func (w *watchHouse) site(name string) {
	w.t.Helper()
	w.until("site "+name, func() bool {
		checks := w.current().Checks
		return len(checks) == 1 && checks[0].Site == name
	})
}

func (w *watchHouse) path(name string) string { return filepath.Join(w.dir, name) }

func (w *watchHouse) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func siteNamed(name string) string { return strings.ReplaceAll(watchedSite, "shop", name) }

// configMap makes a volume as the kubelet does: files are links by way of
// ..data, a link that is swapped for one to the next generation.
func (w *watchHouse) configMap(generation, text string) {
	w.t.Helper()
	w.must(os.MkdirAll(w.path("..gen-"+generation), 0o700))
	writeFile(w.t, w.path("..gen-"+generation+"/config.yaml"), text)
	w.must(os.Symlink("..gen-"+generation, w.path("..data_tmp")))
	w.must(os.Rename(w.path("..data_tmp"), w.path("..data")))
}

// TestFilesThatChange changes the configuration in all the ways in which people
// and machines do, twice: what replaces a file has to be watched as the first was.
func TestFilesThatChange(t *testing.T) {
	plain := func(w *watchHouse) { writeFile(w.t, w.path("config.yaml"), watchedSite) }
	ways := map[string]struct {
		path    string
		prepare func(w *watchHouse)
		change  func(w *watchHouse, name string)
	}{
		"written in place": {"config.yaml", plain, func(w *watchHouse, name string) {
			writeFile(w.t, w.path("config.yaml"), siteNamed(name))
		}},
		"renamed over": {"config.yaml", plain, func(w *watchHouse, name string) {
			writeFile(w.t, w.path("config.yaml.new"), siteNamed(name))
			w.must(os.Rename(w.path("config.yaml.new"), w.path("config.yaml")))
		}},
		"moved away and written, as vim does": {"config.yaml", plain, func(w *watchHouse, name string) {
			w.must(os.Rename(w.path("config.yaml"), w.path("config.yaml~")))
			writeFile(w.t, w.path("config.yaml"), siteNamed(name))
		}},
		"deleted and written later": {"config.yaml", plain, func(w *watchHouse, name string) {
			w.must(os.Remove(w.path("config.yaml")))
			w.until("the failure", func() bool { return w.Status().Stale })
			writeFile(w.t, w.path("config.yaml"), siteNamed(name))
		}},
		"a ConfigMap": {"config.yaml", func(w *watchHouse) {
			w.configMap("shop", watchedSite)
			w.must(os.Symlink("..data/config.yaml", w.path("config.yaml")))
		}, func(w *watchHouse, name string) { w.configMap(name, siteNamed(name)) }},
		"the target of a link": {"config.yaml", func(w *watchHouse) {
			w.must(os.Mkdir(w.path("elsewhere"), 0o700))
			writeFile(w.t, w.path("elsewhere/real.yaml"), watchedSite)
			w.must(os.Symlink(w.path("elsewhere/real.yaml"), w.path("config.yaml")))
		}, func(w *watchHouse, name string) {
			writeFile(w.t, w.path("elsewhere/real.yaml"), siteNamed(name))
		}},
		"a linked folder swapped": {"current/config.yaml", func(w *watchHouse) {
			w.must(os.Mkdir(w.path("release-shop"), 0o700))
			writeFile(w.t, w.path("release-shop/config.yaml"), watchedSite)
			w.must(os.Symlink("release-shop", w.path("current")))
		}, func(w *watchHouse, name string) {
			w.must(os.Mkdir(w.path("release-"+name), 0o700))
			writeFile(w.t, w.path("release-"+name+"/config.yaml"), siteNamed(name))
			w.must(os.Symlink("release-"+name, w.path("next")))
			w.must(os.Rename(w.path("next"), w.path("current")))
		}},
		"a folder replaced": {"conf.d", func(w *watchHouse) {
			w.must(os.Mkdir(w.path("conf.d"), 0o700))
			writeFile(w.t, w.path("conf.d/10.yaml"), watchedSite)
		}, func(w *watchHouse, name string) {
			w.must(os.Rename(w.path("conf.d"), w.path("conf.d.before-"+name)))
			w.must(os.Mkdir(w.path("conf.d"), 0o700))
			writeFile(w.t, w.path("conf.d/20.yaml"), siteNamed(name))
		}},
		"a file more in a folder": {"conf.d", func(w *watchHouse) {
			w.must(os.Mkdir(w.path("conf.d"), 0o700))
			writeFile(w.t, w.path("conf.d/shop.yaml"), watchedSite)
		}, func(w *watchHouse, name string) {
			writeFile(w.t, w.path("conf.d/new.yaml"), "agent: {canaries: []}\n")
			was := map[string]string{"blog": "shop", "wiki": "blog"}[name]
			w.must(os.Remove(w.path("conf.d/" + was + ".yaml")))
			writeFile(w.t, w.path("conf.d/"+name+".yaml"), siteNamed(name))
		}},
		"a body": {"config.yaml", func(w *watchHouse) {
			writeFile(w.t, w.path("body.json"), "{}")
			writeFile(w.t, w.path("config.yaml"), "sites: [{name: shop, url: 'http://shop.invalid', checks: [{name: home, method: POST, body_file: body.json}]}]\n")
		}, func(w *watchHouse, name string) {
			before := w.reloads.Load()
			writeFile(w.t, w.path("body.json"), `{"site": "`+name+`"}`)
			w.until("the reload", func() bool { return w.reloads.Load() > before })
			writeFile(w.t, w.path("config.yaml"), siteNamed(name)+"# with no body\n")
			w.site(name)
			writeFile(w.t, w.path("config.yaml"), "sites: [{name: "+name+", url: 'http://shop.invalid', checks: [{name: home, method: POST, body_file: body.json}]}]\n")
			w.until("the body again", func() bool {
				return slices.Contains(w.inputPaths(), w.path("body.json"))
			})
		}},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watchFolder(t, way.path, true, way.prepare)
			for _, site := range []string{"blog", "wiki"} {
				way.change(w, site)
				w.site(site)
			}
			if w.Status().Stale {
				t.Errorf("the configuration counts as stale; logged:\n%s", w.log.String())
			}
		})
	}
}

// TestFilesWithNoEvents changes a file about which the system says nothing.
func TestFilesWithNoEvents(t *testing.T) {
	t.Parallel()
	w := watchFolder(t, "config.yaml", false, func(w *watchHouse) { writeFile(t, w.path("config.yaml"), watchedSite) })
	writeFile(t, w.path("config.yaml"), siteNamed("blog"))
	w.site("blog")
}

// TestSameContentIsNoChange touches and rewrites a file, and swaps a ConfigMap
// for an equal one.
func TestSameContentIsNoChange(t *testing.T) {
	t.Parallel()
	w := watchFolder(t, "config.yaml", true, func(w *watchHouse) {
		w.configMap("a", watchedSite)
		w.must(os.Symlink("..data/config.yaml", w.path("config.yaml")))
	})
	for i, change := range []func(){
		func() { w.must(os.Chtimes(w.path("config.yaml"), time.Now(), time.Now())) },
		func() { writeFile(t, w.path("config.yaml"), watchedSite) },
		func() { w.configMap("b", watchedSite) },
	} {
		before := w.looks.Load()
		change()
		w.looked(before + 1)
		if n := w.reloads.Load(); n != 0 {
			t.Fatalf("change %d: %d reloads, want none", i, n)
		}
	}
}

// TestNeighboursAreNoChange writes beside the configuration, as a log does.
func TestNeighboursAreNoChange(t *testing.T) {
	t.Parallel()
	w := watchFolder(t, "config.yaml", true, func(w *watchHouse) { writeFile(t, w.path("config.yaml"), watchedSite) })
	for range 20 {
		writeFile(t, w.path("esawatch.log"), time.Now().String())
	}
	before := w.looks.Load()
	writeFile(t, w.path("config.yaml"), siteNamed("blog"))
	w.site("blog")
	if n := w.looks.Load() - before; n > 3 {
		t.Errorf("%d looks at the files for one change", n)
	}
}

// TestFailureIsSaidOnce saves a file with the same error again and again.
func TestFailureIsSaidOnce(t *testing.T) {
	t.Parallel()
	w := watchFolder(t, "config.yaml", true, func(w *watchHouse) { writeFile(t, w.path("config.yaml"), watchedSite) })
	said := func() int { return strings.Count(w.log.String(), "the old one stays in force") }
	broken := siteNamed("blog") + "log: {level: loud}\n"
	for i := range 4 {
		before := w.reloads.Load()
		writeFile(t, w.path("config.yaml"), broken+strings.Repeat("# again\n", i))
		w.until("the reload", func() bool { return w.reloads.Load() > before })
	}
	if n := said(); n != 1 || !w.Status().Stale || w.current().Checks[0].Site != "shop" {
		t.Errorf("said %d times, want once, with the old configuration in force: %+v\n%s", n, w.Status(), w.log.String())
	}
	// Who asks is answered each time.
	if err := w.Reload(); err == nil || said() != 2 {
		t.Errorf("error %v, said %d times in all, want 2", err, said())
	}
	writeFile(t, w.path("config.yaml"), siteNamed("blog")+"log: {format: loud}\n")
	w.until("the other error", func() bool { return strings.Contains(w.log.String(), "log.format") })
	writeFile(t, w.path("config.yaml"), siteNamed("blog"))
	w.site("blog")
	if w.Status().Stale {
		t.Error("the configuration still counts as stale")
	}
	writeFile(t, w.path("config.yaml"), broken)
	w.until("the first error again", func() bool { return said() == 4 })
}

// TestSecretsNeedNoReload replaces a secret, which is read when it is used; but
// one that is missing is waited for.
func TestSecretsNeedNoReload(t *testing.T) {
	t.Parallel()
	const receiver = "receivers: [{name: hook, webhook: {url_file: hook-url}}]\n"
	w := watchFolder(t, "config.yaml", true, func(w *watchHouse) {
		writeFile(t, w.path("hook-url"), "http://one.invalid/\n")
		writeFile(t, w.path("config.yaml"), watchedSite+receiver)
	})
	secret := w.current().Config.Receivers[0].Webhook.URL
	before := w.looks.Load()
	writeFile(t, w.path("hook-url.new"), "http://two.invalid/\n")
	w.must(os.Rename(w.path("hook-url.new"), w.path("hook-url")))
	w.looked(before + 1)
	if got, err := secret.Get(); err != nil || got != "http://two.invalid/" {
		t.Errorf("secret %q, error %v; want the new one", got, err)
	}
	if n := w.reloads.Load(); n != 0 {
		t.Errorf("%d reloads, want none", n)
	}

	// A wrong one is not taken over, and said where it stands.
	for _, bad := range []string{"", "nonsense\n"} {
		writeFile(t, w.path("hook-url"), bad)
		w.until("the failure", func() bool { return w.Status().Stale })
		if got, err := secret.Get(); err != nil || got != "http://two.invalid/" {
			t.Errorf("secret %q, error %v; want the one before %q", got, err, bad)
		}
		writeFile(t, w.path("hook-url"), "http://two.invalid/\n")
		w.until("the repair", func() bool { return !w.Status().Stale })
	}

	// The configuration came first, its new secret comes later.
	writeFile(t, w.path("config.yaml"), siteNamed("blog")+strings.ReplaceAll(receiver, "hook-url", "later"))
	w.until("the failure", func() bool { return w.Status().Stale })
	writeFile(t, w.path("later"), "http://three.invalid/\n")
	w.site("blog")
}

// fickle is a receiver whose secret is wrong until it is mended.
type fickle struct{ mended, told atomic.Bool }

func (f *fickle) Notify(context.Context, notify.Notification) (notify.Receipt, error) {
	if !f.mended.Load() {
		return nil, notify.Misconfigured(errors.New("invalid_auth"))
	}
	f.told.Store(true)
	return nil, nil
}

// TestMendedSecretIsTriedAtOnce has a receiver told as soon as its secret is
// right, whether what it is owed is in the agent's own records or in those of
// several.
func TestMendedSecretIsTriedAtOnce(t *testing.T) {
	for _, shared := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			keeper := func() *incident.Keeper { return incident.NewKeeper(memstore.New(), incident.Options{}) }
			own, others := keeper(), keeper()
			a := &Agent{log: slog.New(slog.DiscardHandler), outbox: outbox.New(outbox.Options{Records: own}),
				team: &team{outbox: outbox.New(outbox.Options{Records: others})}}
			if !shared {
				others = own
				a.team = nil
			}
			hook := &fickle{}
			a.plan = &Plan{Config: &config.Config{Receivers: []config.Receiver{{Name: "hook", Webhook: &config.Webhook{URL: config.FileSecret("hook-url")}}}},
				Receivers: []outbox.Receiver{{Name: "hook", Notifier: hook}}}
			a.setReceivers(a.plan)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			go func() { _ = a.outbox.Run(ctx) }()
			if shared {
				go func() { _ = a.team.outbox.Run(ctx) }()
			}
			_, err := others.Update(ctx, "shop", func(rec incident.Record) (incident.Record, bool) {
				return incident.Next(rec, checks.Result{Site: "shop", Check: "home", StartedAt: time.Now(), Outcome: checks.Fail}, incident.Policy{})
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			a.tryAgain([]string{"another"})
			hook.mended.Store(true)
			time.Sleep(time.Second)
			if hook.told.Load() {
				t.Fatal("told before the secret's file changed")
			}
			a.tryAgain([]string{"hook-url"})
			time.Sleep(time.Second)
			if !hook.told.Load() {
				t.Errorf("shared %t: not told at once", shared)
			}
		})
	}
}

// TestManySecretsAtOnce replaces many secrets in one moment, as the volume of a
// Kubernetes secret does: whether they are right is found out once.
func TestManySecretsAtOnce(t *testing.T) {
	t.Parallel()
	const n = 20
	put := func(w *watchHouse, value string) {
		for i := range n {
			writeFile(t, w.path(fmt.Sprintf("token-%d", i)), value)
		}
	}
	w := watchFolder(t, "config.yaml", true, func(w *watchHouse) {
		put(w, "one\n")
		text := "sites:\n  - name: shop\n    url: http://shop.invalid\n    checks:\n"
		for i := range n {
			text += fmt.Sprintf("      - {name: c%d, auth: {bearer: {token_file: token-%d}}}\n", i, i)
		}
		writeFile(t, w.path("config.yaml"), text)
	})
	w.reloading.Lock() // the watcher waits meanwhile
	before := w.loads.Load()
	put(w, "two\n")
	changed := w.inputsChanged()
	loads := w.loads.Load() - before
	w.reloading.Unlock()
	if changed || loads != 1 {
		t.Errorf("a reload is due: %v; %d loads, want one", changed, loads)
	}
}

func TestTrace(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.Mkdir(at("real"), 0o700), os.Symlink("real", at("way")), os.Symlink("../real/file", at("real/link")),
		os.Symlink(at("way/link"), at("far")), os.Symlink("round", at("round"))); err != nil {
		t.Fatal(err)
	}
	writeFile(t, at("real/file"), "")
	for path, want := range map[string][]string{
		"real/file":    {"real/file"},
		"real":         {"real"},
		"way/file":     {"way", "real/file"},
		"far":          {"far", "way", "real/link", "real/file"},
		"way/none/x":   {"way", "real/none"},
		"real/../far/": {"far", "way", "real/link", "real/file"},
	} {
		var got []string
		for _, name := range trace(at(path)) {
			rel, err := filepath.Rel(dir, name)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, rel)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if got := trace(at("round")); len(got) == 0 || len(got) > 100 {
		t.Errorf("a link to itself: %d names", len(got))
	}
}
