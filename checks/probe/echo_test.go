package probe

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestEchoedSecretIsNotShown: a back end for debugging sends what it was sent
// back in every header that is read as evidence, and in where it redirects to.
func TestEchoedSecretIsNotShown(t *testing.T) {
	const token = "SECRETaBcD/1234567"
	echo := func(w http.ResponseWriter, r *http.Request) {
		got := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if key := cmp.Or(r.Header.Get("X-Api-Key"), r.FormValue("token"), r.FormValue("password"), r.FormValue("q")); key != "" {
			got = key
		}
		for _, name := range []string{"EagleId", "X-Site-Cache-Status", "X-Cache", "Proxy-Status"} {
			w.Header().Set(name, got)
		}
		w.Header().Set("X-Tengine-Error", "denied by "+got)
		w.Header().Set("Via", "ens-cache1."+got+"[0,0,200-0,H]")
		if r.URL.Path == "/" {
			w.Header().Set("Location", "/next/"+url.PathEscape(got)+"?q="+url.QueryEscape(got))
			w.WriteHeader(http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	base := serve(t, echo)
	for name, req := range map[string]Request{
		"bearer": {URL: base, Auth: Auth{Bearer: secret(token)}},
		"header": {URL: base, Header: http.Header{"X-Api-Key": {token}}},
		"form": {URL: base, Method: http.MethodPost, Body: []byte("user=alice&password=" + url.QueryEscape(token)),
			Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
		"query": {URL: base + "/?token=" + url.QueryEscape(token)},
	} {
		t.Run(name, func(t *testing.T) {
			r := do(t, req)
			if r.Redirects != 1 || r.StatusCode != http.StatusServiceUnavailable {
				t.Fatalf("status %d after %d redirects, want 503 after 1", r.StatusCode, r.Redirects)
			}
			if r.Edge.ErrorToken == "" || r.Edge.RequestID == "" {
				t.Errorf("the evidence is gone: %+v", r.Edge)
			}
			shown := strings.ToLower(fmt.Sprint(r.Edge, r.URL, r.Detail, r.Notes))
			if strings.Contains(shown, "secretabcd") {
				t.Errorf("the secret is shown: %s", shown)
			}
		})
	}
}
