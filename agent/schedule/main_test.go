package schedule

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mustSpec parses a schedule that is right.
func mustSpec(t testing.TB, spec string) Spec {
	t.Helper()
	s, err := ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start runs s until the returned stop is called, which waits for its end.
func start(t testing.TB, s *Scheduler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func replace(t testing.TB, s *Scheduler, jobs ...Job) {
	t.Helper()
	if err := s.Replace(jobs); err != nil {
		t.Fatal(err)
	}
}

// missed returns the counter's value for a reason.
func missed(s *Scheduler, reason string) int {
	return int(testutil.ToFloat64(s.metrics.missed.WithLabelValues(reason)))
}

// wantMissed compares all reasons at once; those that want leaves out are 0.
func wantMissed(t *testing.T, s *Scheduler, want map[string]int) {
	t.Helper()
	for _, reason := range []string{missedOverlap, missedOverload, missedClock, missedPanic} {
		if got := missed(s, reason); got != want[reason] {
			t.Errorf("missed %s: got %d, want %d", reason, got, want[reason])
		}
	}
}

// runs records when a job was run.
type runs struct {
	mu   sync.Mutex
	at   []time.Time // the moments for which
	real []time.Time // and the moments at which
}

func (r *runs) add(due time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = append(r.at, due)
	r.real = append(r.real, time.Now())
}

func (r *runs) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.at)
}

// pass is a job that only records that it ran.
func (r *runs) pass(_ context.Context, due time.Time) bool {
	r.add(due)
	return true
}

// later sleeps and lets everything that is due by then happen.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// logTo is a logger into a test's own buffer.
func logTo(b *syncBuffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, nil))
}

type syncBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b = append(b.b, p...)
	return len(p), nil
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.b)
}
