package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMistakesAreRefused holds that each mistake ends helm template, with words
// that name it. JSON Schema's own words are of one kind; those of the chart say
// what to do.
func TestMistakesAreRefused(t *testing.T) {
	t.Parallel()
	helmPath(t) // skips all of it, not each
	for name, c := range map[string]struct{ values, want string }{
		"a key that is none":             {"replica: 1", "'replica' not allowed"},
		"several that know nothing":      {"replicas: 2", "replicas: got 2, want 1 without cluster.urls"},
		"a key inside":                   {"persistence: {enable: true}", "'enable' not allowed"},
		"text for a number":              {"replicas: two", "at '/replicas': got string, want integer"},
		"less than none":                 {"replicas: -1", "/replicas"},
		"text for yes and no":            {`persistence: {enabled: "true"}`, "at '/persistence/enabled': got string, want boolean"},
		"a size that is none":            {"persistence: {size: 1 GB}", "/persistence/size"},
		"a mode that is none":            {"persistence: {accessModes: [ReadWriteTwice]}", "/persistence/accessModes/0"},
		"a port out of range":            {"service: {port: 70000}", "/service/port"},
		"a type that is none":            {"service: {type: Clusterip}", "/service/type"},
		"a digest that is none":          {"image: {digest: latest}", "/image/digest"},
		"a tag in the repository":        {"image: {repository: 'esawatch:1.2.3@sha256'}", "/image/repository"},
		"a pull policy":                  {"image: {pullPolicy: always}", "/image/pullPolicy"},
		"a number for a label":           {"podLabels: {tier: 1}", "/podLabels/tier"},
		"a number for an annotation":     {"podAnnotations: {tier: 1}", "/podAnnotations/tier"},
		"a secret that is no text":       {"secrets: {token: {file: x}}", "/secrets/token"},
		"a secret that is empty":         {`secrets: {token: ""}`, "/secrets/token"},
		"a name that is no file's":       {"secrets: {a/b: x}", "'a/b' does not match pattern"},
		"a password that is not hashed":  {"webConfig: {basic_auth_users: {admin: secret}}", "/webConfig/basic_auth_users/admin"},
		"a web configuration's key":      {"webConfig: {basic_auth: {}}", "'basic_auth' not allowed"},
		"a location with a space":        {"location: {value: 'Frankfurt 1'}", "/location/value"},
		"a path for an ingress":          {"ingress: {enabled: true, host: a.example.com, path: status}", "/ingress/path"},
		"an environment with no name":    {"extraEnv: [{value: x}]", "missing property 'name'"},
		"a number in the environment":    {"extraEnv: [{name: A, value: 1}]", "/extraEnv/0/value"},
		"an argument that is no flag":    {"extraArgs: [check]", "/extraArgs/0"},
		"a toleration's effect":          {"tolerations: [{effect: noschedule}]", "/tolerations/0/effect"},
		"a rule file that is none":       {"prometheusRule: {enabled: true, files: [site]}", "/prometheusRule/files/0"},
		"an interval that is none":       {"serviceMonitor: {interval: 30}", "/serviceMonitor/interval"},
		"what the ServiceMonitor has":    {"serviceMonitor: {endpoint: {port: web}}", "/serviceMonitor/endpoint/port"},
		"a network":                      {"networkPolicy: {egress: {except: [169.254.169.254]}}", "/networkPolicy/egress/except/0"},
		"a network's size":               {"networkPolicy: {egress: {except: [10.0.0.0/99]}}", "/networkPolicy/egress/except/0"},
		"what a spread does":             {"topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: Maybe}]", "/topologySpreadConstraints/0/whenUnsatisfiable"},
		"a share":                        {"podDisruptionBudget: {maxUnavailable: half}", "/podDisruptionBudget/maxUnavailable"},
		"a name in upper case":           {"fullnameOverride: ESAwatch", "/fullnameOverride"},
		"the configuration as text":      {"config: 'sites: []'", "/config"},
		"the configuration's key":        {"config: {site: []}", "'site' not allowed"},
		"the configuration's inner key":  {"config: {sites: [{name: shop, url: https://a.example.com, check: []}]}", "'check' not allowed"},
		"the configuration's deep key":   {"config: {sites: [{name: shop, url: https://a.example.com, checks: [{name: home, path: /, expect: {statuses: [200]}}]}]}", "'statuses' not allowed"},
		"the configuration's type":       {"config: {agent: {max_concurrent_checks: many}}", "/config/agent/max_concurrent_checks"},
		"a receiver with no kind's name": {"config: {receivers: [{name: oncall, slak: {}}]}", "'slak' not allowed"},

		"a cluster's key":               {"cluster: {url: nats://a:4222}", "'url' not allowed"},
		"a cluster's address":           {"cluster: {urls: [http://a:4222]}", "/cluster/urls/0"},
		"a cluster's secret in sight":   {"cluster: {urls: [nats://a:4222], username: u, password: secret}", "'password' not allowed"},
		"a cluster's file elsewhere":    {"cluster: {urls: [nats://a:4222], credentials_file: /tmp/user.creds}", "/cluster/credentials_file"},
		"a cluster's quorum":            {"cluster: {urls: [nats://a:4222], quorum: most}", "/cluster/quorum"},
		"a cluster's replicas":          {"cluster: {urls: [nats://a:4222], replicas: 6}", "/cluster/replicas"},
		"a cluster's bucket":            {"cluster: {urls: [nats://a:4222], bucket: a.b}", "/cluster/bucket"},
		"a cluster's period":            {"cluster: {urls: [nats://a:4222], alone_after: 60}", "/cluster/alone_after"},
		"a cluster in config":           {"config: {cluster: {urls: [nats://a:4222]}}", "config.cluster: give it as cluster"},
		"a cluster without servers":     {"cluster: {username: u, password_file: /etc/esawatch/nats/p}", "cluster.urls: the servers of NATS"},
		"a cluster nowhere":             {"{cluster: {urls: [nats://a:4222]}, replicas: 2}", "location.value: cluster.urls wants it set"},
		"a cluster in many places":      {"{cluster: {urls: [nats://a:4222]}, location: {fromNode: true}}", "location.fromNode and cluster.urls"},
		"a cluster's user alone":        {"{cluster: {urls: [nats://a:4222], username: u}, location: {value: fra-1}}", "cluster.username and cluster.password_file go together"},
		"a cluster's Secret":            {"{cluster: {urls: [nats://a:4222], credentials_file: /etc/esawatch/nats/user.creds}, location: {value: fra-1}}", "cluster.existingSecret: the Secret that has user.creds (credentials_file)"},
		"the chart's folder":            {"config: {agent: {data_dir: /var/lib}}", "config.agent.data_dir is set by the chart"},
		"the chart's address":           {`config: {web: {listen: ":80"}}`, "config.web.listen is set by the chart"},
		"the chart's address of probes": {`config: {web: {health_listen: ":80"}}`, "config.web.health_listen is set by the chart"},
		"two web configurations":        {"{webConfig: {rate_limit: {}}, config: {web: {config_file: x}}}", "webConfig and config.web.config_file: give one of the two"},
		"two configurations":            {"{existingConfigMap: mine, config: {sites: []}}", "config and existingConfigMap: give one of the two"},
		"two sites of a name":           {"config: {sites: [{name: shop, url: https://a.example.com}, {name: shop, url: https://b.example.com}]}", `config.sites: the name "shop" is given twice`},
		"two locations":                 {"location: {value: fra-1, fromNode: true}", "location.value and location.fromNode: give one of the two"},
		"two locations in two places":   {"{location: {value: fra-1}, config: {agent: {location: fra-2}}}", "location and config.agent.location: give one of the two"},
		"an ingress for nobody":         {"ingress: {enabled: true}", "ingress.host: the name"},
		"no time to end":                {"{config: {agent: {shutdown_timeout: 60s}}}", "terminationGracePeriodSeconds: got 45, want more than config.agent.shutdown_timeout (60s)"},
		"no time to end in minutes":     {"{config: {agent: {shutdown_timeout: 2m}}}", "terminationGracePeriodSeconds: got 45, want more than config.agent.shutdown_timeout (2m)"},
		"no time to end by default":     {"terminationGracePeriodSeconds: 20", "terminationGracePeriodSeconds: got 20, want more than config.agent.shutdown_timeout (20s)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "values.yaml")
			if err := os.WriteFile(file, []byte(c.values), 0o600); err != nil {
				t.Fatal(err)
			}
			out, errs, err := helm(t, "template", "esawatch", chartDir(t), "--values", file)
			if err == nil {
				t.Fatalf("%s is taken:\n%s", c.values, out[:min(len(out), 500)])
			}
			if !strings.Contains(errs, c.want) {
				t.Errorf("%s\nsays\n%s\nwithout %q", c.values, errs, c.want)
			}
		})
	}
}

// TestLint has Helm look for what it dislikes, with each file of values.
func TestLint(t *testing.T) {
	t.Parallel()
	for name, file := range valuesFiles(t) {
		out, errs, err := helm(t, "lint", "--strict", chartDir(t), "--values", file)
		if err != nil || strings.Contains(out, "[WARNING]") {
			t.Errorf("%s: %v\n%s%s", name, err, out, errs)
		}
	}
}
