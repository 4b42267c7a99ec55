package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/esawatch/esawatch/agent/incident"
	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/notify"
)

// Sample returns the two notifications of an incident that never was: its
// opening and its end, as the receiver would be told of a real one. at is when
// it is over. They are marked as a test.
func Sample(r Receiver, externalURL string, at time.Time) (opened, resolved notify.Notification, err error) {
	words, err := catalog.Load()
	if err != nil {
		return opened, resolved, fmt.Errorf("load catalog: %w", err)
	}
	failed := sampleResult(words, r.Lang, at.Add(-4*time.Minute-10*time.Second))
	passed := failed
	passed.StartedAt, passed.DurationSeconds = at.Add(-212*time.Millisecond), 0.212
	passed.Outcome, passed.Success, passed.StatusCode, passed.Diagnosis = checks.Pass, true, 200, nil

	policy := incident.Policy{Failures: 1, ResolveAfter: 1, Labels: map[string]string{"team": "storefront"}}
	var rec incident.Record
	rec, _ = incident.Next(rec, failed, policy)
	if len(rec.Incidents) == 0 {
		return opened, resolved, fmt.Errorf("make sample: no incident came of it")
	}
	w := newWriter(r, externalURL)
	var told incident.Delivery
	opened = w.notification(&rec.Incidents[0], told)
	told.Seq = opened.Seq
	rec, _ = incident.Next(rec, passed, policy)
	resolved = w.notification(&rec.Incidents[0], told)
	opened.Test, resolved.Test = true, true
	return opened, resolved, nil
}

// SendSample tells the receiver of a sample incident and then of its end. An
// error is the notifier's, with what was being told; the caller knows to whom.
func SendSample(ctx context.Context, r Receiver, externalURL string) error {
	opened, resolved, err := Sample(r, externalURL, time.Now())
	if err != nil {
		return err
	}
	receipt, err := r.Notifier.Notify(ctx, opened)
	if err != nil {
		return fmt.Errorf("tell of an incident: %w", err)
	}
	if !r.SendResolved {
		return nil
	}
	resolved.Receipt = receipt
	if _, err := r.Notifier.Notify(ctx, resolved); err != nil {
		return fmt.Errorf("tell of its end: %w", err)
	}
	return nil
}

// sampleResult is a check that got 522 from the edge while its origin answers.
// Its names and addresses are those kept free for documentation.
func sampleResult(words *catalog.Catalog, lang string, at time.Time) checks.Result {
	const requestID = "a3b5c61d17639106450123456e"
	result := checks.Result{
		Site: "sample", Check: "login", Location: "fra-1",
		URL: "https://shop.example.com/api/login", Method: "GET",
		StartedAt: at, DurationSeconds: 0.212,
		Outcome: checks.Fail, StatusCode: 522, HTTPVersion: "2.0", RemoteAddress: "203.0.113.80:443",
		PhasesSeconds: checks.Phases{Resolve: 0.004, Connect: 0.02, TLS: 0.03, Processing: 0.157, Transfer: 0.001},
		Origin:        &checks.Origin{Success: true, StatusCode: 200, DurationSeconds: 0.034},
	}
	edge := &result.Edge
	edge.ViaESA, edge.RequestID, edge.NodeIP, edge.POP, edge.CacheStatus = "yes", requestID, "203.0.113.80", "de7", "MISS"
	diagnosis, _ := words.Explain(catalog.Query{
		Edge:   catalog.Leg{Condition: "522", StatusCode: 522, Duration: 212 * time.Millisecond},
		Origin: &catalog.Leg{StatusCode: 200, Duration: 34 * time.Millisecond},
		Lang:   lang, Host: "shop.example.com", URL: result.URL, OriginAddr: "203.0.113.10:443",
		RequestID: edge.RequestID, POP: edge.POP, NodeIP: edge.NodeIP, CacheStatus: edge.CacheStatus,
	})
	diagnosis.Evidence = []string{
		"status: 522, want 2xx", "origin: 200 OK in 34 ms", "ESA request id: " + requestID,
		"POP: de7, node 203.0.113.80", "cache status: MISS", "via ESA: yes", "address: 203.0.113.80:443",
	}
	result.Diagnosis = &diagnosis
	return result
}
