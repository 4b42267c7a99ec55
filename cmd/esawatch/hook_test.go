package main

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"sync"
	"testing"
)

// hook is a webhook that fails at random until it is calmed.
type hook struct {
	url string

	mu   sync.Mutex
	rng  *rand.Rand // nil when calm
	took []hookCall
}

// hookCall is a notification that a hook has taken in.
type hookCall struct {
	Status   string `json:"status"`
	GroupKey string `json:"groupKey"`
	incident string
	body     string
}

// hookTrouble is how a hook fails: whether it takes the notification in all the
// same, and its answer, 0 for none.
type hookTrouble struct {
	takes bool
	code  int
	hangs bool
}

var hookTroubles = []hookTrouble{
	{hangs: true}, {hangs: true, takes: true}, {}, {takes: true}, {code: 503}, {code: 429}, {code: 500, takes: true},
}

func startHook(t *testing.T, seed uint64) *hook {
	t.Helper()
	k := &hook{rng: rand.New(rand.NewPCG(seed, 0))}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	k.url = server.URL
	return k
}

// calm ends all trouble.
func (k *hook) calm() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rng = nil
}

// calls are the notifications taken in so far.
func (k *hook) calls() []hookCall {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.took)
}

var groupedIncident = regexp.MustCompile(`incident="([^"]+)"`)

// ServeHTTP implements http.Handler.
func (k *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the daemon was killed in the middle of it
	}
	call := hookCall{body: string(body)}
	found := []string(nil)
	if json.Unmarshal(body, &call) == nil {
		found = groupedIncident.FindStringSubmatch(call.GroupKey)
	}
	if found == nil {
		http.Error(w, "want Alertmanager's payload", http.StatusBadRequest)
		return
	}
	call.incident = found[1]
	trouble := k.take(call)
	switch {
	case trouble.hangs:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case trouble.code == 0:
		panic(http.ErrAbortHandler)
	case trouble.code == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(trouble.code)
}

// take decides what becomes of a notification.
func (k *hook) take(call hookCall) hookTrouble {
	k.mu.Lock()
	defer k.mu.Unlock()
	trouble := hookTrouble{takes: true, code: http.StatusOK}
	if k.rng != nil && k.rng.IntN(2) == 0 {
		trouble = hookTroubles[k.rng.IntN(len(hookTroubles))]
	}
	if trouble.takes {
		k.took = append(k.took, call)
	}
	return trouble
}
