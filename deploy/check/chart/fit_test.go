package chart

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// TestObjectsFitEachOther holds what decoding cannot: that what refers to
// something finds it.
func TestObjectsFitEachOther(t *testing.T) {
	t.Parallel()
	eachRendering(t, func(t *testing.T, o *objects) {
		checkNames(t, o)
		checkSelectors(t, o)
		checkPorts(t, o)
		checkVolumes(t, o)
		checkAccount(t, o)
	})
}

// checkNames holds that names and labels are ones that Kubernetes takes, that no
// two objects of a kind have the same name, and that each says its namespace.
func checkNames(t *testing.T, o *objects) {
	t.Helper()
	seen := map[string]bool{}
	check := func(kind string, meta metav1.ObjectMeta) {
		name := kind + " " + meta.Name
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
		if problems := validation.IsDNS1123Subdomain(meta.Name); len(problems) > 0 {
			t.Errorf("%s: %q", name, problems)
		}
		if meta.Namespace != "monitoring" {
			t.Errorf("%s is in the namespace %q", name, meta.Namespace)
		}
		checkLabels(t, name, meta.Labels)
		for _, key := range []string{"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version", "helm.sh/chart"} {
			if meta.Labels[key] == "" {
				t.Errorf("%s has no label %s", name, key)
			}
		}
		for key := range meta.Annotations {
			if problems := validation.IsQualifiedName(key); len(problems) > 0 {
				t.Errorf("%s: annotation %s: %q", name, key, problems)
			}
		}
	}
	for _, v := range o.serviceAccounts {
		check("ServiceAccount", v.ObjectMeta)
	}
	for _, v := range o.configMaps {
		check("ConfigMap", v.ObjectMeta)
	}
	for _, v := range o.secrets {
		check("Secret", v.ObjectMeta)
	}
	for _, v := range o.services {
		check("Service", v.ObjectMeta)
	}
	for _, v := range o.sets {
		check("StatefulSet", v.ObjectMeta)
	}
	for _, v := range o.deployments {
		check("Deployment", v.ObjectMeta)
	}
	template, _ := o.pods(t)
	checkLabels(t, "the pod", template.Labels)
	for _, v := range o.policies {
		check("NetworkPolicy", v.ObjectMeta)
	}
	for _, v := range o.ingresses {
		check("Ingress", v.ObjectMeta)
	}
	for _, v := range o.budgets {
		check("PodDisruptionBudget", v.ObjectMeta)
	}
	for _, v := range o.monitors {
		check("ServiceMonitor", v.ObjectMeta)
	}
	for _, v := range o.rules {
		check("PrometheusRule", v.ObjectMeta)
	}
}

func checkLabels(t *testing.T, name string, all map[string]string) {
	t.Helper()
	for key, value := range all {
		if problems := slices.Concat(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)); len(problems) > 0 {
			t.Errorf("%s: label %s=%s: %q", name, key, value, problems)
		}
	}
}

// checkSelectors holds that everything selects the pods and nothing of another
// release.
func checkSelectors(t *testing.T, o *objects) {
	t.Helper()
	template, own := o.pods(t)
	pod := labels.Set(template.Labels)
	other := maps.Clone(pod)
	other["app.kubernetes.io/instance"] = "another"
	selects := func(what string, s *metav1.LabelSelector) {
		selector, err := metav1.LabelSelectorAsSelector(s)
		if err != nil {
			t.Fatal(err)
		}
		if selector.Empty() || !selector.Matches(pod) || selector.Matches(other) {
			t.Errorf("%s selects by %s; the pods have %s", what, selector, pod)
		}
	}
	selects("what makes the pods", own)
	for _, v := range template.Spec.TopologySpreadConstraints {
		if v.MatchLabelKeys != nil {
			selects("what spreads them", v.LabelSelector)
		}
	}
	for _, v := range o.budgets {
		selects("the PodDisruptionBudget", v.Spec.Selector)
	}
	for _, v := range o.policies {
		selects("the NetworkPolicy", &v.Spec.PodSelector)
	}
	if len(o.services) != 1 {
		t.Fatalf("%d services", len(o.services))
	}
	service := o.services[0]
	selects("the Service", &metav1.LabelSelector{MatchLabels: service.Spec.Selector})
	for _, v := range o.sets {
		if v.Spec.ServiceName != service.Name {
			t.Errorf("the StatefulSet is of the service %q, want %q", v.Spec.ServiceName, service.Name)
		}
	}
	for _, v := range o.monitors {
		selector, err := metav1.LabelSelectorAsSelector(&v.Spec.Selector)
		if err != nil || !selector.Matches(labels.Set(service.Labels)) {
			t.Errorf("the ServiceMonitor selects by %s, the service has %v (%v)", selector, service.Labels, err)
		}
		// The rules of deploy/prometheus look for jobs of this name.
		if job := service.Labels[v.Spec.JobLabel]; !strings.Contains(job, "esawatch") {
			t.Errorf("the job is called %q", job)
		}
	}
}

// checkPorts holds that each port that something names is one that the program
// is told to listen on.
func checkPorts(t *testing.T, o *objects) {
	t.Helper()
	container := o.container(t)
	ports := map[string]int32{}
	for _, p := range container.Ports {
		ports[p.Name] = p.ContainerPort
	}
	if diff := cmp.Diff(map[string]int32{"http": 9522, "health": 9523}, ports); diff != "" {
		t.Errorf("the container's ports:\n%s", diff)
	}
	env := environment(container)
	if env["ESAWATCH_WEB__LISTEN"] != ":9522" || env["ESAWATCH_WEB__HEALTH_LISTEN"] != ":9523" {
		t.Errorf("the program listens on %q and, for probes, on %q", env["ESAWATCH_WEB__LISTEN"], env["ESAWATCH_WEB__HEALTH_LISTEN"])
	}
	for path, probe := range map[string]*corev1.Probe{"/-/healthy": container.LivenessProbe, "/-/healthy ": container.StartupProbe, "/-/ready": container.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Port.StrVal != "health" || probe.HTTPGet.Path != strings.TrimSpace(path) {
			t.Errorf("the probe of %s is %+v", path, probe)
		}
	}
	for _, p := range o.services[0].Spec.Ports {
		if ports[p.TargetPort.StrVal] == 0 {
			t.Errorf("the service leads to %q", p.TargetPort.StrVal)
		}
	}
	isServed := func(name string) bool {
		return slices.ContainsFunc(o.services[0].Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == name })
	}
	for _, v := range o.monitors {
		for _, e := range v.Spec.Endpoints {
			if !isServed(e.Port) || e.Path != "/metrics" {
				t.Errorf("the ServiceMonitor asks %q for %s", e.Port, e.Path)
			}
		}
	}
	for _, v := range o.ingresses {
		for _, r := range v.Spec.Rules {
			for _, p := range r.HTTP.Paths {
				if to := p.Backend.Service; to.Name != o.services[0].Name || !isServed(to.Port.Name) {
					t.Errorf("the Ingress leads to %+v", to)
				}
			}
		}
	}
	for _, v := range o.policies {
		var open []string
		for _, rule := range v.Spec.Ingress {
			for _, p := range rule.Ports {
				open = append(open, p.Port.StrVal)
			}
		}
		if !slices.Equal(open, []string{"http", "health"}) {
			t.Errorf("the NetworkPolicy lets in %q", open)
		}
	}
}

// environment is what the container sets by value.
func environment(c corev1.Container) map[string]string {
	all := map[string]string{}
	for _, e := range c.Env {
		all[e.Name] = e.Value
	}
	return all
}

// checkVolumes holds that each mount has its volume and each volume its source,
// that the state is on /data, and that what changes is mounted so that it can.
func checkVolumes(t *testing.T, o *objects) {
	t.Helper()
	volumes := map[string]bool{}
	for _, v := range o.pod(t).Volumes {
		volumes[v.Name] = true
		for name, optional := range secretsOf(v) {
			if !optional && name != "theirs" && !slices.ContainsFunc(o.secrets, func(s *corev1.Secret) bool { return s.Name == name }) {
				t.Errorf("the volume %s is of a Secret %q that is not there", v.Name, name)
			}
		}
		if v.ConfigMap != nil && v.ConfigMap.Name != "theirs" && !slices.ContainsFunc(o.configMaps, func(c *corev1.ConfigMap) bool { return c.Name == v.ConfigMap.Name }) {
			t.Errorf("the volume %s is of a ConfigMap %q that is not there", v.Name, v.ConfigMap.Name)
		}
	}
	for _, set := range o.sets {
		for _, c := range set.Spec.VolumeClaimTemplates {
			if volumes[c.Name] {
				t.Errorf("the volume %s is there twice", c.Name)
			}
			volumes[c.Name] = true
		}
	}
	paths := map[string]string{}
	for _, m := range o.container(t).VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("a mount of %s, which is no volume", m.Name)
		}
		delete(volumes, m.Name)
		if m.SubPath != "" || m.SubPathExpr != "" {
			t.Errorf("%s is mounted with subPath: a change would never arrive", m.MountPath)
		}
		if m.ReadOnly == (m.Name == "data") {
			t.Errorf("%s: read only is %v", m.MountPath, m.ReadOnly)
		}
		paths[m.MountPath] = m.Name
	}
	for name := range volumes {
		t.Errorf("the volume %s is not mounted", name)
	}
	env := environment(o.container(t))
	if paths[env["ESAWATCH_AGENT__DATA_DIR"]] != "data" {
		t.Errorf("the state is in %q, not in the volume: %v", env["ESAWATCH_AGENT__DATA_DIR"], paths)
	}
	if paths["/etc/esawatch/config"] != "config" || !slices.Contains(o.container(t).Args, "--config=/etc/esawatch/config/config.yaml") {
		t.Errorf("the configuration is mounted as %v, the program is told %q", paths, o.container(t).Args)
	}
}

// secretsOf are the Secrets that a volume is made of, by name, and whether each
// may be missing.
func secretsOf(v corev1.Volume) map[string]bool {
	all := map[string]bool{}
	if v.Secret != nil {
		all[v.Secret.SecretName] = v.Secret.Optional != nil && *v.Secret.Optional
	}
	if v.Projected != nil {
		for _, s := range v.Projected.Sources {
			all[s.Secret.Name] = s.Secret.Optional != nil && *s.Secret.Optional
		}
	}
	return all
}

// checkAccount holds that the pod runs as an account which is there and has no
// token of it.
func checkAccount(t *testing.T, o *objects) {
	t.Helper()
	pod := o.pod(t)
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("the pod gets a token")
	}
	for _, a := range o.serviceAccounts {
		if a.Name != pod.ServiceAccountName || a.AutomountServiceAccountToken == nil || *a.AutomountServiceAccountToken {
			t.Errorf("the account %s, token %v; the pod runs as %s", a.Name, a.AutomountServiceAccountToken, pod.ServiceAccountName)
		}
	}
	if pod.ServiceAccountName == "" || len(o.serviceAccounts) == 0 && pod.ServiceAccountName != "theirs" {
		t.Errorf("the pod runs as %q, of %d accounts", pod.ServiceAccountName, len(o.serviceAccounts))
	}
}
