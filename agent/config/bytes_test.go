package config

import (
	"strings"
	"testing"
)

func TestVariableThatIsNoText(t *testing.T) {
	file := write(t, "config.yaml", "sites: [{name: shop, url: https://shop.example.com, labels: {team: \"${TEAM}\"}}]\n")
	_, err := Load([]string{file}, Options{Environ: []string{"TEAM=\xff"}})
	if err == nil || !strings.Contains(err.Error(), "the environment variable TEAM is not text") {
		t.Errorf("error %v, want one that names TEAM", err)
	}
}
