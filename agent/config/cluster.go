package config

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Cluster is what several agents share that judge and tell together.
type Cluster struct {
	URLs            []string      `yaml:"urls" rule:"nats_url" doc:"where NATS with JetStream listens: nats://HOST:PORT or tls://HOST:PORT; empty = this agent is the only one"`
	CredentialsFile string        `yaml:"credentials_file" rule:"file?" doc:"a NATS credentials file; empty = none"`
	Username        string        `yaml:"username" rule:"line" doc:"the user, with password; empty = none"`
	Password        Secret        `yaml:"password" doc:"the user's password"`
	TLS             ClusterTLS    `yaml:"tls" doc:"how the connection to NATS is made sure of"`
	Bucket          string        `yaml:"bucket" rule:"bucket" doc:"what is made on the server bears this name, as its prefix"`
	Replicas        int           `yaml:"replicas" rule:"int:1-5" doc:"on how many servers each record is kept"`
	Quorum          Quorum        `yaml:"quorum" rule:"quorum" doc:"how many locations must see a failure before it alerts: majority, all or a number; a check may set its own"`
	StaleAfter      int           `yaml:"stale_after" rule:"int:1-1000" doc:"periods without a result after which a location has no vote"`
	Region          string        `yaml:"region" rule:"name?" doc:"where this agent is in the large; it says whether one region or one place is hit"`
	AloneAfter      time.Duration `yaml:"alone_after" doc:"cut off from the others for that long, the agent alerts by itself; 0s = at once"`
}

// ClusterTLS is how the connection to NATS is made sure of.
type ClusterTLS struct {
	CAFile   string `yaml:"ca_file" rule:"file?" doc:"PEM of the authorities to trust; empty = the system's"`
	CertFile string `yaml:"cert_file" rule:"file?" doc:"PEM of a client certificate, with key_file"`
	KeyFile  string `yaml:"key_file" rule:"file?" doc:"PEM of the client certificate's key"`
}

// Enabled tells whether there are several agents.
func (c *Cluster) Enabled() bool { return len(c.URLs) > 0 }

// Quorum is how many of the locations that vote on a check have to see it fail: a
// majority of them, all, or a number. "" is that of the cluster.
type Quorum string

// The quorums that depend on how many vote.
const (
	QuorumMajority Quorum = "majority"
	QuorumAll      Quorum = "all"
)

// Number is a quorum that is a number of locations, 0 for another one.
func (q Quorum) Number() int {
	n, err := strconv.Atoi(string(q))
	if err != nil {
		return 0
	}
	return n
}

var (
	bucketForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)
	quorumForm = regexp.MustCompile(`^(majority|all|[1-9][0-9]{0,3})$`)
)

// checkCluster judges what only the section cluster has.
func checkCluster(rule, v string) *problem {
	switch rule {
	case "bucket":
		if !bucketForm.MatchString(v) {
			return newProblem("1 to 63 of A-Z a-z 0-9 _ -", "%s is not the name of a bucket", quote(v))
		}
	case "quorum":
		if !quorumForm.MatchString(v) {
			return newProblem("majority, all, or how many locations", "%s is not a quorum", quote(v))
		}
	case "nats_url":
		return checkNATS(v)
	}
	return nil
}

// checkNATS wants the address of a NATS server, with no secret in it. A server of
// NATS has no paths.
func checkNATS(v string) *problem {
	const form = "nats://HOST:PORT or tls://HOST:PORT"
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || strings.ContainsFunc(v, unicode.IsSpace):
		return newProblem(form, "%s is not the address of a NATS server", quote(redactURL(v)))
	case !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
		return newProblem(form, "%s is not the address of a NATS server: its scheme is %s", quote(redactURL(v)), quote(u.Scheme))
	case u.User != nil:
		return newProblem("they go into cluster.username and cluster.password, where they stay secret", "%s holds a user name or password", quote(redactURL(v)))
	case strings.Trim(u.Path, "/") != "" || strings.ContainsAny(v, "?#"):
		return newProblem(form, "%s has more than a host and a port", quote(v))
	case !isHost(u.Hostname()):
		return newProblem(form, "%s has a wrong host", quote(v))
	case u.Port() != "" && !isPort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		return newProblem("a port from 1 to 65535", "%s has a wrong port", quote(v))
	}
	return nil
}

// checkWhole judges what the keys of a cluster, from whichever layer, say
// together. A user may stand in a file, and the password in the environment.
func (l *loader) checkWhole(c *Cluster) {
	if c.Username != "" && c.CredentialsFile != "" {
		l.blameCluster("", newProblem("keep one", "both credentials_file and username are given"), "username", "credentials_file")
	}
	if (c.Username == "") == c.Password.IsSet() {
		l.blameCluster("", newProblem("", "username and password go together"), "username", "password")
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		l.blameCluster("tls", newProblem("", "cert_file and key_file go together"), "cert_file", "key_file")
	}
	web := 0
	for _, server := range c.URLs {
		if strings.HasPrefix(strings.ToLower(server), "ws") {
			web++
		}
	}
	if web > 0 && web < len(c.URLs) {
		l.blameCluster("", newProblem("all with ws:// or wss://, or none", "WebSocket and plain NATS do not mix"), "urls")
	}
}

// blameCluster reports a problem of keys of the cluster, or of a section in it,
// at the last place that gives one of them. Where one of them was refused, that
// has been said, and what stands in for it is no mistake.
func (l *loader) blameCluster(section string, p *problem, keys ...string) {
	path := "cluster"
	if section != "" {
		path = childPath(path, section)
	}
	for _, key := range keys {
		at := childPath(path, key)
		if slices.ContainsFunc(l.errs, func(e *Error) bool { return e.Path == at || e.Path == at+fileSuffix }) {
			return
		}
	}
	for _, key := range keys {
		if variable := l.envVariable("cluster", section, key); variable != "" {
			l.report(Pos{File: variable}, childPath(path, key), p)
			return
		}
	}
	var whole Pos
	for _, root := range slices.Backward(l.roots) {
		n := valueNode(root.node, "cluster")
		if n == nil {
			continue
		}
		whole = root.keyPos("cluster")
		if section != "" {
			n = valueNode(n, section)
		}
		for _, key := range keys {
			if n != nil && keyNode(n, key) != nil {
				l.report(element{node: n, file: root.file}.keyPos(key), childPath(path, key), p)
				return
			}
		}
	}
	l.report(whole, path, p) // the keys were merged in by <<
}
