package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// benchLoop is what the bare loop did, as it says itself.
type benchLoop struct {
	Done       int64   `json:"done"`
	Failed     int64   `json:"failed"` // of those done
	CPUSeconds float64 `json:"cpu_seconds"`
	// How late its requests began: nobody can be more punctual on this machine.
	DelayP50Seconds float64 `json:"start_delay_p50_seconds"`
	DelayP99Seconds float64 `json:"start_delay_p99_seconds"`
}

// perThousand is the CPU time of 1,000 requests, in seconds.
func (l benchLoop) perThousand() float64 { return 1000 * l.CPUSeconds / float64(max(l.Done, 1)) }

// runBenchLoop runs the loop for half of the time that the agent gets.
func runBenchLoop(ctx context.Context, o benchOptions, t *benchTarget) (l benchLoop, err error) {
	args := []string{"bench", "loop",
		"--checks", fmt.Sprint(o.checks), "--interval", o.interval.String(),
		"--duration", (o.duration / 2).String(), "--http-version", o.httpVersion}
	p, err := startBenchProcess(ctx, o.program, t.environment(), onStdout, append(args, t.URLs...)...)
	if err != nil {
		return l, err
	}
	line, err := p.lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &l)
	}
	if err != nil {
		return l, p.broke("run loop", err)
	}
	p.end()
	return l, nil
}

func newBenchLoop() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use: "loop URL...", Hidden: true, Args: cobra.MinimumNArgs(1),
		Short: "Make the requests of bench with nothing but net/http",
		RunE: func(cmd *cobra.Command, urls []string) error {
			l, err := loop(cmd.Context(), o, benchURLs(urls, o.checks))
			if err == nil {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(l)
			}
			if err != nil {
				return failed(err)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&o.checks, "checks", 0, "")
	cmd.Flags().DurationVar(&o.interval, "interval", 0, "")
	cmd.Flags().DurationVar(&o.duration, "duration", 0, "")
	cmd.Flags().StringVar(&o.httpVersion, "http-version", "", "")
	return cmd
}

// loop asks all URLs once an interval, evenly spread, for a second and then for
// as long as is measured.
func loop(ctx context.Context, o benchOptions, urls []string) (benchLoop, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := bareClient(o.httpVersion)
	var done, bad atomic.Int64
	var delays delays
	var wg sync.WaitGroup
	wg.Go(func() {
		next := time.Now()
		for i := 0; ctx.Err() == nil; i++ {
			due := next
			wg.Go(func() {
				delays.add(time.Since(due))
				if err := ask(ctx, client, urls[i%len(urls)]); err != nil {
					bad.Add(1)
				}
				done.Add(1)
			})
			next = next.Add(o.interval / time.Duration(len(urls)))
			if sleep(ctx, time.Until(next)) != nil {
				return
			}
		}
	})
	l, err := measureLoop(ctx, o.duration, &done, &bad)
	cancel()
	wg.Wait()
	l.DelayP50Seconds, l.DelayP99Seconds = delays.quantile(0.5).Seconds(), delays.quantile(0.99).Seconds()
	return l, err
}

// delays are times from due to start.
type delays struct {
	mu  sync.Mutex
	all []time.Duration
}

func (d *delays) add(delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, delay)
}

// quantile is the delay that a share q of them do not exceed.
func (d *delays) quantile(q float64) time.Duration {
	slices.Sort(d.all)
	return d.all[int(q*float64(len(d.all)-1))]
}

// measureLoop watches the loop run.
func measureLoop(ctx context.Context, d time.Duration, done, bad *atomic.Int64) (l benchLoop, err error) {
	if err := sleep(ctx, time.Second); err != nil {
		return l, err
	}
	before, err := cpuTime("self")
	if err != nil {
		return l, err
	}
	l.Done, l.Failed = -done.Load(), -bad.Load()
	if err := sleep(ctx, d); err != nil {
		return l, err
	}
	after, err := cpuTime("self")
	if err != nil {
		return l, err
	}
	l.Done, l.Failed = l.Done+done.Load(), l.Failed+bad.Load()
	l.CPUSeconds = (after - before).Seconds()
	if l.Done == 0 {
		return l, errors.New("no request was answered")
	}
	return l, nil
}

// bareClient is what anybody would write who wants a new connection for each
// request.
func bareClient(httpVersion string) *http.Client {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(httpVersion != "2")
	protocols.SetHTTP2(httpVersion != "1.1")
	return &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true, Protocols: protocols},
	}
}

func ask(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// benchURLs gives each check a URL of its own, over all ports of the target.
func benchURLs(bases []string, n int) []string {
	urls := make([]string, n)
	for i := range urls {
		urls[i] = bases[i%len(bases)] + benchPath(i)
	}
	return urls
}

func benchPath(i int) string { return fmt.Sprintf("/page/%d", i) }
