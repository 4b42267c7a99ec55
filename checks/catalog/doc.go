// Package catalog knows what each condition means: what broke, where, whose it
// is and what to do first. It knows no network and no clock.
//
// The words are in the embedded YAML files, each text in English and Chinese
// side by side: esa.yaml has the status codes that ESA documents,
// transport.yaml and content.yaml the named conditions, fallback.yaml what
// stands in for all other codes, verdicts.yaml what an edge and an origin mean
// together, evidence.yaml what the edge's own word changes, words.yaml the
// terms they share. A sentence may name a fact of the run, such as {host}; one between
// backticks stands in a command and is made safe to paste.
package catalog
