package web

import (
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/store/memstore"
	"github.com/esawatch/esawatch/checks/catalog"
)

// TestPagesAfterARestart shows what was, and that nothing is known of what is.
func TestPagesAfterARestart(t *testing.T) {
	kv := memstore.New()
	m, s := restarted(t, kv, silent(), "shop/home")
	for n := range 10 {
		m.Observe(result(time.Now().Add(time.Duration(n-200)*time.Minute), ""))
	}
	s.save(t.Context(), everything)

	sc := newScene(t, nil)
	NewSaver(sc.recent, kv, silent()).Load(t.Context(), catalog.Default())
	for path, texts := range map[string][]string{
		"/":           {"waiting", "200 in 200 ms", "3 h 11 min ago", "100 %"},
		"/sites/shop": {"waiting", "200 OK", "3 h 11 min ago", "10 of 10 runs did not fail since ", "Last 10 results", "from before the agent started"},
	} {
		a := get(t, sc.Server, path)
		has(t, a, texts...)
		lacks(t, a, "no connection came about", ">up<")
	}
	sc.observe(t, "shop/home", "", nil)
	a := get(t, sc.Server, "/sites/shop")
	has(t, a, "Last 11 results", ">up<")
	lacks(t, a, "from before the agent started")
}
