package probe

import (
	"crypto/tls"
	"net"
	"net/http"
	"testing"

	"github.com/quic-go/quic-go/http3"
)

// serveHTTP3 starts an HTTP/3 server.
func serveHTTP3(t *testing.T, config *tls.Config, h http.HandlerFunc) string {
	t.Helper()
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := &http3.Server{Handler: h, TLSConfig: http3.ConfigureTLSConfig(config)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(udp)
	}()
	t.Cleanup(func() {
		s.Close()
		udp.Close()
		<-done
	})
	return "https://" + udp.LocalAddr().String()
}
