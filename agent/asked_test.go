package agent

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/checks/catalog"
	"github.com/esawatch/esawatch/checks/probe"
)

// TestAsked holds what of a request the commands repeat, and that no value of a
// header which may be secret is among it.
func TestAsked(t *testing.T) {
	for _, tt := range []struct {
		name string
		req  probe.Request
		want *catalog.Asked
	}{
		{"a plain GET", probe.Request{URL: "https://a.example/", Method: "GET"}, nil},
		{"POST", probe.Request{Method: "POST", Body: []byte("x"), Header: http.Header{"X-Key": {"k3y"}, "Content-Type": {"text/plain"}}},
			&catalog.Asked{Method: "POST", Body: true, Header: []string{"Content-Type: text/plain", "X-Key: SECRET"}}},
		{"credentials", probe.Request{Method: "GET", Auth: probe.Auth{Bearer: func() (string, error) { return "k3y", nil }}},
			&catalog.Asked{Method: "GET", Header: []string{"Authorization: SECRET"}}},
		{"elsewhere", probe.Request{Method: "GET", ConnectTo: "192.0.2.1:8443", TLS: probe.TLSOptions{ServerName: "b.example"}},
			&catalog.Asked{Method: "GET", ConnectTo: "192.0.2.1:8443", ServerName: "b.example"}},
		{"another host", probe.Request{Method: "GET", Header: http.Header{"Host": {"b.example:8080"}}},
			&catalog.Asked{Method: "GET", Header: []string{"Host: b.example:8080"}, ServerName: "b.example"}},
	} {
		if diff := cmp.Diff(tt.want, askedOf(tt.req)); diff != "" {
			t.Errorf("%s: - want, + got\n%s", tt.name, diff)
		}
	}
}

// TestAskedAtOrigin holds how a command is to ask the origin otherwise than the edge.
func TestAskedAtOrigin(t *testing.T) {
	for _, tt := range []struct {
		name   string
		origin config.Origin
		url    string // "" = the check's
		want   *catalog.Asked
	}{
		{"as the check", config.Origin{}, "", nil},
		{"host", config.Origin{Host: "in.example"}, "", &catalog.Asked{Method: "GET", ServerName: "in.example", Header: []string{"Host: in.example"}}},
		{"server name", config.Origin{ServerName: "tls.example"}, "", &catalog.Asked{Method: "GET", ServerName: "tls.example"}},
		{"both", config.Origin{Host: "in.example", ServerName: "tls.example"}, "", &catalog.Asked{Method: "GET", ServerName: "tls.example", Header: []string{"Host: in.example"}}},
		{"plain", config.Origin{Scheme: "http", Host: "in.example"}, "http://shop.example.com/a?b=c", &catalog.Asked{Method: "GET", ServerName: "in.example", Header: []string{"Host: in.example"}}},
	} {
		check, err := config.DefaultCheck("https://shop.example.com/a?b=c")
		if err != nil {
			t.Fatal(err)
		}
		tt.origin.Address = "192.0.2.1:443"
		site := &config.Site{Name: "shop", URL: "https://shop.example.com", Origin: &tt.origin}
		built, err := BuildCheck(site, &check, catalog.Default(), Identity{})
		if err != nil {
			t.Fatal(err)
		}
		if built.Asked != nil {
			t.Errorf("%s: the edge is asked other than by a plain GET: %+v", tt.name, built.Asked)
		}
		if diff := cmp.Diff(tt.want, built.Origin.Asked); diff != "" || built.Origin.URL != tt.url {
			t.Errorf("%s: %q - want, + got\n%s", tt.name, built.Origin.URL, diff)
		}
	}
}
