// Package natstest runs real NATS servers with JetStream in the process of a test.
package natstest

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	patience = 30 * time.Second // how long servers may take to be of use
	bindTime = 5 * time.Second  // and one to listen
)

// Cluster is one server, or several that are one. Its methods may be called at
// any time.
type Cluster struct {
	t       testing.TB
	options []*server.Options

	mu      sync.Mutex
	servers []*server.Server // nil where one is killed
}

// Start starts servers on loopback whose files are the test's, and waits until
// JetStream can be used. They end with the test. They do not tell clients of each
// other, so that a test may stand between.
func Start(t testing.TB, nodes int) *Cluster {
	t.Helper()
	return start(t, nodes, true)
}

// StartPlain starts one server without JetStream.
func StartPlain(t testing.TB) *Cluster {
	t.Helper()
	return start(t, 1, false)
}

func start(t testing.TB, nodes int, jetstream bool) *Cluster {
	t.Helper()
	c := &Cluster{t: t, options: make([]*server.Options, nodes), servers: make([]*server.Server, nodes)}
	t.Cleanup(c.killAll)
	const tries = 5
	for try := 1; ; try++ {
		c.configure(jetstream)
		err := c.runAll()
		if err == nil {
			break
		}
		if c.killAll(); try == tries {
			t.Fatalf("start NATS: %v", err)
		}
	}
	c.UntilReady()
	return c
}

// configure makes the options of all servers. Where clients connect each chooses
// itself when it first starts; where the servers connect all must know before.
func (c *Cluster) configure(jetstream bool) {
	c.t.Helper()
	nodes := len(c.options)
	// No test takes the power away. Benchmarks are of what operators are told to set.
	_, durable := c.t.(*testing.B)
	dir := c.t.TempDir()
	ports := freePorts(c.t, nodes)
	var routes []*url.URL
	for i := range nodes {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", ports[i])})
	}
	for i := range nodes {
		o := &server.Options{
			ServerName: fmt.Sprintf("node-%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
			JetStream: jetstream, StoreDir: filepath.Join(dir, fmt.Sprint(i)), SyncAlways: durable,
		}
		if nodes > 1 {
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i], NoAdvertise: true}
			o.Routes = routes
		}
		c.options[i] = o
	}
}

// freePorts are ports on loopback that nobody listens on. Somebody may take one
// before it is used.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // all at once, so that none is given twice
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (c *Cluster) runAll() error {
	for i := range c.options {
		if err := c.run(i); err != nil {
			return err
		}
	}
	return nil
}

// run starts a server, and waits until it listens.
func (c *Cluster) run(i int) error {
	o := *c.options[i] // a server changes its own
	s, err := server.NewServer(&o)
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(bindTime) {
		s.Shutdown()
		s.WaitForShutdown()
		return fmt.Errorf("%s cannot listen at port %d, or %d for the others", o.ServerName, o.Port, o.Cluster.Port)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.options[i].Port = s.Addr().(*net.TCPAddr).Port
	c.servers[i] = s
	return nil
}

func (c *Cluster) killAll() {
	for i := range c.servers {
		c.Kill(i)
	}
}

// UntilReady waits until all servers run and a client can use JetStream.
func (c *Cluster) UntilReady() {
	c.t.Helper()
	for deadline := time.Now().Add(patience); !c.ready(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatal("NATS is not ready")
		}
	}
}

func (c *Cluster) ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	leader := len(c.servers) == 1
	for _, s := range c.servers {
		if s == nil {
			return false
		}
		if !s.JetStreamEnabled() {
			continue
		}
		if !s.JetStreamIsCurrent() {
			return false
		}
		leader = leader || s.JetStreamIsLeader()
	}
	return leader
}

// URL is where a server listens.
func (c *Cluster) URL(i int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("nats://127.0.0.1:%d", c.options[i].Port)
}

// URLs is where all of them listen, as a client takes it.
func (c *Cluster) URLs() string {
	var urls []string
	for i := range c.options {
		urls = append(urls, c.URL(i))
	}
	return strings.Join(urls, ",")
}

// Kill ends a server, if it runs.
func (c *Cluster) Kill(i int) {
	c.mu.Lock()
	s := c.servers[i]
	c.servers[i] = nil
	c.mu.Unlock()
	if s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// Restart starts a server that was killed, with its files, where it was. It does not
// wait until that is of use again.
func (c *Cluster) Restart(i int) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		err := c.run(i)
		if err == nil {
			return
		}
		if time.Now().After(deadline) { // until whoever has the port lets go of it
			c.t.Fatalf("restart NATS: %v", err)
		}
	}
}

// Leader is the server that leads a stream, -1 when none does.
func (c *Cluster) Leader(stream string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, s := range c.servers {
		if s != nil && s.JetStreamIsStreamLeader("$G", stream) {
			return i
		}
	}
	return -1
}

// Traffic is what clients and servers have sent to the servers that run: how many
// messages, and their bytes.
func (c *Cluster) Traffic() (messages, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.servers {
		if s == nil {
			continue
		}
		if v, err := s.Varz(nil); err == nil {
			messages, bytes = messages+v.InMsgs, bytes+v.InBytes
		}
	}
	return messages, bytes
}
