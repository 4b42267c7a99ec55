package chart

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// rendered is the chart with values of the test.
func rendered(t *testing.T, values string) *objects {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	return decode(t, render(t, "--values", file))
}

// TestCluster holds what makes several agents of a release: pods of which each is
// as good as another, that are replaced one by one and spread.
func TestCluster(t *testing.T) {
	t.Parallel()
	o := decode(t, render(t, "--values", valuesFiles(t)["cluster"]))
	if len(o.deployments) != 1 {
		t.Fatalf("%d Deployments", len(o.deployments))
	}
	d := o.deployments[0]
	if d.Spec.Replicas == nil || *d.Spec.Replicas != 3 {
		t.Errorf("replicas %v, want 3", d.Spec.Replicas)
	}
	rolling := d.Spec.Strategy.RollingUpdate
	if d.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType || rolling == nil || rolling.MaxUnavailable.IntValue() != 0 || rolling.MaxSurge.IntValue() != 1 {
		t.Errorf("the strategy is %+v", d.Spec.Strategy)
	}
	pod := o.pod(t)
	for _, v := range pod.Volumes {
		if (v.Name == "data") != (v.EmptyDir != nil) || v.PersistentVolumeClaim != nil {
			t.Errorf("the volume %s is of %+v", v.Name, v.VolumeSource)
		}
	}
	var spread []string
	for _, c := range pod.TopologySpreadConstraints {
		if c.WhenUnsatisfiable != corev1.ScheduleAnyway {
			t.Errorf("a pod waits for a %s that there may not be", c.TopologyKey)
		}
		spread = append(spread, c.TopologyKey)
	}
	if !slices.Equal(spread, []string{"kubernetes.io/hostname", "topology.kubernetes.io/zone"}) {
		t.Errorf("the pods are spread over %q", spread)
	}
	budget := o.budgets[0].Spec
	if budget.MinAvailable != nil || budget.MaxUnavailable.IntValue() != 1 {
		t.Errorf("of three, %v may be taken away", budget.MaxUnavailable)
	}
	env := environment(o.container(t))
	if env["ESAWATCH_AGENT__LOCATION"] != "fra-1" {
		t.Errorf("the pods are at %q, want them to be of one location", env["ESAWATCH_AGENT__LOCATION"])
	}
	var open []int
	for _, rule := range o.policies[0].Spec.Egress {
		for _, p := range rule.Ports {
			open = append(open, p.Port.IntValue())
		}
	}
	if !slices.Equal(open, []int{53, 53, 80, 443, 443, 4222, 6222}) {
		t.Errorf("the NetworkPolicy lets out to %d", open)
	}
}

// TestClusterSection holds that the section of the configuration says what the
// values do, and nothing that they leave open.
func TestClusterSection(t *testing.T) {
	t.Parallel()
	section := func(o *objects) map[string]any {
		at := slices.IndexFunc(o.configMaps, func(c *corev1.ConfigMap) bool { return c.Data["cluster.yaml"] != "" })
		if at < 0 {
			t.Fatal("no ConfigMap has a cluster.yaml")
		}
		return tree(t, o.configMaps[at].Data["cluster.yaml"])["cluster"].(map[string]any)
	}
	text, err := os.ReadFile(valuesFiles(t)["cluster"])
	if err != nil {
		t.Fatal(err)
	}
	want := tree(t, string(text))["cluster"].(map[string]any)
	delete(want, "existingSecret")
	if diff := cmp.Diff(want, section(decode(t, render(t, "--values", valuesFiles(t)["cluster"])))); diff != "" {
		t.Errorf("- the values, + the ConfigMap:\n%s", diff)
	}

	// The configuration may be somebody else's.
	o := rendered(t, "{existingConfigMap: theirs, location: {value: fra-1}, cluster: {urls: ['nats://nats:4222']}}")
	want = map[string]any{"urls": []any{"nats://nats:4222"}, "bucket": "esawatch", "replicas": 3.0, "quorum": "majority", "stale_after": 3.0, "alone_after": "1m"}
	var got map[string]any
	plain, err := yaml.Marshal(section(o))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(plain, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("- wanted, + the ConfigMap:\n%s", diff)
	}
	if args := o.container(t).Args; !slices.Contains(args, "--config=/etc/esawatch/config/config.yaml") || !slices.Contains(args, "--config=/etc/esawatch/cluster/cluster.yaml") {
		t.Errorf("the program is told %q", args)
	}
}

// TestClusterChanges holds that how agents find each other, which is settled at
// their start, makes new pods of them, and that other settings do not.
func TestClusterChanges(t *testing.T) {
	t.Parallel()
	const base = "{location: {value: fra-1}, cluster: {urls: ['nats://%s:4222']}, config: {log: {level: %s}}}"
	annotations := func(host, level string) map[string]string {
		template, _ := rendered(t, strings.NewReplacer("nats://%s", "nats://"+host, "level: %s", "level: "+level).Replace(base)).pods(t)
		return template.Annotations
	}
	before := annotations("one", "info")
	if diff := cmp.Diff(before, annotations("one", "debug")); diff != "" {
		t.Errorf("another log level makes new pods:\n%s", diff)
	}
	if diff := cmp.Diff(before, annotations("two", "info")); diff == "" {
		t.Errorf("another server of NATS makes no new pods: %v", before)
	}
}

// TestNATSPorts holds where the NetworkPolicy finds NATS.
func TestNATSPorts(t *testing.T) {
	t.Parallel()
	for urls, want := range map[string][]int{
		"'nats://a'": {4222}, "'tls://a/'": {4222}, "'nats://a:4333/', 'nats://b:4333'": {4333},
		"'nats://[2001:db8::1]'": {4222}, "'nats://[2001:db8::1]:4444'": {4444}, "'ws://a'": {80}, "'wss://a'": {443}, "'wss://a:8443'": {8443},
	} {
		o := rendered(t, "{location: {value: fra-1}, networkPolicy: {enabled: true, egress: {ports: []}}, cluster: {urls: ["+urls+"]}}")
		var got []int
		for _, rule := range o.policies[0].Spec.Egress[1:] {
			for _, p := range rule.Ports {
				got = append(got, p.Port.IntValue())
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the NetworkPolicy lets out to %d, want %d", urls, got, want)
		}
	}
}
