package page

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// evil is text as an enemy would have it shown: it leaves its element, runs, is
// fetched, writes backwards and over its neighbours, and never ends.
var evil = `"'></dd></p></svg><script>alert(1)</script><img src=http://evil.invalid/x onerror=alert(2)>` +
	"`</code>" + `<iframe srcdoc=x><style>*{display:none}</style><base href=//evil.invalid>javascript:alert(3)` +
	"\u202egnp.exe\u2066\u200b\ufeff\x1b[31m\x7f" + strings.Repeat("W", 3000)

// evilServer answers every request with evil wherever a server has the word: in
// its status, headers, body and certificate.
func evilServer(t *testing.T) (url, caFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	name := pkix.Name{CommonName: evil, Organization: []string{evil}}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: name, Issuer: name, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	caFile = filepath.Join(t.TempDir(), "evil.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { answerEvil(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return "https://" + l.Addr().String(), caFile
}

// answerEvil answers one request. Its headers have all but line ends.
func answerEvil(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return // it hung up
	}
	status, head := "525 "+evil, strings.NewReplacer("\x1b", "", "\x7f", "").Replace(evil)
	if req.URL.Path == "/body" {
		status = "200 OK"
	}
	body := "<title>" + evil + "</title>{\"status\":\"" + evil
	_, _ = fmt.Fprintf(c, "HTTP/1.1 %s\r\nServer: ESA\r\nEagleId: %s\r\nVia: %s\r\nX-Site-Cache-Status: %s\r\nProxy-Status: esa; error=%q\r\nX-Tengine-Error: %s\r\n"+
		"Content-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, head, head, head, head, head, head, len(body), body)
}

// TestHostile: whatever a server says, the pages keep their shape and run
// nothing of it.
func TestHostile(t *testing.T) {
	t.Parallel()
	url, ca := evilServer(t)
	a := startAgent(t, fmt.Sprintf(`sites:
  - name: %s
    url: %s
    tls: {ca_file: %s}
    labels: {team: "%s"}
    checks:
      - {name: home, path: /}
      - {name: body, path: /body, expect: {body_contains: [welcome], json: {"$.status": ok}, headers: {Content-Type: "^application/json"}}}
`, strings.Repeat("long-name-", 6), url, ca, strings.Repeat("label", 40)))
	site := strings.Repeat("long-name-", 6)
	id := a.openIncident(site)
	a.silence("site="+site, "1h", "<b>Ana</b>\u202e", "<script>alert(4)</script>"+strings.Repeat("W", 900))
	a.shows("/", "muted</span>")
	p := a.open()
	for name, path := range map[string]string{
		"hostile": "/", "hostile-site": "/sites/" + site, "hostile-incident": "/incidents/" + id, "hostile-silences": "/silences?site=" + site, "hostile-list": "/incidents",
	} {
		p.shoot(name, path)
		if got := ask[string](p, `[...document.querySelectorAll("script:not([src]), img, iframe, base, style, main script, [onerror], a[href^='javascript'], a[href^='data']")].map((e) => e.outerHTML).join()`); got != "" {
			t.Errorf("%s: the server put %s on the page", path, got)
		}
		if got := ask[string](p, `(document.documentElement.textContent.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g) || []).map((c) => c.charCodeAt(0).toString(16)).join()`); got != "" {
			t.Errorf("%s: characters that cannot be seen: %s", path, got)
		}
	}
}
