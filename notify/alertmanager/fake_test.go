package alertmanager

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// posted is an alert as the API is sent it.
type posted struct {
	Labels, Annotations map[string]string
	StartsAt, EndsAt    time.Time
	GeneratorURL        string
}

// fake takes alerts as an Alertmanager does, and refuses what it would.
type fake struct {
	mu     sync.Mutex
	posts  [][]posted
	answer http.HandlerFunc // instead of taking them, if set
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	answer := f.answer
	f.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	var alerts []posted
	if err == nil {
		err = json.Unmarshal(body, &alerts)
	}
	refuse := ""
	switch {
	case err != nil:
		refuse = err.Error()
	case r.Method != http.MethodPost || r.URL.Path != "/api/v2/alerts":
		http.NotFound(w, r)
		return
	case r.Header.Get("Content-Type") != "application/json":
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	for _, a := range alerts {
		switch {
		case a.Labels["alertname"] == "":
			refuse = "no alertname"
		case a.EndsAt.Before(a.StartsAt):
			refuse = "start time must be before end time"
		}
		for name, value := range a.Labels {
			if !labelName.MatchString(name) || value == "" {
				refuse = "bad label"
			}
		}
	}
	if refuse != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(refuse)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.posts = append(f.posts, alerts)
}

// set makes it answer by h, or take alerts again when h is nil.
func (f *fake) set(h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = h
}

// last is the alerts of the last request that was taken, and how many there were.
func (f *fake) last() ([]posted, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.posts) == 0 {
		return nil, 0
	}
	return f.posts[len(f.posts)-1], len(f.posts)
}

func startFake(t *testing.T) (*fake, string) {
	t.Helper()
	f := &fake{}
	server := httptest.NewServer(f)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return f, server.URL
}

func newNotifier(t *testing.T, o Options) *Notifier {
	t.Helper()
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}
