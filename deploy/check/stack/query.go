package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// Query evaluates a PromQL expression now. A scalar becomes a vector of one.
// An error or a warning of Prometheus fails the test.
func (s *Stack) Query(t testing.TB, expr string) model.Vector {
	t.Helper()
	v, err := s.query(t.Context(), expr)
	if err != nil {
		t.Fatalf("query %s: %v", expr, err)
	}
	return v
}

func (s *Stack) query(ctx context.Context, expr string) (model.Vector, error) {
	value, warnings, _, err := s.api.Query(ctx, expr, time.Now(), promv1.WithTimeout(10*time.Second))
	if err != nil {
		return nil, err
	}
	if len(warnings) > 0 {
		return nil, errors.New(strings.Join(warnings, "; "))
	}
	switch v := value.(type) {
	case model.Vector:
		return v, nil
	case *model.Scalar:
		return model.Vector{{Metric: model.Metric{}, Value: v.Value, Timestamp: v.Timestamp}}, nil
	default:
		return nil, fmt.Errorf("an instant query gave a %s", value.Type())
	}
}

// QueryRange evaluates a PromQL expression over the last d, with a step of a second.
func (s *Stack) QueryRange(t testing.TB, expr string, d time.Duration) model.Matrix {
	t.Helper()
	now := time.Now()
	value, _, _, err := s.api.QueryRange(t.Context(), expr,
		promv1.Range{Start: now.Add(-d), End: now, Step: time.Second}, promv1.WithTimeout(10*time.Second))
	if err != nil {
		t.Fatalf("query %s: %v", expr, err)
	}
	m, ok := value.(model.Matrix)
	if !ok {
		t.Fatalf("query %s: a range query gave a %s", expr, value.Type())
	}
	return m
}

// Until evaluates expr until holds says so of the result, which it returns. It
// fails the test when that takes longer than timeout. nil = until there is any.
func (s *Stack) Until(t testing.TB, expr string, timeout time.Duration, holds func(model.Vector) bool) model.Vector {
	t.Helper()
	if holds == nil {
		holds = func(v model.Vector) bool { return len(v) > 0 }
	}
	var last model.Vector
	var err error
	for began := time.Now(); time.Since(began) < timeout; {
		if last, err = s.query(t.Context(), expr); err == nil && holds(last) {
			return last
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatalf("query %s: after %v the result is %v, error %v", expr, timeout, last, err)
	return nil
}

// Is tells whether a result is one sample of the given value.
func Is(want float64) func(model.Vector) bool {
	return func(v model.Vector) bool { return len(v) == 1 && float64(v[0].Value) == want }
}

// API is Prometheus' own interface, for what has no helper here.
func (s *Stack) API() promv1.API { return s.api }

// Get fetches a page of any server of the stack, at most 32 MiB.
func (s *Stack) Get(t testing.TB, url string, header http.Header) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 32<<20))
	if err != nil {
		t.Fatalf("read %s: %v", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s\n%s", url, resp.Status, body)
	}
	return body
}
