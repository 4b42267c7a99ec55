package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWithoutSites(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("agent: {location: fra-1}\nsites: [{name: shop, url: 'https://shop.example.com'}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole, err := Load([]string{file}, Options{Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	rest := whole.WithoutSites()
	if len(whole.Sites) != 1 || whole.Where("sites[shop].url").Line != 2 {
		t.Error("the whole has lost something")
	}
	if len(rest.Sites) != 0 || rest.Agent.Location != "fra-1" || rest.Hash != whole.Hash {
		t.Errorf("the rest is %+v", rest)
	}
	if at := rest.Where("sites[shop].url"); at != (Pos{}) {
		t.Errorf("without its text a path is at %v", at)
	}
}
