package checks

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/esawatch/esawatch/checks/assert"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// evidence lists what was seen, most telling first, one "label: value" a line:
// what was wrong, who answered, what the edge said of itself, what the origin
// said, where the time went.
func evidence(edge *probe.Response, failures []assert.Failure,
	origin *probe.Response, originFailures []assert.Failure) []string {
	var e []string
	add := func(label, value string) {
		if value != "" {
			e = append(e, label+": "+value)
		}
	}
	if edge.Condition != "" {
		add("cause", edge.Detail)
		add(phaseLabel, edge.Phase)
		if edge.StatusCode != 0 {
			add("status", statusText(edge.StatusCode))
		}
		e = append(e, edge.Notes...)
	} else {
		statusTold := false
		for _, f := range failures {
			if f.Condition == catalog.FromStatus(edge.StatusCode) {
				statusTold = true
				add("status", gotWant(statusText(edge.StatusCode), f.Want))
				continue
			}
			add(string(f.Condition), gotWant(f.Got, f.Want))
		}
		if !statusTold {
			add("status", statusText(edge.StatusCode))
		}
	}
	if edge.Condition == "" {
		add("redirect", redirectText(edge))
		add(madeBy, author(edge))
	}
	add("X-Tengine-Error", edge.Edge.ErrorToken)
	add("Proxy-Status", edge.Edge.ProxyStatus)
	if origin != nil {
		add("origin", originText(origin, originFailures))
		if throughESA(origin) {
			add(originViaESA, "yes")
		}
	}
	add("ESA request id", edge.Edge.RequestID)
	add("POP", popText(edge.Edge))
	add("cache status", edge.Edge.CacheStatus)
	add(ageLabel, catalog.AgeText(edge.Header.Get("Age"), "en"))
	if edge.StatusCode != 0 {
		add("via ESA", edge.Edge.ViaESA)
	}
	add("address", edge.RemoteAddr)
	if edge.Redirects > 0 {
		add("redirects", fmt.Sprintf("%d, the last to %s", edge.Redirects, probe.BareURL(edge.URL)))
	}
	add("time", phasesText(edge))
	return e
}

// wants stands between what was met and what had been expected.
const wants = ", want "

func gotWant(got, want string) string {
	if want == "" {
		return got
	}
	return got + wants + want
}

func statusText(code int) string {
	if text := http.StatusText(code); text != "" {
		return fmt.Sprintf("%d %s", code, text)
	}
	return fmt.Sprint(code)
}

// redirectText says where an answer leads that is a redirect and was not followed;
// "" when it is none, or leads nowhere.
func redirectText(resp *probe.Response) string {
	location := resp.Header.Get("Location")
	if resp.StatusCode/100 != 3 || location == "" {
		return ""
	}
	base, err := url.Parse(resp.AskedURL())
	if err != nil {
		return ""
	}
	target, err := base.Parse(location)
	if err != nil || target.Host == "" {
		return ""
	}
	return probe.Printable(resp.Redact(probe.BareURL(target.String())), maxRedirect)
}

// maxRedirect bounds what is told of where a redirect leads, in bytes.
const maxRedirect = 200

// originText says how the origin answered when it was asked directly.
func originText(origin *probe.Response, failures []assert.Failure) string {
	took := "in " + Milliseconds(origin.Duration)
	switch {
	case origin.Condition != "":
		return fmt.Sprintf("%s %s: %s", origin.Condition, took, origin.Detail)
	case len(failures) > 0 && failures[0].Condition == catalog.FromStatus(origin.StatusCode):
		return statusText(origin.StatusCode) + " " + took
	case len(failures) > 0:
		return fmt.Sprintf("%d %s, %s: %s", origin.StatusCode, took, failures[0].Condition,
			gotWant(failures[0].Got, failures[0].Want))
	}
	return fmt.Sprintf("%d %s", origin.StatusCode, took)
}

// Labels by which a result is explained again.
const (
	ageLabel     = "age"
	phaseLabel   = "phase"
	originViaESA = "origin via ESA"
)

func popText(e probe.Edge) string {
	if e.POP != "" && e.NodeIP != "" {
		return e.POP + ", node " + e.NodeIP
	}
	if e.NodeIP != "" {
		return "node " + e.NodeIP
	}
	return e.POP
}

// phasesText says where the time went: the whole, then each phase that took so
// much of it that it does not read 0.0 ms.
func phasesText(resp *probe.Response) string {
	var parts []string
	for _, p := range []struct {
		name string
		took time.Duration
	}{
		{"resolve", resp.Phases.Resolve}, {"connect", resp.Phases.Connect}, {"tls", resp.Phases.TLS},
		{"processing", resp.Phases.Processing}, {"transfer", resp.Phases.Transfer},
	} {
		if p.took >= 100*time.Microsecond {
			parts = append(parts, p.name+" "+Milliseconds(p.took))
		}
	}
	whole := Milliseconds(resp.Duration)
	if len(parts) == 0 {
		return whole
	}
	return whole + " (" + strings.Join(parts, ", ") + ")"
}

// Milliseconds writes a duration as people read it: "34 ms", "0.4 ms", "2.1 s".
func Milliseconds(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// panicFrame is the innermost frame of the project in a stack trace, "" when
// there is none.
func panicFrame(stack []byte) string {
	const module = "github.com/esawatch/esawatch/"
	lines := strings.Split(string(stack), "\n")
	seenPanic := false
	for i, line := range lines {
		if strings.HasPrefix(line, "panic(") {
			seenPanic = true
			continue
		}
		if seenPanic && strings.HasPrefix(line, module) && i+1 < len(lines) {
			place := strings.TrimSpace(lines[i+1])
			if cut := strings.LastIndex(place, " +0x"); cut >= 0 {
				place = place[:cut]
			}
			if slash := strings.LastIndex(place, "/"); slash >= 0 {
				place = place[slash+1:]
			}
			return place
		}
	}
	return ""
}
