package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// pages are the templates. Each is parsed when its page is first looked at: an
// agent that nobody looks at holds none.
type pages struct {
	mu     sync.Mutex
	parsed map[string]*template.Template
	hashes map[string]string // of the static files, by name
}

// newPages reads the static files.
func newPages() (*pages, error) {
	p := &pages{parsed: map[string]*template.Template{}, hashes: map[string]string{}}
	return p, fs.WalkDir(staticFiles, "static", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := staticFiles.ReadFile(path)
		sum := sha256.Sum256(data)
		p.hashes[strings.TrimPrefix(path, "static/")] = hex.EncodeToString(sum[:6])
		return err
	})
}

// template is that of a page, with the frame that all share. An error means that
// the program was built from broken files.
func (p *pages) template(name string) (*template.Template, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.parsed[name]; t != nil {
		return t, nil
	}
	t, err := template.New("frame.html").
		Funcs(template.FuncMap{"pieces": pieces, "fact": factOf, "segments": segments}).
		ParseFS(templateFiles, "templates/frame.html", "templates/parts.html", "templates/"+name+".html")
	if err != nil {
		return nil, err
	}
	p.parsed[name] = t
	return t, nil
}

// root is the way from a page to the first one, "./" or some "../". All links
// begin with it, so that they hold behind a proxy that serves us in a folder.
type root string

func rootOf(r *http.Request) root {
	// As the browser sees the path: an escaped slash is none.
	up := strings.Count(r.URL.EscapedPath(), "/") - 1
	if up <= 0 {
		return "./"
	}
	return root(strings.Repeat("../", up))
}

// to is the link to a page, by the parts of its path.
func (r root) to(parts ...string) string {
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return string(r) + strings.Join(parts, "/")
}

// page is what the frame shows around each page's own.
type page struct {
	Root     root
	Title    string
	Section  string // of the navigation: status, incidents, catalog
	Lang     string
	Location string
	Version  string
	Icon     string  // class of the state that the tab's icon shows
	Live     bool    // it refreshes itself
	Trouble  string  // what is wrong with the agent itself
	CutOff   *cutOff // how it stands to the other agents, nil when it is together with them
	WhyNot   string  // nothing can be changed from here: why; "" when it can
	Says     string  // the state in words, to be read out when it changes
	Seen     uint64  // version of what is shown: see events
	Reload   int     // seconds after which a page without scripts comes anew, 0 = never
	Time     moment
	Body     any

	now      time.Time
	content  *Content
	inForce  []mute // the silences and maintenances in force
	mutes    []mute // all of them
	toldFrom string // see Server.toldFrom
	static   map[string]string
}

// reloadEvery is how often a page without scripts comes anew for those who ask
// it to, in seconds. Nobody is made to: it would take what they read from them.
const reloadEvery = 30

// begin makes the page that a request is answered with.
func (s *Server) begin(r *http.Request, section, title string) *page {
	now, seen := time.Now(), s.version()
	p := &page{
		Seen: seen,
		Root: rootOf(r), Title: title, Section: section, Lang: "en", Icon: "ok",
		Location: s.opts.Location, Version: s.opts.Version,
		now: now, Time: momentOf(now, now), content: s.content.Load(), static: s.pages.hashes,
		toldFrom: s.toldFrom(),
	}
	if err := s.opts.Ready(); err != nil {
		p.Trouble = err.Error()
	}
	p.CutOff = s.cutOff(now)
	if err := s.mayChange(); err != nil {
		p.WhyNot = err.Error()
	}
	if r.URL.Query().Get("refresh") == strconv.Itoa(reloadEvery) {
		p.Reload = reloadEvery
	}
	p.mutes = s.mutes(p)
	p.inForce = inForce(p.mutes)
	return p
}

// Static is the link to an embedded file, which changes with what it holds.
func (p *page) Static(name string) string {
	return p.Root.to("static", name) + "?v=" + p.static[name]
}

// Home, Incidents, Silences and Catalog are the links of the navigation.
func (p *page) Home() string      { return string(p.Root) }
func (p *page) Incidents() string { return p.Root.to("incidents") }
func (p *page) Silences() string  { return p.Root.to("silences") }
func (p *page) Catalog() string   { return p.Root.to("catalog") }

// API is the link to the description of the API.
func (p *page) API() string { return p.Root.to("api", "v1", "openapi.json") }

// Muting is how many silences and maintenances are in force.
func (p *page) Muting() int { return len(p.inForce) }

// silenceLink leads to the form that silences a site, or one check of it.
func (p *page) silenceLink(site, check string) string {
	q := url.Values{"site": {site}}
	if check != "" {
		q.Set("check", check)
	}
	return p.Silences() + "?" + q.Encode() + "#new"
}

// write renders a page whole before it sends the first byte of it, so that a
// fault in it is an error and not half a page.
func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, name string, p *page) {
	var b bytes.Buffer
	t, err := s.pages.template(name)
	if err == nil {
		err = t.Execute(&b, p)
	}
	if err != nil {
		s.opts.Log.Error("page cannot be shown", "path", r.URL.Path, "err", err)
		http.Error(w, "this page cannot be shown; the agent's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, r, status, b.Bytes())
}

// static serves the embedded files. Their links change with what they hold, so
// that a browser need never ask twice.
func (s *Server) static() http.Handler {
	files := http.FileServerFS(staticFiles)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/static/")
		if s.pages.hashes[name] == "" {
			s.notFound(w, r)
			return
		}
		if r.URL.Query().Get("v") == s.pages.hashes[name] {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		files.ServeHTTP(w, r)
	})
}
