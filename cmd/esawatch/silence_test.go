package main

import (
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/esawatch/esawatch/checks/edgetest"
)

// silence calls the command for a daemon's silences, which must work.
func (d *daemon) silence(args ...string) ran {
	d.t.Helper()
	got := esawatch(d.t, append([]string{"silence", "--url", "http://" + d.addr}, args...)...)
	if got.code != exitOK {
		d.t.Fatalf("silence %q: exit code %d: %s%s", args, got.code, got.out, got.errors)
	}
	return got
}

// silences are those that a daemon lists, by ID.
func (d *daemon) silences() map[string]silence {
	d.t.Helper()
	var list []silence
	if err := json.Unmarshal([]byte(d.silence("list", "--output", "json").out), &list); err != nil {
		d.t.Fatal(err)
	}
	byID := map[string]silence{}
	for _, one := range list {
		byID[one.ID] = one
	}
	return byID
}

// TestSilencedOutageIsToldWhenTheSilenceEnds: not before, not by a restart, and
// not while another silence covers it too.
func TestSilencedOutageIsToldWhenTheSilenceEnds(t *testing.T) {
	t.Parallel()
	h := newHome(t, homeSite, botReceiver)
	d := h.start()
	d.untilAsked(h.edge, 2)
	added := d.silence("add", "site=shop", `condition=~"5.*"`, "--author", "ana", "--comment", "new origin")
	long := strings.TrimSpace(added.out)
	if !isSilenceID(long) || !strings.Contains(added.errors, `site="shop" condition=~"5.*" (1 check can alert like that)`) {
		t.Errorf("adding one prints %q and %q, want its ID and what is silenced", added.out, added.errors)
	}
	if typo := d.silence("add", "site=shpo"); !strings.Contains(typo.errors, "no check of the configuration can alert like that") {
		t.Errorf("adding one with a mistyped site prints %q", typo.errors)
	}
	notTold := func(when string) {
		t.Helper()
		if tops := h.slack.Tops(); len(tops) > 0 {
			t.Fatalf("%s it was told: %s", when, tops[0].Rendered())
		}
	}

	h.edge.Set(edgetest.Status(521))
	d.untilMetric(`esawatch_check_state{check="home",location="test",site="shop",state="suppressed"}`, 1)
	d.untilAsked(h.edge, 3)
	notTold("under the silence")
	d.signal(syscall.SIGTERM)
	if code := d.exit(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	d = h.start()
	d.untilAsked(h.edge, 3)
	notTold("after a restart")
	if one := d.silences()[long]; one.State != "active" || one.Author != "ana" || one.Comment != "new origin" {
		t.Errorf("after a restart the silence is %+v", one)
	}

	short := strings.TrimSpace(d.silence("add", "site=shop", "--duration", "4s").out)
	// One that is not there keeps the other from nothing.
	got := esawatch(t, "silence", "expire", "none", long, "--url", "http://"+d.addr)
	if got.code != exitFailed || got.out != long+" is over\n" || got.errors != "esawatch: expire silence \"none\": no such silence\n" {
		t.Errorf("expire: exit code %d, %q, %q", got.code, got.out, got.errors)
	}
	d.untilAsked(h.edge, 1)
	list := d.silences()
	if list[long].State != "expired" || list[short].Author == "" {
		t.Errorf("got %+v, want the first to be over and the second somebody's", list)
	}
	told := d.untilTold(h, 1)[0]
	late := told.PostedAt.Sub(list[short].Until)
	t.Logf("told %v after the end of the silence", late.Round(time.Millisecond))
	if late < 0 || late > groupWait+4*time.Second {
		t.Errorf("told %v after the end of the silence, want it then", late)
	}
	shows(t, told, "🔴 CRITICAL: shop", "521 Web server is down")
	h.edge.Reset()
	d.untilOver(h, told.TS)
	toldOnce(t, h.slack, 1)
}

// TestSilenceNeedsAPassword asks an agent that others can reach: with no
// password, with a wrong one, with the right one, and when it wants none any more.
func TestSilenceNeedsAPassword(t *testing.T) {
	t.Parallel()
	const password = "correct horse"
	h := newHome(t, homeSite, "web: {listen: '0.0.0.0:0', config_file: auth.yml}\n")
	h.write("auth.yml", "basic_auth_users: {admin: $2a$04$FGSP3jSX9PZvxxlG99nK9Otp.HHb0XRekjaSVnQ7RwIwXc43yBL1K}\n")
	h.write("right", password+"\n")
	h.write("wrong", "incorrect horse\n")
	d := h.start()
	_, port, err := net.SplitHostPort(d.addr)
	if err != nil {
		t.Fatal(err)
	}
	d.addr = net.JoinHostPort("127.0.0.1", port)
	add := func(url string, flags ...string) ran {
		t.Helper()
		got := esawatch(t, append([]string{"silence", "add", "site=shop", "--url", url}, flags...)...)
		if strings.Contains(got.out+got.errors, "correct") {
			t.Errorf("it prints the password: %s%s", got.out, got.errors)
		}
		return got
	}
	url, file := "http://"+d.addr, func(name string) string { return filepath.Join(h.dir, "config", name) }
	for _, got := range []ran{
		add(url),
		add(url, "--user", "admin", "--password-file", file("wrong")),
		add("http://admin:incorrect@" + d.addr),
	} {
		if got.code != exitFailed || !strings.Contains(got.errors, url+" wants another user or password") {
			t.Errorf("exit code %d: %s", got.code, got.errors)
		}
	}
	fromFile := add(url, "--user", "admin", "--password-file", file("right"))
	fromURL := add("http://admin:correct%20horse@"+d.addr, "--author", "ana")
	if fromFile.code != exitOK || fromURL.code != exitOK {
		t.Fatalf("with the password: %+v, %+v", fromFile, fromURL)
	}
	list := esawatch(t, "silence", "list", "--url", url, "--user", "admin", "--password-file", file("right"))
	for _, part := range []string{strings.TrimSpace(fromFile.out) + "  active", "  admin ", "  ana ", `site="shop"`} {
		if !strings.Contains(list.out, part) {
			t.Errorf("the list has no %q:\n%s", part, list.out)
		}
	}
	h.write("auth.yml", "{}\n")
	if got := add(url); got.code != exitFailed || !strings.Contains(got.errors, url+" refuses: changes over HTTP need") {
		t.Errorf("without passwords: exit code %d: %s", got.code, got.errors)
	}
}
