package alertmanager

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/esawatch/esawatch/notify"
	"github.com/esawatch/esawatch/notify/notifytest"
)

// group is what the real Alertmanager notifies of.
type group struct {
	Status       string
	CommonLabels map[string]string
	Alerts       []struct {
		Status, Fingerprint string
		Labels, Annotations map[string]string
	}
}

// real is a running Alertmanager.
type real struct {
	url    string
	groups chan group
}

// startReal runs the Alertmanager of this machine on loopback, with its data in
// a folder of the test. Without one the test is over, unless it is required.
func startReal(t *testing.T) *real {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		program, err = exec.LookPath("alertmanager")
	}
	if err != nil {
		if os.Getenv("ESAWATCH_REQUIRE_SERVERS") != "" {
			t.Fatal("there is no Alertmanager here: apt-get install prometheus-alertmanager")
		}
		t.Skip("there is no Alertmanager here")
	}
	r := &real{groups: make(chan group, 100)}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		var g group
		if err := json.NewDecoder(req.Body).Decode(&g); err != nil {
			t.Errorf("Alertmanager's notification: %v", err)
		}
		r.groups <- g
	}))
	t.Cleanup(hook.Close)

	dir := t.TempDir()
	config := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, `route: {receiver: hook, group_by: [site], group_wait: 200ms, group_interval: 300ms}
receivers: [{name: hook, webhook_configs: [{url: %q, send_resolved: true}]}]
`, hook.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "--config.file="+config, "--storage.path="+dir,
		"--web.listen-address="+address, "--cluster.listen-address=")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Alertmanager's log:\n%s", &log)
		}
	})
	r.url = "http://" + address
	until(t, "Alertmanager is ready", func() bool {
		res, err := http.Get(r.url + "/-/ready")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return r
}

// until waits for a condition that another process brings about.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// active is the alerts that fire there, as "check/condition", sorted.
func (r *real) active(t *testing.T) []string {
	t.Helper()
	res, err := http.Get(r.url + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var alerts []struct {
		Labels map[string]string
		EndsAt time.Time
	}
	if err := json.NewDecoder(res.Body).Decode(&alerts); err != nil {
		t.Fatal(err)
	}
	active := []string{}
	for _, a := range alerts {
		if a.EndsAt.After(time.Now()) {
			active = append(active, a.Labels["check"]+"/"+a.Labels["condition"])
		}
	}
	slices.Sort(active)
	return active
}

// TestRealAlertmanager tells a whole incident to a real Alertmanager, which
// groups it by site, follows the change of a condition, and resolves it.
func TestRealAlertmanager(t *testing.T) {
	r := startReal(t)
	n := newNotifier(t, Options{URLs: []string{r.url}})
	story := notifytest.Story()
	// As if the whole of it were over just now.
	by := time.Since(story[6].At) - time.Second
	var receipt notify.Receipt
	tell := func(m notify.Notification) {
		t.Helper()
		m = moved(m, by)
		m.Receipt = receipt
		var err error
		if receipt, err = n.Notify(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	want := func(active ...string) {
		t.Helper()
		if got := r.active(t); !slices.Equal(got, active) {
			t.Errorf("active are %q, want %q", got, active)
		}
	}
	tell(story[1])
	want("home/slow", "login/slow")
	g := r.next(t)
	if len(g.Alerts) == 1 {
		// Alertmanager does not wait for others where an alert began longer ago than
		// group_wait: the second joins the group at its next turn.
		g = r.next(t)
	}
	if g.Status != "firing" || len(g.Alerts) != 2 || g.CommonLabels["site"] != "shop" || g.CommonLabels["alertname"] != CheckAlert {
		t.Fatalf("notified of %+v, want both alerts as one group", g)
	}
	for _, a := range g.Alerts {
		if got := fingerprint(a.Labels); got != a.Fingerprint {
			t.Errorf("our fingerprint is %s, Alertmanager's %s", got, a.Fingerprint)
		}
		if a.Annotations["remediation"] == "" || a.Annotations["summary"] == "" {
			t.Errorf("annotations %v", a.Annotations)
		}
	}
	tell(story[2])
	want("home/slow", "login/522")
	tell(story[3])
	want("home/522", "login/522")
	tell(story[5])
	want("login/522")
	tell(story[6])
	want()
	for r.next(t).Status != "resolved" {
	}
}

// next is what Alertmanager notifies of next.
func (r *real) next(t *testing.T) group {
	t.Helper()
	select {
	case g := <-r.groups:
		return g
	case <-time.After(20 * time.Second):
		t.Fatal("Alertmanager notifies of nothing")
		return group{}
	}
}

// moved is n at another time.
func moved(n notify.Notification, by time.Duration) notify.Notification {
	n.Since, n.OpenedAt, n.At = n.Since.Add(by), n.OpenedAt.Add(by), n.At.Add(by)
	if !n.ResolvedAt.IsZero() {
		n.ResolvedAt = n.ResolvedAt.Add(by)
	}
	n.Alerts = slices.Clone(n.Alerts)
	for i := range n.Alerts {
		a := &n.Alerts[i]
		a.Since = a.Since.Add(by)
		if !a.ResolvedAt.IsZero() {
			a.ResolvedAt = a.ResolvedAt.Add(by)
		}
	}
	return n
}

// TestRealAlertmanagerForgets: an alert holds for as long as it is told again,
// and goes when we do.
func TestRealAlertmanagerForgets(t *testing.T) {
	r := startReal(t)
	n := newNotifier(t, Options{URLs: []string{r.url}, Interval: 200 * time.Millisecond})
	m := notifytest.Story()[0]
	m = moved(m, time.Since(m.At))
	deadline := time.Now().Add(2 * time.Second) // twice its lifetime
	for time.Now().Before(deadline) {
		receipt, err := n.Notify(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		m.Receipt = receipt
		time.Sleep(n.Resend(receipt))
		if got := r.active(t); len(got) != 1 {
			t.Fatalf("active are %q", got)
		}
	}
	until(t, "the alert is forgotten", func() bool { return len(r.active(t)) == 0 })
}

// TestRealAlertmanagerTakesEverything: the samples, the hostile ones too, do not
// make it refuse a request.
func TestRealAlertmanagerTakesEverything(t *testing.T) {
	r := startReal(t)
	n := newNotifier(t, Options{URLs: []string{r.url}})
	for _, s := range notifytest.Samples() {
		if _, err := n.Notify(t.Context(), s.Notification); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}
