package email

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testUser     = "probe"
	testPassword = "password-test-only"
)

// received is a mail that the server took.
type received struct {
	From string
	To   []string
	Data string
	TLS  bool
	User string // who was logged in
}

// server is a small SMTP server on loopback.
type server struct {
	addr     string
	listener net.Listener
	tls      *tls.Config
	wrapped  bool // TLS from the start
	noTLS    bool // STARTTLS is not offered
	auth     string

	mu      sync.Mutex
	replies map[string]string // by command, "RCPT" or "RCPT b@x": in place of the usual; "hang", "drop" or "endless" as well
	mails   []received
	conns   map[net.Conn]struct{}
	wg      sync.WaitGroup
}

// serve starts a server with a new certificate for 127.0.0.1; pool trusts it.
func serve(t *testing.T, change func(*server)) (s *server, pool *x509.CertPool) {
	t.Helper()
	config, pool := certificate(t)
	s = &server{tls: config, auth: "PLAIN LOGIN CRAM-MD5", replies: map[string]string{}, conns: map[net.Conn]struct{}{}}
	if change != nil {
		change(s)
	}
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.addr = s.listener.Addr().String()
	s.wg.Go(s.accept)
	t.Cleanup(func() {
		_ = s.listener.Close()
		s.mu.Lock()
		for c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s, pool
}

func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

// set changes what the server says from now on; "" is the usual.
func (s *server) set(command, reply string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.replies[command] = reply; reply == "" {
		delete(s.replies, command)
	}
}

func (s *server) reply(command string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replies[command]
}

func (s *server) taken() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

func (s *server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[conn] = struct{}{}
		s.mu.Unlock()
		s.wg.Go(func() {
			(&session{server: s, raw: conn}).run()
			_ = conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		})
	}
}

// session is one connection.
type session struct {
	*server
	raw, conn net.Conn
	r         *bufio.Reader
	mail      received
}

func (s *session) use(conn net.Conn) { s.conn, s.r = conn, bufio.NewReader(conn) }

// say answers a command: as it was told to, else with usual. It is false when
// the session is over.
func (s *session) say(command, usual string) bool {
	reply := s.reply(command)
	switch reply {
	case "":
		reply = usual
	case "drop":
		return false
	case "hang":
		_, _ = io.Copy(io.Discard, s.conn)
		return false
	case "endless":
		for {
			if _, err := io.WriteString(s.conn, "250-"+strings.Repeat("x", 1000)+"\r\n"); err != nil {
				return false
			}
		}
	}
	_, err := io.WriteString(s.conn, reply+"\r\n")
	return err == nil && !strings.HasPrefix(reply, "421")
}

func (s *session) line() (string, bool) {
	line, err := s.r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err == nil
}

func (s *session) run() {
	s.use(s.raw)
	if s.wrapped {
		s.use(tls.Server(s.raw, s.tls))
		s.mail.TLS = true
	}
	if !s.say("GREETING", "220 mail ESMTP") {
		return
	}
	for {
		line, ok := s.line()
		if !ok || !s.command(line) {
			return
		}
	}
}

// command does one command and is false when the session is over.
func (s *session) command(line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb = strings.ToUpper(verb); verb {
	case "EHLO":
		extensions := "250-mail\r\n250-8BITMIME\r\n"
		if !s.noTLS && !s.mail.TLS {
			extensions += "250-STARTTLS\r\n"
		}
		if s.auth != "" {
			extensions += "250-AUTH " + s.auth + "\r\n"
		}
		return s.say("EHLO", extensions+"250 ENHANCEDSTATUSCODES")
	case "STARTTLS":
		if !s.say("STARTTLS", "220 go") || s.reply("STARTTLS") != "" {
			return s.reply("STARTTLS") != "drop" && s.reply("STARTTLS") != "hang"
		}
		s.use(tls.Server(s.raw, s.tls))
		s.mail = received{TLS: true}
		return true
	case "AUTH":
		return s.login(rest)
	case "MAIL":
		s.mail.From, _, _ = strings.Cut(strings.TrimPrefix(rest, "FROM:"), " ")
		s.mail.To = nil
		return s.say("MAIL", "250 ok")
	case "RCPT":
		to := strings.TrimPrefix(rest, "TO:")
		if own := s.reply("RCPT " + to); own != "" {
			return s.say("RCPT "+to, "")
		}
		if s.reply("RCPT") == "" {
			s.mail.To = append(s.mail.To, to)
		}
		return s.say("RCPT", "250 ok")
	case "DATA":
		return s.data()
	case "QUIT":
		s.say("QUIT", "221 bye")
		return false
	}
	return s.say(verb, "502 what?")
}

func (s *session) login(rest string) bool {
	mechanism, first, _ := strings.Cut(rest, " ")
	ask := func(challenge string) string {
		_, _ = io.WriteString(s.conn, "334 "+base64.StdEncoding.EncodeToString([]byte(challenge))+"\r\n")
		line, _ := s.line()
		text, _ := base64.StdEncoding.DecodeString(line)
		return string(text)
	}
	var user, password string
	switch mechanism {
	case "PLAIN":
		text, _ := base64.StdEncoding.DecodeString(first)
		parts := strings.Split(string(text), "\x00")
		if len(parts) == 3 {
			user, password = parts[1], parts[2]
		}
	case "LOGIN":
		user, password = ask("Username:"), ask("Password:")
	case "CRAM-MD5":
		user, _, _ = strings.Cut(ask("<1@mail>"), " ")
		password = testPassword // its digest is go-mail's affair
	}
	if user != testUser || password != testPassword {
		return s.say("AUTH", "535 5.7.8 who are you, "+first+"?")
	}
	s.mail.User = user
	return s.say("AUTH", "235 welcome")
}

func (s *session) data() bool {
	if s.reply("DATA") != "" {
		return s.say("DATA", "")
	}
	if !s.say("", "354 go on") {
		return false
	}
	var data strings.Builder
	for {
		line, ok := s.line()
		if !ok {
			return false
		}
		if line == "." {
			break
		}
		fmt.Fprintf(&data, "%s\r\n", strings.TrimPrefix(line, "."))
	}
	if s.reply("END") == "" {
		s.mail.Data = data.String()
		s.mu.Lock()
		s.mails = append(s.mails, s.mail)
		s.mu.Unlock()
	}
	return s.say("END", "250 taken")
}
