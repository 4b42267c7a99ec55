package chart

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"go.uber.org/goleak"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// helmPath is the helm of ESAWATCH_HELM, else that in PATH.
func helmPath(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("ESAWATCH_HELM"); path != "" {
		return path
	}
	return stack.LookPath(t, "helm")
}

func chartDir(t testing.TB) string {
	t.Helper()
	return filepath.Join(stack.Root(t), "deploy", "helm", "esawatch")
}

// helm runs it with a home of its own, and returns what it says and its error.
func helm(t testing.TB, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), helmPath(t), args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home, "KUBECONFIG="+filepath.Join(home, "none"))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// render is what the chart comes to as YAML, as the release esawatch in the
// namespace monitoring.
func render(t testing.TB, args ...string) string {
	t.Helper()
	out, errs, err := helm(t, append([]string{"template", "esawatch", chartDir(t), "--namespace", "monitoring"}, args...)...)
	if err != nil {
		t.Fatalf("helm template %q: %v\n%s", args, err, errs)
	}
	return out
}

// objects are what a rendered chart consists of, by kind.
type objects struct {
	serviceAccounts []*corev1.ServiceAccount
	configMaps      []*corev1.ConfigMap
	secrets         []*corev1.Secret
	services        []*corev1.Service
	sets            []*appsv1.StatefulSet
	deployments     []*appsv1.Deployment
	policies        []*networkingv1.NetworkPolicy
	ingresses       []*networkingv1.Ingress
	budgets         []*policyv1.PodDisruptionBudget
	monitors        []*monitoringv1.ServiceMonitor
	rules           []*monitoringv1.PrometheusRule
}

// pods are what the pods are made of: by the StatefulSet of one agent, or by the
// Deployment of several. There is always one of the two.
func (o *objects) pods(t testing.TB) (*corev1.PodTemplateSpec, *metav1.LabelSelector) {
	t.Helper()
	switch {
	case len(o.sets) == 1 && len(o.deployments) == 0:
		return &o.sets[0].Spec.Template, o.sets[0].Spec.Selector
	case len(o.sets) == 0 && len(o.deployments) == 1:
		return &o.deployments[0].Spec.Template, o.deployments[0].Spec.Selector
	}
	t.Fatalf("%d StatefulSets and %d Deployments, want one of them", len(o.sets), len(o.deployments))
	return nil, nil
}

// pod is the specification of each pod.
func (o *objects) pod(t testing.TB) *corev1.PodSpec {
	t.Helper()
	template, _ := o.pods(t)
	return &template.Spec
}

// container is that of the program.
func (o *objects) container(t testing.TB) corev1.Container {
	t.Helper()
	all := o.pod(t).Containers
	if len(all) != 1 {
		t.Fatalf("%d containers, want 1", len(all))
	}
	return all[0]
}

// decode reads every document strictly: a field that its type does not have, or
// has twice, is an error; so is a kind that no chart of ours has.
func decode(t testing.TB, text string) *objects {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme, monitoringv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	o := &objects{}
	documents := utilyaml.NewDocumentDecoder(io.NopCloser(strings.NewReader(text)))
	defer documents.Close()
	buffer := make([]byte, 4<<20)
	for {
		n, err := documents.Read(buffer)
		if errors.Is(err, io.EOF) {
			return o
		}
		if err != nil {
			t.Fatal(err)
		}
		document := buffer[:n]
		if isEmpty(document) {
			continue
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			t.Errorf("%v\nin:\n%s", err, document[:min(n, 3000)])
			continue
		}
		o.add(t, object)
	}
}

// isEmpty tells whether a document has nothing but comments.
func isEmpty(document []byte) bool {
	for line := range bytes.Lines(document) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && string(line) != "---" {
			return false
		}
	}
	return true
}

func (o *objects) add(t testing.TB, object runtime.Object) {
	t.Helper()
	switch v := object.(type) {
	case *corev1.ServiceAccount:
		o.serviceAccounts = append(o.serviceAccounts, v)
	case *corev1.ConfigMap:
		o.configMaps = append(o.configMaps, v)
	case *corev1.Secret:
		o.secrets = append(o.secrets, v)
	case *corev1.Service:
		o.services = append(o.services, v)
	case *appsv1.StatefulSet:
		o.sets = append(o.sets, v)
	case *appsv1.Deployment:
		o.deployments = append(o.deployments, v)
	case *networkingv1.NetworkPolicy:
		o.policies = append(o.policies, v)
	case *networkingv1.Ingress:
		o.ingresses = append(o.ingresses, v)
	case *policyv1.PodDisruptionBudget:
		o.budgets = append(o.budgets, v)
	case *monitoringv1.ServiceMonitor:
		o.monitors = append(o.monitors, v)
	case *monitoringv1.PrometheusRule:
		o.rules = append(o.rules, v)
	default:
		t.Errorf("a chart of esawatch has no %T", v)
	}
}

// valuesFiles are those of the chart that stand for how it is used, by name.
func valuesFiles(t testing.TB) map[string]string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(chartDir(t), "ci", "*.yaml"))
	if err != nil || len(found) < 4 {
		t.Fatalf("%q, %v: want at least four files of values", found, err)
	}
	all := map[string]string{}
	for _, file := range found {
		all[strings.TrimSuffix(filepath.Base(file), ".yaml")] = file
	}
	return all
}

// eachRendering calls test with the chart rendered with its defaults, and with
// each of its files of values.
func eachRendering(t *testing.T, test func(t *testing.T, o *objects)) {
	t.Helper()
	t.Run("defaults", func(t *testing.T) {
		t.Parallel()
		test(t, decode(t, render(t)))
	})
	for name, file := range valuesFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, decode(t, render(t, "--values", file)))
		})
	}
}
