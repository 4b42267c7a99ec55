package chart

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// TestRestricted holds each control of the Pod Security Standard "restricted",
// and that nothing but the volume can be written to.
func TestRestricted(t *testing.T) {
	t.Parallel()
	eachRendering(t, func(t *testing.T, o *objects) {
		spec := o.pod(t)
		if spec.HostNetwork || spec.HostPID || spec.HostIPC || len(spec.InitContainers) > 0 {
			t.Error("the pod uses its host, or has other containers")
		}
		for _, v := range spec.Volumes {
			s := v.VolumeSource
			if s.ConfigMap == nil && s.Secret == nil && s.Projected == nil && s.EmptyDir == nil {
				t.Errorf("the volume %s is of a kind that is not allowed", v.Name)
			}
		}
		pod := spec.SecurityContext
		if pod == nil || pod.RunAsNonRoot == nil || !*pod.RunAsNonRoot || pod.RunAsUser == nil || *pod.RunAsUser != 65532 || pod.FSGroup == nil || *pod.FSGroup != 65532 {
			t.Fatalf("the pod's securityContext: %+v", pod)
		}
		if pod.SeccompProfile == nil || pod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || len(pod.Sysctls) > 0 || pod.SELinuxOptions != nil || pod.AppArmorProfile != nil {
			t.Errorf("the pod's securityContext: %+v", pod)
		}
		no, yes := false, true
		want := &corev1.SecurityContext{AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
		container := o.container(t)
		if diff := cmp.Diff(want, container.SecurityContext); diff != "" {
			t.Errorf("the container's securityContext:\n%s", diff)
		}
		for _, p := range container.Ports {
			if p.HostPort != 0 {
				t.Errorf("the port %s is the host's", p.Name)
			}
		}
		if container.Resources.Limits.Memory().IsZero() || container.Resources.Requests.Cpu().IsZero() {
			t.Errorf("resources %+v", container.Resources)
		}
	})
}
