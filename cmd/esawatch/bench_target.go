package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// benchPorts is over how many ports the target spreads, so that a client that
// opens thousands of connections a second does not run out of its own.
const benchPorts = 16

// benchAddress is the first line that the target says.
type benchAddress struct {
	URLs    []string `json:"urls"`
	Control string   `json:"control"` // answers what the target has seen
	CA      string   `json:"ca"`      // PEM, of whom the target's certificate is
}

// benchSeen is what the target has seen: whether handshakes were honest, it
// says for the clients.
type benchSeen struct {
	Requests  int64 `json:"requests"`
	HTTP2     int64 `json:"http2"`     // of the requests
	Hybrid    int64 `json:"hybrid"`    // of the requests, those with X25519MLKEM768
	Abridged  int64 `json:"abridged"`  // of the requests, those whose connection took up an earlier session
	Handshake int64 `json:"handshake"` // connections that were made
}

// benchTarget is the other side of a benchTarget process.
type benchTarget struct {
	*benchProcess
	benchAddress
	roots string // file with the authority, for SSL_CERT_FILE
}

func startBenchTarget(ctx context.Context, o benchOptions) (*benchTarget, error) {
	p, err := startBenchProcess(ctx, o.program, nil, onStdout, "bench", "target")
	if err != nil {
		return nil, err
	}
	t := &benchTarget{benchProcess: p, roots: filepath.Join(o.dir, "roots.pem")}
	line, err := p.lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &t.benchAddress)
	}
	if err == nil {
		err = os.WriteFile(t.roots, []byte(t.CA), 0o600)
	}
	if err != nil {
		return nil, p.broke("start target", err)
	}
	return t, nil
}

// environment makes the target's authority one of the system's, which is what
// checks trust by default.
func (t *benchTarget) environment() []string { return []string{"SSL_CERT_FILE=" + t.roots} }

func (t *benchTarget) seen(ctx context.Context) (seen benchSeen, err error) {
	_, err = get(ctx, t.Control, func(r io.Reader) error { return json.NewDecoder(r).Decode(&seen) })
	if err != nil {
		err = fmt.Errorf("ask target: %w", err)
	}
	return seen, err
}

// get reads an answer of one of our processes, and says how many bytes it had.
func get(ctx context.Context, url string, read func(io.Reader) error) (int64, error) {
	return getEncoded(ctx, url, "identity", read)
}

// getEncoded is get for an answer in an encoding, which read has to undo.
func getEncoded(ctx context.Context, url, encoding string, read func(io.Reader) error) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept-Encoding", encoding)
	// Reading is to cost little beside what is measured.
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, ReadBufferSize: 64 << 10}}).Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("get %s: status %d", url, resp.StatusCode)
	}
	counted := &countingReader{r: resp.Body}
	if err := read(counted); err != nil {
		return 0, fmt.Errorf("get %s: %w", url, err)
	}
	return counted.n, nil
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func newBenchTarget() *cobra.Command {
	return &cobra.Command{
		Use: "target", Hidden: true, Args: cobra.NoArgs,
		Short: "Be what bench asks, until standard input ends",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := serveBenchTarget(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout()); err != nil {
				return failed(err)
			}
			return nil
		},
	}
}

// serveBenchTarget answers on benchPorts ports until in ends or ctx is done.
func serveBenchTarget(ctx context.Context, in io.Reader, out io.Writer) error {
	certificate, authority, err := benchCertificate()
	if err != nil {
		return err
	}
	seen := &benchCounters{}
	server := &http.Server{
		Handler:           seen.page(),
		ReadHeaderTimeout: 10 * time.Second,
		ConnState:         seen.connection,
		ErrorLog:          log.New(io.Discard, "", 0), // a client that goes away is none of our faults
		TLSConfig: &tls.Config{
			Certificates:           []tls.Certificate{certificate},
			SessionTicketsDisabled: true, // each handshake is a full one
		},
	}
	control := &http.Server{Handler: seen.control(), ReadHeaderTimeout: 10 * time.Second}
	defer func() { _ = errors.Join(server.Close(), control.Close()) }() // the process ends

	said := benchAddress{CA: string(authority)}
	ended := make(chan error, benchPorts+2)
	for range benchPorts {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		said.URLs = append(said.URLs, "https://"+l.Addr().String())
		go func() { ended <- server.ServeTLS(l, "", "") }()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	said.Control = "http://" + l.Addr().String()
	go func() { ended <- control.Serve(l) }()
	if err := json.NewEncoder(out).Encode(said); err != nil {
		return err
	}
	go func() {
		_, err := io.Copy(io.Discard, in)
		ended <- err
	}()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// benchCounters counts what the target sees.
type benchCounters struct {
	requests, http2, hybrid, abridged, handshakes atomic.Int64
}

// page answers as an edge does: some headers, a body of 4 KiB.
func (c *benchCounters) page() http.Handler {
	body := bytes.Repeat([]byte("The site works as it should. \n"), 4<<10/30)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		if r.ProtoMajor == 2 {
			c.http2.Add(1)
		}
		if r.TLS.CurveID == tls.X25519MLKEM768 {
			c.hybrid.Add(1)
		}
		if r.TLS.DidResume {
			c.abridged.Add(1)
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Server", "ESA")
		h.Set("Cache-Control", "max-age=60")
		h.Set("Via", "cache15.l2de3[0,0,200-0,H], ens-cache2.de7[2,0]")
		h.Set("Eagleid", "a3b54e9817321945678901234e")
		h.Set("X-Site-Cache-Status", "HIT")
		_, _ = w.Write(body) // the client has gone if it fails
	})
}

func (c *benchCounters) control() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(benchSeen{ // the client has gone if it fails
			Requests: c.requests.Load(), HTTP2: c.http2.Load(), Hybrid: c.hybrid.Load(),
			Abridged: c.abridged.Load(), Handshake: c.handshakes.Load(),
		})
	})
}

func (c *benchCounters) connection(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		c.handshakes.Add(1)
	}
}

// benchCertificate makes a certificate for 127.0.0.1 and its authority, in PEM.
// Like an edge's it is valid for three months and signed by another.
func benchCertificate() (server tls.Certificate, authority []byte, err error) {
	now := time.Now()
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 3, 0),
			BasicConstraintsValid: true,
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return server, nil, err
	}
	ca := template(1, "esawatch bench authority")
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return server, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return server, nil, err
	}
	leaf := template(2, "esawatch bench target")
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return server, nil, err
	}
	authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, authority, nil
}
