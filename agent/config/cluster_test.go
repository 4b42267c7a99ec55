package config

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestQuorumNumber(t *testing.T) {
	for q, want := range map[Quorum]int{"2": 2, "1": 1, "9999": 9999, "majority": 0, "all": 0, "": 0} {
		if got := q.Number(); got != want {
			t.Errorf("%q: got %d, want %d", q, got, want)
		}
	}
}

// TestQuorumsOfChecks: the check has the last word, and "" is the cluster's.
func TestQuorumsOfChecks(t *testing.T) {
	c := mustLoad(t, `
defaults: {quorum: all}
cluster: {urls: [nats://nats-0.example.com:4222], quorum: 2}
sites:
  - {name: a, url: https://a.example.com}
  - name: b
    url: https://b.example.com
    quorum: 3
    checks: [{name: own, quorum: "1"}, {name: site}, {name: none, quorum: ""}]
`)
	if !c.Cluster.Enabled() || c.Cluster.Quorum != "2" {
		t.Errorf("cluster: got %+v", c.Cluster)
	}
	got := map[string]Quorum{}
	for _, s := range c.Sites {
		for _, check := range s.Checks {
			got[check.FullName()] = check.Quorum
		}
	}
	if want := map[string]Quorum{"a/home": "all", "b/own": "1", "b/site": "3", "b/none": ""}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestClusterIsOffByDefault(t *testing.T) {
	c := mustLoad(t, smallest)
	want := Cluster{Bucket: "esawatch", Replicas: 3, Quorum: QuorumMajority, StaleAfter: 3, AloneAfter: time.Minute}
	if c.Cluster.Enabled() || c.Sites[0].Checks[0].Quorum != "" {
		t.Errorf("got %+v", c.Cluster)
	}
	if c.Cluster.URLs = nil; c.Cluster.Bucket != want.Bucket || c.Cluster.Replicas != want.Replicas || c.Cluster.Quorum != want.Quorum ||
		c.Cluster.StaleAfter != want.StaleAfter || c.Cluster.AloneAfter != want.AloneAfter || c.Cluster.Region != "" || c.Cluster.Password.IsSet() {
		t.Errorf("got %+v, want %+v", c.Cluster, want)
	}
}

// TestClusterInLayers: what goes together may come from several places, and is
// judged when all have been read.
func TestClusterInLayers(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"nats.pem", "nats.key", "nats.creds"} {
		put(t, dir, name, "x")
	}
	put(t, dir, "1.yaml", smallest+"\ncluster: {urls: [tls://nats-0.example.com:4222], username: me, tls: {cert_file: nats.pem}}\n")
	put(t, dir, "2.yaml", "cluster: {tls: {key_file: nats.key}}\n")
	put(t, dir, "3.yaml", "cluster: {credentials_file: nats.creds}\n")
	put(t, dir, "4.yaml", "cluster: {username: \"\"}\n")
	read := func(files string, env ...string) (*Config, error) {
		var paths []string
		for _, n := range files {
			paths = append(paths, path(string(n)+".yaml"))
		}
		return Load(paths, Options{Environ: append([]string{}, env...), Hostname: "host"})
	}
	const password = "ESAWATCH_CLUSTER__PASSWORD=hunter2"
	c, err := read("12", password)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := c.Cluster.Password.Get(); v != "hunter2" || err != nil || c.Cluster.Username != "me" ||
		c.Cluster.TLS.CertFile != path("nats.pem") || c.Cluster.TLS.KeyFile != path("nats.key") {
		t.Errorf("got %+v, %v", c.Cluster, err)
	}
	if c, err := read("1234"); err != nil || c.Cluster.CredentialsFile != path("nats.creds") {
		t.Errorf("a user that is taken back: got %v", err)
	}
	for _, tt := range []struct {
		files, want string
		env         []string
	}{
		{"12", "1.yaml:2: cluster.username: username and password go together", nil},
		{"1", "1.yaml:2: cluster.tls.cert_file: cert_file and key_file go together", []string{password}},
		{"123", "3.yaml:1: cluster.credentials_file: both credentials_file and username are given (keep one)", []string{password}},
		{"1234", "ESAWATCH_CLUSTER__PASSWORD: cluster.password: username and password go together", []string{password}},
		{"12", "ESAWATCH_CLUSTER__USERNAME: cluster.username: username and password go together", []string{password, "ESAWATCH_CLUSTER__USERNAME="}},
	} {
		_, err := read(tt.files, tt.env...)
		if err == nil || strings.ReplaceAll(err.Error(), dir+"/", "") != tt.want {
			t.Errorf("%s %v:\ngot  %v\nwant %s", tt.files, tt.env, err, tt.want)
		}
	}
}

// TestClusterFilesAreWatched: the connection reads them anew each time, so none
// of them needs the configuration to be loaded again.
func TestClusterFilesAreWatched(t *testing.T) {
	dir := t.TempDir()
	want := map[string]bool{"c.yaml": false}
	for _, name := range []string{"nats.creds", "nats-password", "ca.pem", "nats.pem", "nats.key"} {
		put(t, dir, name, "x")
		want[name] = true
	}
	put(t, dir, "c.yaml", smallest+`
cluster:
  password_file: nats-password
  username: me
  tls: {ca_file: ca.pem, cert_file: nats.pem, key_file: nats.key}
`)
	delete(want, "nats.creds")
	if got := seenBy(t, dir, "c.yaml"); !maps.Equal(got, want) {
		t.Errorf("seen %v, want %v", got, want)
	}
	put(t, dir, "c.yaml", smallest+"\ncluster: {credentials_file: nats.creds}\n")
	if got, want := seenBy(t, dir, "c.yaml"), map[string]bool{"c.yaml": false, "nats.creds": true}; !maps.Equal(got, want) {
		t.Errorf("seen %v, want %v", got, want)
	}
}
