package chart

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWebConfigIsInForce runs the program with a password as the chart mounts it:
// who knows it may change something, others see nothing, and the probes need none.
func TestWebConfigIsInForce(t *testing.T) {
	t.Parallel()
	values := filepath.Join(t.TempDir(), "values.yaml")
	// The hash is of "chart-test", at the least cost that there is.
	text := `
config:
  sites: [{name: shop, url: "http://shop.invalid"}]
  receivers: [{name: screen, console: {}}]
webConfig:
  basic_auth_users: {admin: "$2b$04$abcdefghijklmnopqrstuuEoPUOON0TEz07JMdRdSEM818lQb4MoS"}
`
	if err := os.WriteFile(values, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPod(t, decode(t, render(t, "--values", values)), nil)
	p.run()
	p.until("/metrics", "Unauthorized")
	address := "http://" + p.variable("ESAWATCH_WEB__LISTEN")
	for _, c := range []struct {
		method, url, password string
		want                  int
	}{
		{"GET", address + "/", "", http.StatusUnauthorized},
		{"GET", address + "/", "wrong", http.StatusUnauthorized},
		{"GET", address + "/metrics", "chart-test", http.StatusOK},
		{"POST", address + "/-/reload", "", http.StatusUnauthorized},
		{"POST", address + "/-/reload", "chart-test", http.StatusOK},
		{"GET", "http://" + p.variable("ESAWATCH_WEB__HEALTH_LISTEN") + "/-/ready", "", http.StatusOK},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.password != "" {
			req.SetBasicAuth("admin", c.password)
		}
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // the status is all
		if resp.StatusCode != c.want {
			t.Errorf("%s %s with the password %q: %d, want %d", c.method, c.url, c.password, resp.StatusCode, c.want)
		}
	}
}

// TestLinksLeadToTheIngress holds what messages link to.
func TestLinksLeadToTheIngress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string // "" = what the configuration says, or nothing
	}{
		{[]string{"--values", valuesFiles(t)["full"]}, "https://esawatch.example.com"},
		{[]string{"--set", "ingress.enabled=true,ingress.host=ops.example.com,ingress.path=/watch"}, "http://ops.example.com/watch"},
		{[]string{"--set", "ingress.enabled=true,ingress.host=ops.example.com,config.web.external_url=https://other.example.com"}, ""},
		{[]string{"--set", "ingress.enabled=true,ingress.host=ops.example.com,existingConfigMap=theirs"}, ""},
		{[]string{"--values", valuesFiles(t)["small"]}, ""},
	} {
		if got := environment(decode(t, render(t, c.args...)).container(t))["ESAWATCH_WEB__EXTERNAL_URL"]; got != c.want {
			t.Errorf("%q: links lead to %q, want %q", c.args, got, c.want)
		}
	}
}

// TestNotes holds that what is said after an installation fits it.
func TestNotes(t *testing.T) {
	t.Parallel()
	notes := func(args ...string) string {
		out, errs, err := helm(t, append([]string{"install", "watch", chartDir(t), "--namespace", "monitoring", "--dry-run=client"}, args...)...)
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, errs)
		}
		_, said, ok := strings.Cut(out, "\nNOTES:\n")
		if !ok {
			t.Fatalf("%q: no notes in\n%s", args, out)
		}
		return said
	}
	hints := map[string]string{
		"sites": "It watches nothing yet", "passwords": "Nobody can silence", "links": "Links in messages name the pod", "volume": "WITHOUT persistence",
	}
	for name, c := range map[string]struct {
		args  []string
		hints string
	}{
		"defaults": {nil, "sites passwords links"},
		"small":    {[]string{"--values", valuesFiles(t)["small"]}, "passwords links"},
		"full":     {[]string{"--values", valuesFiles(t)["full"]}, "passwords"},
		"locked":   {[]string{"--values", valuesFiles(t)["locked"]}, "links volume"},
		"external": {[]string{"--values", valuesFiles(t)["external"]}, ""},
	} {
		said := notes(c.args...)
		for hint, text := range hints {
			if strings.Contains(said, text) != strings.Contains(c.hints, hint) {
				t.Errorf("%s: the hint about %s, want it %v:\n%s", name, hint, strings.Contains(c.hints, hint), said)
			}
		}
		if want := "kubectl -n monitoring port-forward service/" + map[bool]string{true: "watch", false: "watch-esawatch"}[name == "locked"] + " 9522:"; !strings.Contains(said, want) {
			t.Errorf("%s: no %q in\n%s", name, want, said)
		}
	}
}
