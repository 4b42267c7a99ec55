// Package chart has no code, only the tests of the Helm chart in deploy/helm and
// of the manifests in deploy/kubernetes: that every object decodes strictly into
// its type and fits the others, that values which are mistaken are refused, and
// that the real program takes the configuration, and its changes, as the chart
// mounts them.
package chart
