package config

import (
	"net/url"
	"regexp"
	"strconv"
	"time"
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

// checkNATS wants the address of a NATS server, with no secret in it.
func checkNATS(v string) *problem {
	const form = "nats://HOST:PORT or tls://HOST:PORT"
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return newProblem(form, "%s is not the address of a NATS server", quote(redactURL(v)))
	}
	switch u.Scheme {
	case "nats", "tls", "ws", "wss":
	default:
		return newProblem(form, "%s is not the address of a NATS server: its scheme is %s", quote(redactURL(v)), quote(u.Scheme))
	}
	if u.User != nil {
		return newProblem("they go into cluster.username and cluster.password, where they stay secret", "%s holds a user name or password", quote(redactURL(v)))
	}
	return nil
}
