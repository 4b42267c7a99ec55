package catalog

import (
	"strings"
	"testing"
)

// TestCommandsRepeatTheRequest holds that a command asks as the check did, but where
// it tries something else on purpose.
func TestCommandsRepeatTheRequest(t *testing.T) {
	q := known
	q.Edge, q.Origin = *leg("502"), leg("503")
	q.OriginURL = "https://in.example/"
	q.Asked = &Asked{Method: "POST", Body: true, Header: []string{"Accept: text/html; q=1", "X-Name: it's"}, ConnectTo: "192.0.2.1:8443"}
	q.OriginAsked = &Asked{Method: "HEAD", Header: []string{"Host: b.example"}}
	d, _ := Default().Explain(q)
	steps := strings.Join(d.Steps, "\n")
	for _, want := range []string{
		`-X POST -H 'Accept: text/html; q=1' -H 'X-Name: it'\''s' --data-binary @BODY --connect-to ::192.0.2.1:8443 'https://shop.example.com/api/login?x=1&y=2'`,
		`--connect-to ::203.0.113.10:8443 -I -H 'Host: b.example' https://in.example/`,
	} {
		if !strings.Contains(steps, want) {
			t.Errorf("no %s in\n%s", want, steps)
		}
	}
	q.Edge, q.Origin, q.OriginAsked = *leg("405"), nil, nil
	d, _ = Default().Explain(q)
	if steps := strings.Join(d.Steps, "\n"); !strings.Contains(steps, "-X OPTIONS -H 'Accept: text/html; q=1'") || strings.Contains(steps, "OPTIONS -X") {
		t.Errorf("the question for the methods is gone:\n%s", steps)
	}
	q.Edge = *leg(TLSExpired)
	q.Asked.ServerName = "tls.example"
	d, _ = Default().Explain(q)
	if steps := strings.Join(d.Steps, "\n"); !strings.Contains(steps, "-connect 192.0.2.1:8443 -servername tls.example") {
		t.Errorf("the certificate is not read where it was met:\n%s", steps)
	}
}

// TestCommandsGoWhereTheRequestWent: curl takes the name for TLS from the URL only,
// and what is sent with a GET has to be said to be one.
func TestCommandsGoWhereTheRequestWent(t *testing.T) {
	for _, tt := range []struct {
		name  string
		asked Asked
		want  string
	}{
		{"a name for TLS", Asked{ServerName: "tls.example"}, "curl -sv -o /dev/null -H 'Host: 192.0.2.1:8443' --connect-to ::192.0.2.1:8443 https://tls.example/a"},
		{"another host", Asked{ServerName: "b.example", Header: []string{"Host: b.example"}}, "curl -sv -o /dev/null --connect-to ::192.0.2.1:8443 https://b.example/a"},
		{"a body with GET", Asked{Method: "GET", Body: true}, "curl -sv -o /dev/null -X GET --data-binary @BODY https://192.0.2.1:8443/a"},
		{"HEAD", Asked{Method: "HEAD"}, "curl -sv -o /dev/null -I https://192.0.2.1:8443/a"},
	} {
		q := Query{Edge: *leg("522"), Origin: leg("500"), URL: "https://192.0.2.1:8443/a", Asked: &tt.asked, OriginAddr: "192.0.2.9:443"}
		d, _ := Default().Explain(q)
		if steps := strings.Join(d.Steps, "\n"); !strings.Contains(steps, tt.want) {
			t.Errorf("%s: no %s in\n%s", tt.name, tt.want, steps)
		}
	}
	// The origin is asked by the same rules, at the address that the steps name.
	for want, asked := range map[string]Asked{
		"--connect-to ::192.0.2.9:443 https://in.example/a":                        {ServerName: "in.example", Header: []string{"Host: in.example"}, ConnectTo: "192.0.2.9:443"},
		"--connect-to ::192.0.2.9:443 -H 'Host: a.example' https://tls.example/a":  {ServerName: "tls.example", ConnectTo: "192.0.2.9:443"},
		"--connect-to ::192.0.2.9:443 -H 'Host: in.example' https://tls.example/a": {ServerName: "tls.example", Header: []string{"Host: in.example"}},
	} {
		d, _ := Default().Explain(Query{Edge: *leg("522"), Origin: leg("500"), URL: "https://a.example/a", OriginAddr: "192.0.2.9:443", OriginAsked: &asked})
		if steps := strings.Join(d.Steps, "\n"); !strings.Contains(steps, want) {
			t.Errorf("no %s in\n%s", want, steps)
		}
	}
	// An origin that nobody named most likely wants what the edge was sent.
	d, _ := Default().Explain(Query{Edge: *leg("404"), URL: "https://a.example/", Asked: &Asked{Method: "POST", Body: true, ConnectTo: "192.0.2.1:8443"}})
	if steps := strings.Join(d.Steps, "\n"); !strings.Contains(steps, "--connect-to ::ORIGIN_IP:443 -X POST --data-binary @BODY https://a.example/") {
		t.Errorf("the origin is asked something else:\n%s", steps)
	}
}

// TestCommandsAfterARedirect holds that what it led to is asked plainly.
func TestCommandsAfterARedirect(t *testing.T) {
	q := Query{Edge: *leg("502"), URL: "https://b.example/", RedirectedFrom: "https://a.example/", Asked: &Asked{Method: "POST", ConnectTo: "192.0.2.1:8443"}}
	d, _ := Default().Explain(q)
	steps := strings.Join(d.Steps, "\n")
	if !strings.Contains(steps, "-X POST --connect-to ::192.0.2.1:8443 https://a.example/") || strings.Contains(steps, "8443 https://b.example/") {
		t.Errorf("steps:\n%s", steps)
	}
}
