package outbox_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/agent/store/boltstore"
	"github.com/esawatch/esawatch/notify"
)

// arrivals notes when the receiver first heard of each site.
type arrivals struct {
	mu   sync.Mutex
	at   map[string]time.Time
	want int
	all  chan struct{}
}

func (a *arrivals) Notify(_ context.Context, n notify.Notification) (notify.Receipt, error) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, again := a.at[n.Site]; !again {
		a.at[n.Site] = now
		if len(a.at) == a.want {
			close(a.all)
		}
	}
	return nil, nil
}

// BenchmarkTell measures the time from a result to the call of a receiver that
// takes no time, with no group_wait, on a real store: p50-ms and p99-ms are of
// the sites that fail at once.
func BenchmarkTell(b *testing.B) {
	for _, sites := range []int{1, 500} {
		b.Run(fmt.Sprintf("sites=%d", sites), func(b *testing.B) {
			var delays []time.Duration
			for b.Loop() {
				delays = append(delays, tellOnce(b, sites)...)
			}
			slices.Sort(delays)
			ms := func(p int) float64 { return float64(delays[len(delays)*p/100].Microseconds()) / 1000 }
			b.ReportMetric(ms(50), "p50-ms")
			b.ReportMetric(ms(99), "p99-ms")
		})
	}
}

func tellOnce(b *testing.B, sites int) []time.Duration {
	kv, err := boltstore.Open(filepath.Join(b.TempDir(), "state.db"), boltstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer kv.Close()
	keeper := openKeeper(b, kv)
	policies := make(map[string]incident.Policy)
	for i := range sites {
		policies[fmt.Sprintf("site%03d/home", i)] = incident.Policy{}
	}
	if err := keeper.SetPolicies(b.Context(), policies, incident.Timings{}); err != nil {
		b.Fatal(err)
	}
	in := &arrivals{at: make(map[string]time.Time), want: sites, all: make(chan struct{})}
	o := outbox.New(outbox.Options{Records: keeper})
	o.SetReceivers([]outbox.Receiver{receiver("oncall", in)}, outbox.Settings{})
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { o.Run(ctx) })
	defer running.Wait()
	defer cancel()
	time.Sleep(50 * time.Millisecond) // let it come to rest

	begin := time.Now()
	var wg sync.WaitGroup
	for i := range sites {
		r := failing(fmt.Sprintf("site%03d", i), "home", "522")
		wg.Go(func() {
			if err := keeper.Observe(context.Background(), r); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	saved := time.Since(begin)
	<-in.all
	b.Logf("%d results were saved after %v, all told after %v", sites, saved, time.Since(begin))
	delays := make([]time.Duration, 0, sites)
	for _, at := range in.at {
		delays = append(delays, at.Sub(begin))
	}
	return delays
}
