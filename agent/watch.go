package agent

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/outbox"
)

const (
	// watchSettle is how long files must be left alone before they are read:
	// editors and deployments write in several steps.
	watchSettle = time.Second
	// watchMost is how long they are waited for when they never are.
	watchMost = 5 * time.Second
	// watchPoll is how often they are read with no word from the system, which
	// has none for network file systems.
	watchPoll = time.Minute
)

// watcher looks at the files of the configuration whenever they may have
// changed: soon after the system says so, and each minute in any case. What it
// is told by the system only makes it quicker.
type watcher struct {
	paths  func() []string // what to watch: files and directories
	look   func()          // compares contents, and reloads
	log    *slog.Logger
	settle time.Duration
	most   time.Duration
	poll   time.Duration

	notify  *fsnotify.Watcher // nil when the system offers none
	names   map[string]bool   // that matter: files, links on the way to them, directories
	all     map[string]bool   // directories in which every name matters
	refused bool              // a directory could not be watched, which was said
}

// watchFiles reloads the configuration when its files change, until ctx is done.
func (a *Agent) watchFiles(ctx context.Context) error {
	if a.opts.Inputs == nil {
		<-ctx.Done()
		return nil
	}
	w := &watcher{paths: a.inputPaths, look: a.reloadIfChanged, log: a.log,
		settle: watchSettle, most: watchMost, poll: watchPoll}
	return w.run(ctx)
}

func (w *watcher) run(ctx context.Context) error {
	var events chan fsnotify.Event
	var errs chan error
	var err error
	if w.notify, err = fsnotify.NewWatcher(); err != nil {
		w.refuse(err)
	} else {
		defer w.notify.Close()
		events, errs = w.notify.Events, w.notify.Errors
	}

	poll := time.NewTicker(w.poll)
	defer poll.Stop()
	settled := time.NewTimer(0) // what changed before the watch began
	defer settled.Stop()
	var since time.Time // the first change that has not been looked at
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			if !w.concerns(e) {
				continue
			}
		case <-errs: // events were lost
		case <-poll.C:
			w.lookAround()
			continue
		case <-settled.C:
			since = time.Time{}
			w.lookAround()
			continue
		}
		if since.IsZero() {
			since = time.Now()
		}
		settled.Reset(max(0, min(w.settle, w.most-time.Since(since))))
	}
}

// lookAround looks at the files, and watches what is on the way to those that
// the configuration is made of now.
func (w *watcher) lookAround() {
	w.follow() // first, so that what changes from here on is told
	w.look()
	if w.follow() {
		w.look()
	}
}

// concerns tells whether an event may have to do with the configuration.
func (w *watcher) concerns(e fsnotify.Event) bool {
	name := filepath.Clean(e.Name)
	if e.Has(fsnotify.Remove|fsnotify.Rename) && slices.Contains(w.notify.WatchList(), name) {
		// A directory itself has gone: another may come under its name.
		_ = w.notify.Remove(name) // it may have been forgotten already
	}
	return w.names[name] || w.all[filepath.Dir(name)]
}

// follow watches the directories that lead to the configuration's files as they
// are now, and no others. It tells whether there are new ones.
func (w *watcher) follow() (added bool) {
	if w.notify == nil {
		return false
	}
	w.names, w.all = map[string]bool{}, map[string]bool{}
	dirs := map[string]bool{}
	for _, path := range w.paths() {
		names := trace(path)
		for _, name := range names {
			w.names[name], w.names[filepath.Dir(name)] = true, true
			dirs[filepath.Dir(name)] = true
		}
		if last := names[len(names)-1]; isDir(last) {
			dirs[last], w.all[last] = true, true
		}
	}
	for _, watched := range w.notify.WatchList() {
		if !dirs[watched] {
			_ = w.notify.Remove(watched) // it may have gone
		}
		delete(dirs, watched)
	}
	for dir := range dirs {
		if err := w.notify.Add(dir); err != nil {
			w.refuse(err)
		} else {
			added = true
		}
	}
	return added
}

// refuse says once that changes will be seen late.
func (w *watcher) refuse(err error) {
	if !w.refused {
		w.log.Warn("changes of files are seen within "+watchPoll.String()+" only", "err", err)
	}
	w.refused = true
}

// trace lists the names whose change makes path lead elsewhere: each symbolic
// link on the way and, last, the file itself, or the first name that is not
// there. Their directories are free of links.
func trace(path string) []string {
	const most = 64 // links; the system gives up at 40
	abs, err := filepath.Abs(path)
	if err != nil {
		return []string{path}
	}
	const root = string(filepath.Separator)
	var names []string
	dir, rest := root, parts(abs)
	for links := 0; len(rest) > 0 && links < most; {
		name := filepath.Join(dir, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(name)
		if err != nil {
			return append(names, name)
		}
		if info.Mode()&os.ModeSymlink == 0 {
			dir = name
			continue
		}
		names = append(names, name)
		links++
		target, err := os.Readlink(name)
		if err != nil {
			return names
		}
		if filepath.IsAbs(target) {
			dir = root
		}
		rest = append(parts(target), rest...)
	}
	return append(names, dir)
}

// parts are the names of a path, one for each level.
func parts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == filepath.Separator })
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// inputPaths are the files and directories of the last configuration that was
// read.
func (a *Agent) inputPaths() []string {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	paths := make([]string, 0, len(a.inputs))
	for _, in := range a.inputs {
		paths = append(paths, in.Path)
	}
	return paths
}

// reloadIfChanged reads the configuration again if it would not be the same.
func (a *Agent) reloadIfChanged() {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if a.inputsChanged() {
		_ = a.reload(false) // it has logged what is wrong
	}
}

// inputsChanged tells whether a reload is due, once for each change. Files that
// are read whenever they are used are no reason, except when one of them keeps
// the configuration from being loaded, or may have. The caller holds a.reloading.
func (a *Agent) inputsChanged() bool {
	changed := false
	var live []string
	for i := range a.inputs {
		in := &a.inputs[i]
		sum := config.SumOf(in.Path)
		if sum == in.Sum {
			continue
		}
		in.Sum = sum
		if in.Live {
			a.log.Debug("file changed", "path", in.Path)
			live = append(live, in.Path)
		}
		changed = changed || !in.Live || a.failure != ""
	}
	if len(live) > 0 && !changed {
		changed = !a.loads() // once for all: thousands may change in one moment
	}
	a.tryAgain(live)
	return changed
}

// loads tells whether the configuration could be loaded now.
func (a *Agent) loads() bool {
	_, err := a.opts.Load()
	return err == nil
}

// tryAgain has the receivers told at once of what they could not be told, if one
// of the files is a secret of theirs: it may be the right one now. The caller holds
// a.reloading.
func (a *Agent) tryAgain(files []string) {
	isSecret := slices.ContainsFunc(a.plan.Config.Receivers, func(r config.Receiver) bool {
		return slices.ContainsFunc(r.Secrets(), func(s config.Secret) bool { return slices.Contains(files, s.File()) })
	})
	failing := slices.ContainsFunc(a.health(), func(h outbox.Health) bool { return h.Failures > 0 })
	if isSecret && failing {
		a.setReceivers(a.plan)
	}
}
