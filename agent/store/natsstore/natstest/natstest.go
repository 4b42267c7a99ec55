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

// patience is how long servers may take to be of use.
const patience = 30 * time.Second

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
	c := &Cluster{t: t, servers: make([]*server.Server, nodes)}
	dir := t.TempDir()
	ports := freePorts(t, 2*nodes)
	var routes []*url.URL
	for i := range nodes {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", ports[nodes+i])})
	}
	for i := range nodes {
		o := &server.Options{
			ServerName: fmt.Sprintf("node-%d", i), Host: "127.0.0.1", Port: ports[i], NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: filepath.Join(dir, fmt.Sprint(i)), SyncAlways: true,
		}
		if nodes > 1 {
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[nodes+i], NoAdvertise: true}
			o.Routes = routes
		}
		c.options = append(c.options, o)
	}
	t.Cleanup(func() {
		for i := range nodes {
			c.Kill(i)
		}
	})
	for i := range nodes {
		c.run(i)
	}
	c.untilReady()
	return c
}

// freePorts are ports on loopback that nobody listens on.
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

// run starts a server.
func (c *Cluster) run(i int) {
	c.t.Helper()
	o := *c.options[i] // a server changes its own
	s, err := server.NewServer(&o)
	if err != nil {
		c.t.Fatalf("start NATS: %v", err)
	}
	s.Start()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.servers[i] = s
}

// untilReady waits until a client can use JetStream.
func (c *Cluster) untilReady() {
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
		if s == nil || !s.ReadyForConnections(10*time.Millisecond) || !s.JetStreamIsCurrent() {
			return false
		}
		leader = leader || s.JetStreamIsLeader()
	}
	return leader
}

// URL is where a server listens.
func (c *Cluster) URL(i int) string { return fmt.Sprintf("nats://127.0.0.1:%d", c.options[i].Port) }

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

// Restart starts a server that was killed, with its files. It does not wait until
// that is of use again.
func (c *Cluster) Restart(i int) {
	c.t.Helper()
	c.run(i)
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
