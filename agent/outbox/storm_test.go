package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/outbox"
	"github.com/esawatch/esawatch/notify"
)

// stormy is the settings with storms of more than 10 incidents within a minute.
func stormy() outbox.Settings {
	s := settings
	s.Storm = outbox.Storm{Incidents: 10, Window: time.Minute}
	return s
}

func site(i int) string { return fmt.Sprintf("site%03d", i) }

func (a *agent) fails(t testing.TB, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		a.result(t, failing(site(i), "home", "522"))
	}
}

func (a *agent) recovers(t testing.TB, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		a.result(t, passing(site(i), "home"))
	}
}

// digests lists the messages: "+SECONDS site: kinds" of one incident, and
// "+SECONDS OVER/INCIDENTS: events" of a digest.
func (in *inbox) digests(since time.Time) []string {
	var lines []string
	for _, m := range in.messages() {
		about := m.n.Site
		var what []string
		for _, e := range m.n.Events {
			text := e.Kind
			if d := m.n.Digest; d != nil {
				text = e.Text
			}
			what = append(what, text)
		}
		if d := m.n.Digest; d != nil {
			about = fmt.Sprintf("%d/%d", d.Over, d.Incidents)
		}
		line := fmt.Sprintf("+%v %s: %s", m.at.Sub(since).Round(100*time.Millisecond), about, strings.Join(what, "; "))
		if !m.ok {
			line += " !"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestStorm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in, quiet, disk := &inbox{}, &inbox{}, newDisk()
		in.set(yesAgain)
		r := receiver("quiet", quiet)
		r.SendResolved = false
		a := startWith(t, disk, stormy(), receiver("oncall", in), r)
		settle()
		begin := time.Now()
		a.fails(t, 0, 12)
		time.Sleep(20 * time.Second)
		a.fails(t, 12, 13)
		time.Sleep(20 * time.Second)
		a.fails(t, 13, 14)
		time.Sleep(50 * time.Second)
		a.recovers(t, 0, 6)
		time.Sleep(10 * time.Second)
		a.recovers(t, 6, 12)
		time.Sleep(2 * time.Minute)
		equal(t, "told", in.digests(begin), []string{
			"+5s 0/12: incidents: 12 (site000, site001, site002, site003, site004, 7 more)",
			"+1m5s 0/14: more incidents: 2 (site012, site013)",
			"+2m5s 12/14: over: 12 (site000, site001, site002, site003, site004, 7 more)",
		})
		if n := len(a.keeper.Records()); n != 14 {
			t.Errorf("%d records, want those of the digest", n)
		}
		a.recovers(t, 12, 13)
		time.Sleep(10 * time.Second)
		a.recovers(t, 13, 14) // the end goes at once
		time.Sleep(2 * time.Second)
		equal(t, "told", in.digests(begin)[3:], []string{
			"+3m40s 13/14: over: 1 (site012)",
			"+3m50s 14/14: all 14 incidents are over, after 3 min 50 s",
		})
		equal(t, "told without ends", quiet.digests(begin), []string{
			"+5s 0/12: incidents: 12 (site000, site001, site002, site003, site004, 7 more)",
			"+1m5s 0/14: more incidents: 2 (site012, site013)",
		})
		if records := a.keeper.Records(); len(records) != 0 {
			t.Errorf("%d settled records are left", len(records))
		}
		got := in.messages()
		first, last := got[0].n, got[4].n
		if !first.Firing || first.Severity != "critical" || first.Site != "" || len(first.Alerts) != 12 || first.Alerts[3].Site != "site003" ||
			!strings.HasPrefix(first.ID, "storm-site000-") || first.IncidentURL != "https://watch.example.com/esa/" {
			t.Errorf("first: %+v", first)
		}
		if last.Firing || last.Reason != "recovered" || last.Severity != "critical" || last.ResolvedAt.IsZero() || last.ID != first.ID {
			t.Errorf("last: %+v", last)
		}
		for i := 1; i < len(got); i++ {
			if got[i].n.Seq <= got[i-1].n.Seq || got[i].n.Receipt["told"] != fmt.Sprint(got[i-1].n.Seq) {
				t.Errorf("message %d has seq %d and receipt %v", i, got[i].n.Seq, got[i].n.Receipt)
			}
		}
		counts(t, a, `esawatch_notifications_total{outcome="sent",receiver="oncall"} 5
			esawatch_notification_queue_length{receiver="oncall"} 0
			esawatch_notification_queue_length{receiver="quiet"} 0`)
	})
}

func TestStormThatGrowsSlowly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		a := startWith(t, newDisk(), stormy(), receiver("oncall", in))
		settle()
		begin := time.Now()
		a.fails(t, 0, 8)
		time.Sleep(10 * time.Second) // told by themselves, and they stay so
		a.fails(t, 8, 20)
		time.Sleep(10 * time.Second)
		got := in.digests(begin)
		if len(got) != 9 || got[8] != "+15s 0/12: incidents: 12 (site008, site009, site010, site011, site012, 7 more)" {
			t.Fatalf("told %v", got)
		}
		a.recovers(t, 0, 8)
		settle()
		if got := in.digests(begin)[9:]; len(got) != 8 || slices.ContainsFunc(got, func(s string) bool { return !strings.HasSuffix(s, ": resolved") }) {
			t.Errorf("told of the ends of those told by themselves: %v", got)
		}
		time.Sleep(3 * time.Minute) // the storm has passed
		a.fails(t, 20, 21)
		time.Sleep(10 * time.Second)
		if got := in.digests(begin)[17:]; len(got) != 1 || !strings.HasSuffix(got[0], "site020: opened") {
			t.Errorf("told of an incident after the storm: %v", got)
		}
	})
}

func TestNoStorm(t *testing.T) {
	for name, test := range map[string]struct {
		storm outbox.Storm
		sites int
		match outbox.Match
		want  int
	}{
		"not one too many":               {storm: outbox.Storm{Incidents: 10, Window: time.Minute}, sites: 10, want: 10},
		"storms are off":                 {sites: 30, want: 30},
		"others' incidents do not count": {storm: outbox.Storm{Incidents: 10, Window: time.Minute}, sites: 30, match: outbox.Match{Site: []string{site(3), site(4)}}, want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				in := &inbox{}
				r := receiver("oncall", in)
				r.Match = test.match
				s := settings
				s.Storm = test.storm
				a := startWith(t, newDisk(), s, r)
				a.fails(t, 0, test.sites)
				time.Sleep(20 * time.Second)
				if n := len(in.messages()); n != test.want || in.messages()[0].n.Digest != nil {
					t.Errorf("%d messages, want %d of one incident each", n, test.want)
				}
			})
		})
	}
}

func TestShortIncidentsAreAStormToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		a := startWith(t, newDisk(), stormy(), receiver("oncall", in))
		settle()
		for i := range 30 { // each is told and over before the next one comes
			a.fails(t, i, i+1)
			time.Sleep(timings.GroupWait + 100*time.Millisecond)
			a.recovers(t, i, i+1)
			settle()
		}
		time.Sleep(3 * time.Minute)
		single := slices.DeleteFunc(in.messages(), func(m message) bool { return m.n.Digest != nil })
		if len(single) > 2*22 {
			t.Errorf("%d messages of one incident each, want those of the first in a minute", len(single))
		}
		if records := a.keeper.Records(); len(records) != 0 {
			t.Errorf("%d settled records are left", len(records))
		}
	})
}

func TestStormSeverity(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		a := startWith(t, newDisk(), stormy(), receiver("oncall", in))
		settle()
		begin := time.Now()
		for i := range 12 {
			a.result(t, warning(failing(site(i), "home", "522")))
		}
		time.Sleep(10 * time.Second)
		a.result(t, failing(site(5), "home", "525"))
		settle()
		equal(t, "told", in.digests(begin)[1:], []string{"+10s 0/12: the severity is now critical; changed: 1 (site005)"})
		if m := in.messages()[1].n; m.Severity != "critical" || m.Digest.Lines[0].Site != site(5) || m.Alerts[0].Site != site(5) {
			t.Errorf("the worst is not the first: %+v", m.Digest.Lines[0])
		}
	})
}

func TestStormReceiverOfAReload(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, late := &inbox{}, &inbox{}
		a := startWith(t, newDisk(), stormy(), receiver("first", first))
		for i := range 15 {
			a.fails(t, i, i+1)
			time.Sleep(time.Hour)
		}
		a.SetReceivers([]outbox.Receiver{receiver("first", first), receiver("late", late)}, stormy())
		settle()
		if n := len(first.messages()); n != 15 {
			t.Errorf("%d messages over hours, want 15", n)
		}
		if got := late.messages(); len(got) != 1 || got[0].n.Digest == nil || got[0].n.Digest.Incidents != 15 {
			t.Errorf("the new receiver was told %v, want one digest", late.digests(time.Now()))
		}
		// Gone, it holds nothing back; back, it is told of what goes on still.
		a.SetReceivers([]outbox.Receiver{receiver("first", first)}, stormy())
		a.recovers(t, 0, 5) // with them the one that leads
		settle()
		if n := len(a.keeper.Records()); n != 10 {
			t.Errorf("%d records, want 10", n)
		}
		back := &inbox{}
		a.SetReceivers([]outbox.Receiver{receiver("first", first), receiver("late", back)}, stormy())
		settle()
		a.recovers(t, 5, 7)
		time.Sleep(2 * time.Minute)
		a.recovers(t, 7, 15)
		time.Sleep(2 * time.Second)
		got := back.messages()
		for _, m := range got { // sites that recover at once are told together or one after another
			if m.n.Digest == nil || m.n.Digest.Incidents != 10 || m.n.ID != got[0].n.ID {
				t.Errorf("told once it was back: %v", back.digests(time.Now()))
			}
		}
		if last := got[len(got)-1].n; last.Firing || last.Digest.Over != 10 {
			t.Errorf("told at the end: %v", back.digests(time.Now()))
		}
		if n := len(a.keeper.Records()); n != 0 {
			t.Errorf("%d settled records are left", n)
		}
	})
}

func TestStormInDoubt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.set(func(ctx context.Context, _ notify.Notification) (notify.Receipt, error) {
			<-ctx.Done() // it may have been taken
			return nil, ctx.Err()
		})
		a := startWith(t, newDisk(), stormy(), receiver("oncall", in))
		settle()
		a.fails(t, 0, 12)
		time.Sleep(40 * time.Second)
		// Whatever the settings say by now, it is told as the one thing it was.
		in.set(yesAgain)
		a.SetReceivers([]outbox.Receiver{receiver("oncall", in)}, settings)
		a.recovers(t, 0, 12)
		time.Sleep(time.Minute)
		for _, m := range in.messages() {
			if m.n.Digest == nil || m.n.Digest.Incidents != 12 {
				t.Errorf("told of %d alerts of %q", len(m.n.Alerts), m.n.Site)
			}
		}
		if m := in.messages(); !m[len(m)-1].ok || !m[1].n.Doubtful || m[0].n.Doubtful {
			t.Errorf("told %v", in.digests(time.Now()))
		}
		if n := len(a.keeper.Records()); n != 0 {
			t.Errorf("%d settled records are left", n)
		}
	})
}

func TestStormRefusedForGood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in := &inbox{}
		in.fail(notify.Permanent(errors.New("msg_too_long")))
		a := startWith(t, newDisk(), stormy(), receiver("oncall", in))
		settle()
		a.fails(t, 0, 12)
		time.Sleep(time.Hour)
		if n := len(in.messages()); n != 1 {
			t.Errorf("%d attempts, want 1", n)
		}
		counts(t, a, `esawatch_notifications_total{outcome="dropped",receiver="oncall"} 1
			esawatch_notification_queue_length{receiver="oncall"} 0`)
		in.fail(nil)
		a.recovers(t, 0, 12)
		time.Sleep(2 * time.Second)
		if m := in.messages(); m[len(m)-1].n.Digest == nil || m[len(m)-1].n.Firing {
			t.Errorf("told %v", in.digests(time.Now()))
		}
		toldAs(t, in.messages())
	})
}

func TestStormToldAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in, disk := newForgetful(time.Minute), newDisk()
		a := startWith(t, disk, stormy(), receiver("am", in))
		settle()
		begin := time.Now()
		a.fails(t, 0, 12)
		time.Sleep(10 * time.Second)
		a.recovers(t, 0, 1) // the one that leads
		time.Sleep(time.Minute)
		writes := disk.written()
		time.Sleep(2 * time.Minute)
		equal(t, "told", in.digests(begin), []string{
			"+5s 0/12: incidents: 12 (site000, site001, site002, site003, site004, 7 more)",
			"+1m5s 1/12: over: 1 (site000)", "+2m5s 1/12: ", "+3m5s 1/12: ",
		})
		if disk.written() != writes {
			t.Errorf("%d writes for the same told again", disk.written()-writes)
		}
		a.recovers(t, 1, 12)
		time.Sleep(time.Hour)
		over := slices.DeleteFunc(in.messages(), func(m message) bool { return m.n.Firing })
		if all := in.messages(); len(over) != 1 || all[len(all)-1].n.Firing {
			t.Errorf("told %v, want the end once, and no more", in.digests(begin))
		}
	})
}

// toldAs notes how each incident was told: in the digest of that ID, or by itself.
func toldAs(t *testing.T, messages []message) map[string]string {
	t.Helper()
	as := make(map[string]string)
	for _, m := range messages {
		ids, how := []string{m.n.ID}, "by itself"
		if m.n.Digest != nil {
			ids, how = nil, m.n.ID
			for _, l := range m.n.Digest.Lines {
				ids = append(ids, path.Base(l.URL))
			}
		}
		for _, id := range ids {
			if was := as[id]; was != "" && was != how {
				t.Errorf("%s was told as %s and as %s", id, was, how)
			}
			as[id] = how
		}
	}
	return as
}
