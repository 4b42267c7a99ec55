package chart

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
)

// soon is within how long a change has to be in force after the kubelet made it.
const soon = 10 * time.Second

// until waits until a page of the program has a text, and returns how long it took.
func (p *pod) until(path, part string) time.Duration {
	p.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	last := ""
	for ctx.Err() == nil {
		if last = get(ctx, "http://"+p.variable("ESAWATCH_WEB__LISTEN")+path); strings.Contains(last, part) {
			return time.Since(began)
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.t.Fatalf("%s never had %q, but:\n%s", path, part, last[:min(len(last), 3000)])
	return 0
}

func get(ctx context.Context, url string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 8<<20)) // a part is looked for
	return strings.ReplaceAll(string(text), `": "`, `":"`)
}

// TestFirstSecretNeedsNoNewPod holds that the folder of secrets is mounted before
// there are any.
func TestFirstSecretNeedsNoNewPod(t *testing.T) {
	t.Parallel()
	before, after := decode(t, render(t)), decode(t, render(t, "--set", "secrets.token=first"))
	if len(after.secrets) != len(before.secrets)+1 {
		t.Fatalf("%d Secrets, then %d", len(before.secrets), len(after.secrets))
	}
	if diff := cmp.Diff(before.pod(t), after.pod(t), cmp.Comparer(resource.Quantity.Equal)); diff != "" {
		t.Errorf("the first secret makes another pod:\n%s", diff)
	}
}

// TestMountedFilesReload runs the program as the chart does and changes what is
// mounted as the kubelet does: first the ConfigMap, to something new and to
// something broken, then the Secret. It never restarts, and nobody tells it.
func TestMountedFilesReload(t *testing.T) {
	t.Parallel()
	var token atomic.Value
	token.Store("first")
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token.Load().(string) {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(site.Close)
	values := func(sites ...string) string {
		var b strings.Builder
		b.WriteString("secrets: {token: first}\nconfig:\n  defaults: {schedule: 1s, timeout: 1s}\n  receivers: [{name: screen, console: {}}]\n  sites:\n")
		for _, name := range sites {
			fmt.Fprintf(&b, "    - {name: %s, url: %q, checks: [{name: home, auth: {bearer: {token_file: /etc/esawatch/secrets/token}}}]}\n", name, site.URL)
		}
		file := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	p := newPod(t, decode(t, render(t, "--values", values("shop"))), nil)
	out := p.run()
	p.until("/api/v1/results", `"outcome":"pass"`)
	health := "http://" + p.variable("ESAWATCH_WEB__HEALTH_LISTEN")
	for _, path := range []string{p.objects.container(t).LivenessProbe.HTTPGet.Path, p.objects.container(t).ReadinessProbe.HTTPGet.Path} {
		if got := get(t.Context(), health+path); strings.TrimSpace(got) != strings.TrimPrefix(path, "/-/") {
			t.Errorf("%s answers %q", path, got)
		}
	}

	// A second site, as "helm upgrade" would have it.
	upgraded := decode(t, render(t, "--values", values("shop", "press")))
	p.mount("config", upgraded.configMaps[0].Data)
	took := p.until("/metrics", `site="press"`)
	t.Logf("a changed ConfigMap was in force after %v", took.Round(time.Millisecond))
	if took > soon {
		t.Errorf("a changed ConfigMap was in force after %v", took)
	}
	if diff := cmp.Diff(p.objects.pod(t), upgraded.pod(t), cmp.Comparer(resource.Quantity.Equal)); diff != "" {
		t.Errorf("another configuration makes another pod, which would be restarted:\n%s", diff)
	}

	// A mistake leaves all as it was, and is told.
	p.mount("config", map[string]string{"config.yaml": "sites: [{name: shop}]\n"})
	p.until("/metrics", "esawatch_config_last_reload_successful 0")
	p.until("/metrics", `site="press"`)
	p.mount("config", upgraded.configMaps[0].Data)
	p.until("/metrics", "esawatch_config_last_reload_successful 1")

	// The site wants another token from now on.
	token.Store("second")
	p.until("/api/v1/results", `"status_code":401`)
	began := time.Now()
	p.mount("secrets", map[string]string{"token": "second"})
	p.until("/api/v1/results?site=press", `"outcome":"pass"`)
	took = time.Since(began)
	t.Logf("a changed Secret was in use after %v", took.Round(time.Millisecond))
	if took > soon {
		t.Errorf("a changed Secret was in use after %v", took)
	}
	if strings.Count(out.String(), "msg=watching") != 1 {
		t.Errorf("it was started more than once:\n%s", out)
	}
}
