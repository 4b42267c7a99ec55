package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the errors found into testdata")

// write makes a file of the test's own and returns its path.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads text with an environment of its own.
func load(t testing.TB, text string, env ...string) (*Config, error) {
	t.Helper()
	return Load([]string{write(t, "config.yaml", text)}, Options{Environ: append([]string{}, env...), Hostname: "host"})
}

func mustLoad(t testing.TB, text string, env ...string) *Config {
	t.Helper()
	c, err := load(t, text, env...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantMark begins the last part of a bad file: the errors it must give.
const wantMark = "# want:\n"

// TestInvalid loads each bad file. What must be said of it stands at its end,
// exactly, without the file's name.
func TestInvalid(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid-*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("got %d bad files (%v), want all of them", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "invalid-"), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Load([]string{file}, Options{Environ: []string{"SET=value"}, Hostname: "host"})
			if err == nil {
				t.Fatal("it loads")
			}
			var got strings.Builder
			for line := range strings.Lines(err.Error() + "\n") {
				line = strings.ReplaceAll(line, file+":", "")
				line = strings.ReplaceAll(line, filepath.Dir(file)+"/", "")
				got.WriteString("#   " + strings.TrimPrefix(line, " "))
			}
			text, want, _ := strings.Cut(string(data), wantMark)
			if *update {
				if err := os.WriteFile(file, []byte(text+wantMark+got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got.String() != want {
				t.Errorf("got\n%swant\n%s", got.String(), want)
			}
		})
	}
}
