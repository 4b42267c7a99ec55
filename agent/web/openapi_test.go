package web

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// described is the description of the API, ready to hold answers against.
type described struct {
	doc      map[string]any
	compiler *jsonschema.Compiler

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema // by JSON pointer
}

var description = sync.OnceValues(func() (*described, error) {
	body, err := describe()
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("openapi.json", doc); err != nil {
		return nil, err
	}
	return &described{doc: doc.(map[string]any), compiler: c, schemas: map[string]*jsonschema.Schema{}}, nil
})

// descriptionOf is the description, or the end of the test.
func descriptionOf(t testing.TB) *described {
	t.Helper()
	d, err := description()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// node is a part of the document by the keys that lead there. A reference is
// followed, also to where it leads.
func (d *described) node(path ...string) (any, []string) {
	var at any = d.doc
	for i, key := range path {
		m, _ := at.(map[string]any)
		at = m[key]
		if m, ok := at.(map[string]any); ok && i < len(path) {
			if ref, ok := m["$ref"].(string); ok {
				to := append(strings.Split(strings.TrimPrefix(ref, "#/"), "/"), path[i+1:]...)
				return d.node(to...)
			}
		}
	}
	return at, path
}

// valid holds a text against the schema that the keys lead to.
func (d *described) valid(text string, path ...string) error {
	_, path = d.node(path...)
	keys := make([]string, len(path))
	for i, key := range path {
		keys[i] = url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(key))
	}
	at := "openapi.json#/" + strings.Join(keys, "/")
	d.mu.Lock()
	defer d.mu.Unlock()
	schema := d.schemas[at]
	if schema == nil {
		var err error
		if schema, err = d.compiler.Compile(at); err != nil {
			return err
		}
		d.schemas[at] = schema
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// operations are all that the document describes, as "GET /path".
func (d *described) operations() []string {
	var all []string
	paths, _ := d.node("paths")
	for path, item := range paths.(map[string]any) {
		for method := range item.(map[string]any) {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

// pathOf is the described path that a request is for, "" for none.
func (d *described) pathOf(escaped string) string {
	paths, _ := d.node("paths")
	hole := regexp.MustCompile(`\\\{[a-z]+\\\}`)
	for path := range paths.(map[string]any) {
		if regexp.MustCompile("^" + hole.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$").MatchString(escaped) {
			return path
		}
	}
	return ""
}

// conforms holds an answer of the API against its description. What is not of
// the API, such as a page, is not looked at.
func (d *described) conforms(r *http.Request, a *answer) error {
	if a.StatusCode == 400 && a.Header.Get("Content-Security-Policy") == "" {
		return nil // net/http itself has not understood the request
	}
	mediaType, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil && a.body != "" {
		return fmt.Errorf("Content-Type %q: %w", a.Header.Get("Content-Type"), err)
	}
	path, method := d.pathOf(r.URL.EscapedPath()), strings.ToLower(r.Method)
	if method == "head" {
		method = "get"
	}
	inAPI := strings.HasPrefix(r.URL.Path, "/api/")
	operation, _ := d.node("paths", path, method)
	known := operation != nil
	switch {
	case mediaType == problemType && (path == "" || !known) || path != "" && !known && inAPI:
		if !slices.Contains([]int{403, 404, 405}, a.StatusCode) {
			return fmt.Errorf("status %d for what is not described", a.StatusCode)
		}
		if r.Method == http.MethodHead {
			return nil
		}
		return d.valid(a.body, "components", "schemas", "Problem")
	case path == "" && inAPI && a.StatusCode != http.StatusMovedPermanently:
		return fmt.Errorf("status %d, as %s, for what is not described", a.StatusCode, mediaType)
	case path == "" || !known || !inAPI && a.StatusCode == 404:
		return nil // a page, another method, or what the other listener does not have
	}
	response, _ := d.node("paths", path, method, "responses", fmt.Sprint(a.StatusCode))
	if response == nil {
		return fmt.Errorf("status %d is not described: %s", a.StatusCode, a.body)
	}
	content, _ := response.(map[string]any)["content"].(map[string]any)
	switch {
	case content == nil && a.body == "" || r.Method == http.MethodHead:
		return nil
	case content[mediaType] == nil:
		return fmt.Errorf("status %d as %q is not described", a.StatusCode, mediaType)
	case !strings.HasSuffix(mediaType, "json"):
		return nil
	}
	return d.valid(a.body, "paths", path, method, "responses", fmt.Sprint(a.StatusCode), "content", mediaType, "schema")
}

// TestDescriptionIsComplete: what is served is described, and the other way round.
func TestDescriptionIsComplete(t *testing.T) {
	s := listen(t, options())
	want := []string{"GET /-/healthy", "GET /-/ready", "GET /metrics", "POST /-/reload"}
	for _, e := range s.endpoints() {
		want = append(want, e.method+" "+e.path)
	}
	slices.Sort(want)
	d := descriptionOf(t)
	if got := d.operations(); !slices.Equal(got, want) {
		t.Errorf("described are\n%s\nserved are\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	ids := map[string]bool{}
	for _, op := range d.operations() {
		method, path, _ := strings.Cut(op, " ")
		n, _ := d.node("paths", path, strings.ToLower(method))
		node := n.(map[string]any)
		id, _ := node["operationId"].(string)
		if id == "" || ids[id] || node["summary"] == nil {
			t.Errorf("%s: want an operationId of its own and a summary", op)
		}
		ids[id] = true
		// Every placeholder of the path is a parameter, and no other.
		var holes, params []string
		for _, m := range regexp.MustCompile(`\{([a-z]+)\}`).FindAllStringSubmatch(path, -1) {
			holes = append(holes, m[1])
		}
		list, _ := node["parameters"].([]any)
		for _, p := range list {
			if p := p.(map[string]any); p["in"] == "path" {
				params = append(params, p["name"].(string))
			}
		}
		if !slices.Equal(holes, params) {
			t.Errorf("%s: path parameters %q, want %q", op, params, holes)
		}
		if strings.HasPrefix(path, "/api/") {
			for _, status := range []string{"401", "403", "406"} {
				if n, _ := d.node("paths", path, strings.ToLower(method), "responses", status); n == nil {
					t.Errorf("%s: status %s is not described", op, status)
				}
			}
		}
	}
}

// TestDescriptionHolds: every schema is one, every reference leads somewhere,
// every object is closed, and every example fits.
func TestDescriptionHolds(t *testing.T) {
	d := descriptionOf(t)
	examples := 0
	var walk func(at any, path []string)
	walk = func(at any, path []string) {
		if list, ok := at.([]any); ok {
			for i, v := range list {
				walk(v, append(slices.Clone(path), fmt.Sprint(i)))
			}
			return
		}
		m, ok := at.(map[string]any)
		if !ok {
			return
		}
		if ref, ok := m["$ref"].(string); ok {
			if n, _ := d.node(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...); n == nil {
				t.Errorf("%s: %s leads nowhere", strings.Join(path, "/"), ref)
			}
		}
		if schema := path[len(path)-1] == "schema" || len(path) == 3 && path[1] == "schemas"; schema {
			if err := d.valid("null", path...); err != nil && strings.Contains(err.Error(), "is not valid against metaschema") {
				t.Errorf("%s: %v", strings.Join(path, "/"), err)
			}
		}
		if m["properties"] != nil && m["additionalProperties"] != false {
			t.Errorf("%s: a field that nobody has described would fit", strings.Join(path, "/"))
		}
		if named, ok := m["examples"].(map[string]any); ok && m["schema"] != nil {
			for name, one := range named {
				text, err := json.Marshal(one.(map[string]any)["value"])
				if err == nil {
					err = d.valid(string(text), append(slices.Clone(path), "schema")...)
				}
				if examples++; err != nil {
					t.Errorf("%s: example %s: %v", strings.Join(path, "/"), name, err)
				}
			}
		}
		for key, v := range m {
			if v == nil {
				t.Errorf("%s: %q has no value; is there a comma in a text with no quotes?", strings.Join(path, "/"), key)
			}
			if key != "value" && key != "example" {
				walk(v, append(slices.Clone(path), key))
			}
		}
	}
	walk(d.doc["paths"], []string{"paths"})
	walk(d.doc["components"], []string{"components"})
	if examples < 5 {
		t.Errorf("%d examples, want more", examples)
	}
}

// TestDescriptionCanFail: the check of answers is not one that takes anything.
func TestDescriptionCanFail(t *testing.T) {
	d := descriptionOf(t)
	sc := newScene(t, nil)
	sc.observe(t, "shop/home", "522", nil)
	good := get(t, sc.Server, "/api/v1/results")
	r := request(t, "GET", sc.Addr(), "/api/v1/results", nil)
	if err := d.conforms(r, &good); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*answer){
		"a field more":      func(a *answer) { a.body = strings.Replace(a.body, `"site":`, `"secret":1,"site":`, 1) },
		"a field more deep": func(a *answer) { a.body = strings.Replace(a.body, `"via_esa":`, `"secret":1,"via_esa":`, 1) },
		"a field less":      func(a *answer) { a.body = strings.Replace(a.body, `"redirects":0,`, "", 1) },
		"another kind":      func(a *answer) { a.body = strings.Replace(a.body, `"status_code":522`, `"status_code":"522"`, 1) },
		"no time":           func(a *answer) { a.body = strings.Replace(a.body, `"started_at":"2`, `"started_at":"x`, 1) },
		"an outcome more":   func(a *answer) { a.body = strings.Replace(a.body, `"outcome":"fail"`, `"outcome":"bad"`, 1) },
		"another status":    func(a *answer) { a.StatusCode = 418 },
		"another type":      func(a *answer) { a.Header.Set("Content-Type", "text/html") },
	} {
		bad := answer{&http.Response{StatusCode: good.StatusCode, Header: good.Header.Clone()}, good.body}
		edit(&bad)
		if d.conforms(r, &bad) == nil {
			t.Errorf("%s: it conforms", name)
		}
	}
	elsewhere := answer{good.Response, good.body}
	if d.conforms(request(t, "GET", sc.Addr(), "/api/v1/other", nil), &elsewhere) == nil {
		t.Error("an endpoint that is not described conforms")
	}
}

func TestDescriptionIsServed(t *testing.T) {
	sc := newScene(t, nil)
	got := get(t, sc.Server, "/api/v1/openapi.json")
	doc := decode[map[string]any](t, got, 200)
	if doc["openapi"] != "3.1.1" || doc["info"] == nil {
		t.Errorf("got %.200s", got.body)
	}
	tag := got.Header.Get("Etag")
	for _, known := range []string{tag, `"other", ` + tag, strings.TrimPrefix(tag, "W/"), "*"} {
		again := do(t, request(t, "GET", sc.Addr(), "/api/v1/openapi.json", func(r *http.Request) { r.Header.Set("If-None-Match", known) }))
		if again.StatusCode != 304 || again.body != "" || again.Header.Get("Etag") != tag {
			t.Errorf("If-None-Match %s: got %d %q", known, again.StatusCode, again.body)
		}
	}
	other := do(t, request(t, "GET", sc.Addr(), "/api/v1/openapi.json", func(r *http.Request) { r.Header.Set("If-None-Match", `W/"other"`) }))
	if other.StatusCode != 200 {
		t.Errorf("another tag: got %d", other.StatusCode)
	}
}
