package migrate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// notesOf are the notes of a result that loads, as text.
func notesOf(t *testing.T, r *Result, err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, r); err != nil {
		t.Errorf("the output does not load: %v\n%s", err, r.YAML)
	}
	var got []string
	for _, n := range r.Notes {
		got = append(got, n.String())
	}
	return got
}

// TestHeadExpectsNoBody: what is expected of the body is left out where none is
// sent, and nothing else is.
func TestHeadExpectsNoBody(t *testing.T) {
	r, err := Gatus(Source{"f", []byte(`
endpoints:
  - name: shop
    url: https://shop.example.com
    method: HEAD
    conditions: ["[STATUS] == 200", "[BODY] == pat(*welcome*)", "[BODY].ok == true", "len([BODY].list) > 3", "[IP] == 192.0.2.1"]
  - name: blog
    url: https://blog.example.com
    conditions: ["[BODY] == pat(*welcome*)"]
`)})
	want := []string{"f:3: endpoints[shop]: what it expects of the body (body_contains, json, expr) is not carried over: the answer to HEAD has none (use GET, and add it by hand)"}
	if diff := cmp.Diff(want, notesOf(t, r, err)); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	c, err := load(t, r)
	if err != nil {
		t.Fatal(err)
	}
	shop, blog := c.Sites[0].Checks[0].Expect, c.Sites[1].Checks[0].Expect
	if len(shop.BodyContains)+len(shop.JSON) > 0 || len(shop.Expr) != 1 || len(shop.Status) != 1 || len(blog.BodyContains) != 1 {
		t.Errorf("got %+v and %+v", shop, blog)
	}

	r, err = Blackbox(Source{"f", []byte("modules: {h: {prober: http, http: {method: HEAD, fail_if_body_matches_regexp: [down]}}}")},
		BlackboxOptions{Targets: []string{"https://a.example.com", "https://b.example.com"}})
	want = []string{"f:1: modules.h: what it expects of the body (body_not_matches) is not carried over: the answer to HEAD has none (use GET, and add it by hand)"}
	if diff := cmp.Diff(want, notesOf(t, r, err)); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

// TestEndpointThatWantsNoAnswer is left out: a check of it would page while all is
// well.
func TestEndpointThatWantsNoAnswer(t *testing.T) {
	r, err := Gatus(Source{"f", []byte(`
endpoints:
  - {name: shop, url: "https://shop.example.com", conditions: ["[CONNECTED] == true", "[CONNECTED] != false"]}
  - name: closed
    url: https://admin.example.com
    headers: {Authorization: Bearer hunter2}
    conditions: ["[STATUS] < 500", "[CONNECTED] == false"]
  - {name: shut, url: "https://db.example.com", conditions: ["true != [connected]"]}
`)})
	const left = ": is not carried over: it wants a connection to fail, and a check of esawatch wants an answer (keep it in Gatus)"
	want := []string{"f:4: endpoints[closed]" + left, "f:8: endpoints[shut]" + left}
	if diff := cmp.Diff(want, notesOf(t, r, err)); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if r.Checks != 1 || len(r.Needs) != 0 {
		t.Errorf("got %d checks, want one, and needs %v, want none", r.Checks, r.Needs)
	}
}
