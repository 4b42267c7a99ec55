package chart

import (
	"bytes"
	"errors"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// pod stands for what the kubelet makes of a pod: its files, laid out
// as it does, and the environment and the arguments of the program. All paths
// are below a folder of the test, in what the files say too.
type pod struct {
	t       *testing.T
	root    string
	objects *objects
	args    []string
	env     []string
}

// newPod mounts everything. theirs is what the Secret and the ConfigMap of
// somebody else hold, which the chart only refers to.
func newPod(t *testing.T, o *objects, theirs map[string]string) *pod {
	t.Helper()
	p := &pod{t: t, root: t.TempDir(), objects: o}
	c := o.container(t)
	for _, m := range c.VolumeMounts {
		p.mount(m.Name, p.content(m.Name, theirs))
	}
	for _, a := range c.Args {
		p.args = append(p.args, p.inside(a))
	}
	for _, e := range c.Env {
		value := p.inside(e.Value)
		switch {
		case e.Name == "ESAWATCH_WEB__LISTEN" || e.Name == "ESAWATCH_WEB__HEALTH_LISTEN":
			value = freeAddress(t)
		case e.ValueFrom != nil && e.ValueFrom.FieldRef != nil:
			if e.ValueFrom.FieldRef.FieldPath != "spec.nodeName" {
				t.Errorf("%s is of the field %s", e.Name, e.ValueFrom.FieldRef.FieldPath)
			}
			value = "node-1"
		}
		p.env = append(p.env, e.Name+"="+value)
	}
	return p
}

// inside leads the paths of a text into the folder of the test.
func (p *pod) inside(text string) string {
	if text == "/data" {
		return p.root + text
	}
	return strings.ReplaceAll(text, "/etc/esawatch", p.root+"/etc/esawatch")
}

// content is what a volume holds; nil for the state.
func (p *pod) content(volume string, theirs map[string]string) map[string]string {
	p.t.Helper()
	for _, v := range p.objects.pod(p.t).Volumes {
		if v.Name != volume {
			continue
		}
		all := map[string]string{}
		if v.ConfigMap != nil {
			maps.Copy(all, p.configMap(v.ConfigMap.Name, theirs))
		}
		for name, optional := range secretsOf(v) {
			maps.Copy(all, p.secret(name, optional, theirs))
		}
		return all
	}
	return nil
}

func (p *pod) configMap(name string, theirs map[string]string) map[string]string {
	for _, c := range p.objects.configMaps {
		if c.Name == name {
			return c.Data
		}
	}
	return theirs
}

func (p *pod) secret(name string, optional bool, theirs map[string]string) map[string]string {
	all := map[string]string{}
	i := slices.IndexFunc(p.objects.secrets, func(s *corev1.Secret) bool { return s.Name == name })
	switch {
	case i < 0 && optional:
		return all
	case i < 0:
		return theirs
	}
	for key, value := range p.objects.secrets[i].Data {
		all[key] = string(value)
	}
	return all
}

// mount puts a new generation of files where a volume is mounted, as the kubelet
// does: files of a hidden folder, a link ..data to it that is replaced in one
// step, links to the files through that, and the old folder is removed.
func (p *pod) mount(volume string, files map[string]string) {
	p.t.Helper()
	mounts := p.objects.container(p.t).VolumeMounts
	at := slices.IndexFunc(mounts, func(m corev1.VolumeMount) bool { return m.Name == volume })
	dir := filepath.Join(p.root, mounts[at].MountPath)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	if files == nil {
		return
	}
	old, _ := os.Readlink(filepath.Join(dir, "..data")) // none the first time
	generation, err := os.MkdirTemp(dir, "..2026_11_24_")
	if err != nil {
		p.t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(generation, name), []byte(p.inside(text)), 0o440); err != nil {
			p.t.Fatal(err)
		}
		_ = os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)) // there already, but for the first time
	}
	next := filepath.Join(dir, "..data_tmp")
	if err := errors.Join(os.Symlink(filepath.Base(generation), next), os.Rename(next, filepath.Join(dir, "..data"))); err != nil {
		p.t.Fatal(err)
	}
	if old != "" {
		if err := os.RemoveAll(filepath.Join(dir, old)); err != nil {
			p.t.Fatal(err)
		}
	}
}

// variable is the value of one of the environment.
func (p *pod) variable(name string) string {
	for _, e := range p.env {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// command is the real program with other arguments than the chart's.
func (p *pod) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.t.Context(), stack.Build(p.t), args...)
	cmd.Dir = p.root
	cmd.Env = p.env
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run starts the program as the chart does, until the end of the test.
func (p *pod) run() *said {
	p.t.Helper()
	cmd := p.command(p.args...)
	s := &said{}
	cmd.Stdout, cmd.Stderr = s, s
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	p.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		if p.t.Failed() {
			p.t.Logf("the program said:\n%s", s)
		}
	})
	return s
}

// said is what a process says.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
