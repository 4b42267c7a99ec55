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
	if steps := strings.Join(d.Steps, "\n"); !strings.Contains(steps, "-X OPTIONS 'https://shop") {
		t.Errorf("the question for the methods is gone:\n%s", steps)
	}
	q.Edge = *leg(TLSExpired)
	q.Asked.ServerName = "tls.example"
	d, _ = Default().Explain(q)
	if steps := strings.Join(d.Steps, "\n"); !strings.Contains(steps, "-connect 192.0.2.1:8443 -servername tls.example") {
		t.Errorf("the certificate is not read where it was met:\n%s", steps)
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
