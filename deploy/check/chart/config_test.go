package chart

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// TestProgramTakesTheConfiguration has the real program validate what each file
// of values comes to, with the files that the chart mounts and the environment
// that it sets.
func TestProgramTakesTheConfiguration(t *testing.T) {
	t.Parallel()
	cert, key := keyPair(t)
	theirs := map[string]string{
		"tls.crt": cert, "tls.key": key, "hook-secret": "signing",
		"nats-password": "of NATS", "ca.crt": "not looked at here",
		"config.yaml": "sites: [{name: shop, url: https://shop.example.com}]\nreceivers: [{name: screen, console: {}}]\n",
	}
	eachRendering(t, func(t *testing.T, o *objects) {
		p := newPod(t, o, theirs)
		args := []string{"validate"}
		for _, a := range p.args {
			if strings.HasPrefix(a, "--config=") {
				args = append(args, a)
			}
		}
		out, err := p.command(args...).CombinedOutput()
		if strings.HasSuffix(t.Name(), "/defaults") {
			if err == nil || !strings.Contains(string(out), "there is no site") {
				t.Errorf("with the defaults validate says %v\n%s", err, out)
			}
			return
		}
		if err != nil || !strings.HasPrefix(string(out), "ok: 1 site, ") {
			t.Errorf("validate: %v\n%s", err, out)
		}
	})
}

// keyPair is the certificate of net/http's own tests and its key, as PEM.
func keyPair(t *testing.T) (cert, key string) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	pkcs8, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return block("CERTIFICATE", pair.Certificate[0]), block("PRIVATE KEY", pkcs8)
}

// TestConfigurationIsWholeAndUnchanged holds that the ConfigMap says exactly what
// the values do: no key left out, no number or duration written another way.
func TestConfigurationIsWholeAndUnchanged(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"small", "full", "locked", "cluster"} {
		file := valuesFiles(t)[name]
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o := decode(t, render(t, "--values", file))
		at := slices.IndexFunc(o.configMaps, func(c *corev1.ConfigMap) bool { return c.Data["config.yaml"] != "" })
		if at < 0 {
			t.Fatalf("%s: no ConfigMap has a config.yaml", name)
		}
		if diff := cmp.Diff(tree(t, string(text))["config"], any(tree(t, o.configMaps[at].Data["config.yaml"]))); diff != "" {
			t.Errorf("%s: - the values, + the ConfigMap:\n%s", name, diff)
		}
	}
}
