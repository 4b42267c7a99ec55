package notifytest

import (
	"io"
	"log"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// fault is a way in which a server fails, and what is wanted of the error.
type fault struct {
	name    string
	answer  http.HandlerFunc
	reasons []notify.Reason // any of these
	body    bool            // only the body is wrong, which some kinds do not read
	silent  bool            // no answer comes to its end

	permanent       bool          // the notification may be given up
	atLeast, atMost time.Duration // of the pause; atMost 0: not limited
}

func (f fault) allows(r notify.Reason) bool { return slices.Contains(f.reasons, r) }

// faults are the ways to fail once a connection stands.
func faults() []fault {
	const (
		timeout     = notify.ReasonTimeout
		server      = notify.ReasonServer
		answer      = notify.ReasonAnswer
		unreachable = notify.ReasonUnreachable
		throttled   = notify.ReasonThrottled
		mis         = notify.ReasonMisconfigured
		refused     = notify.ReasonRefused
	)
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	return []fault{
		{name: "hangs", answer: hang, reasons: []notify.Reason{timeout}, silent: true},
		{name: "drips", answer: drip, reasons: []notify.Reason{timeout}, body: true, silent: true},
		{name: "resets", answer: abort, reasons: []notify.Reason{unreachable}},
		{name: "breaks off in the body", answer: breakOff, reasons: []notify.Reason{unreachable, answer}, body: true},
		{name: "speaks no HTTP", answer: garble, reasons: []notify.Reason{unreachable, answer}},
		{name: "answers with a page", answer: page(http.StatusOK), reasons: []notify.Reason{answer}, body: true},
		{name: "answers with nothing", answer: func(http.ResponseWriter, *http.Request) {}, reasons: []notify.Reason{answer}, body: true},
		{name: "answers without end", answer: endless, reasons: []notify.Reason{answer, timeout, unreachable}, body: true},
		{name: "repeats what it is sent", answer: echo, reasons: []notify.Reason{answer, mis, refused, unreachable}, body: true, permanent: true},
		{name: "500", answer: page(500), reasons: []notify.Reason{server}},
		{name: "502", answer: page(502), reasons: []notify.Reason{server}},
		{name: "503 with Retry-After", answer: retryAfter(503, "5"), reasons: []notify.Reason{server, throttled}, atLeast: 5 * time.Second, atMost: 5 * time.Second},
		{name: "429 with seconds", answer: retryAfter(429, "7"), reasons: []notify.Reason{throttled}, atLeast: 7 * time.Second, atMost: 7 * time.Second},
		{name: "429 with a date", answer: retryAfter(429, in(time.Minute)), reasons: []notify.Reason{throttled}, atLeast: 20 * time.Second, atMost: time.Minute},
		{name: "429 with nothing", answer: page(429), reasons: []notify.Reason{throttled}, atLeast: time.Second, atMost: 5 * time.Minute},
		{name: "429 with nonsense", answer: retryAfter(429, "soon"), reasons: []notify.Reason{throttled}, atLeast: time.Second, atMost: 5 * time.Minute},
		{name: "429 for a year", answer: retryAfter(429, "31536000"), reasons: []notify.Reason{throttled}, atLeast: time.Second, atMost: time.Hour},
		{name: "401", answer: page(401), reasons: []notify.Reason{mis}, atLeast: time.Second},
		{name: "403", answer: page(403), reasons: []notify.Reason{mis, refused}, permanent: true},
		{name: "404", answer: page(404), reasons: []notify.Reason{mis, refused}, permanent: true},
	}
}

// hang never answers. It ends with the client, which the server notices once it
// has read the request.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// drip begins an answer and goes on with a byte at a time, for ever.
func drip(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// breakOff promises more than it sends.
func breakOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"ok":true,`)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// garble answers with bytes that are no HTTP.
func garble(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(conn, "\x16\x03\x01\xff garbage \x1b[31m\r\n"+r.URL.Path+"\r\n\r\n")
	_ = conn.Close()
}

// endless answers as fast as it can, for ever.
func endless(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	chunk := strings.Repeat(" ", 64<<10)
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, chunk); err != nil {
			return
		}
	}
}

// echo answers with the request, headers, address and all.
func echo(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, r.URL.String()+" "+r.Header.Get("Authorization")+" ")
	_, _ = io.Copy(w, io.LimitReader(r.Body, 1<<10))
}

func page(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html><title>Welcome\x1b[31m</title>"+strings.Repeat("<p>text", 1000))
	}
}

func retryAfter(status int, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Retry-After"] = []string{value}
		page(status)(w, r)
	}
}

// quiet is a log that nobody reads: the server's side of a provoked failure.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
