package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	hidden        = "<secret>"
	maxSecretFile = 64 << 10 // bytes; a secret is short, /dev/zero is not

	// timestampGrain is the coarsest step of a file system's timestamps (FAT's).
	timestampGrain = 2 * time.Second
)

var (
	errEmptySecret = errors.New("is empty")
	errLargeSecret = errors.New("is larger than 64 KiB")
	errBadSecret   = errors.New("does not hold what it should")
)

// Secret is a value that prints as "<secret>" wherever it is printed. It is
// either the value itself or a file that holds it. The zero Secret is not set.
// Copies share what they know of the file, and are safe for concurrent use.
type Secret struct {
	src *secretBox
}

// secretBox keeps fmt out: where it cannot call Format (a Secret in a field
// that is not exported) and the verb does not fit, it follows one pointer, but
// never a second.
type secretBox struct {
	*secretSource
}

type secretSource struct {
	value string
	file  string // "" = value is all there is

	mu    sync.Mutex
	stamp fileStamp // of the file when value was read
	rules []string  // of the fields that the secret is in: see keep
}

// fileStamp tells one content of a file from the next, without reading it.
type fileStamp struct {
	info os.FileInfo
	racy bool // read so soon after a write that a second one may bear the same time
}

// NewSecret is a secret that is known already.
func NewSecret(value string) Secret {
	return Secret{&secretBox{&secretSource{value: value}}}
}

// FileSecret is the secret in a file, without its trailing newline. The file
// is first read by Get.
func FileSecret(path string) Secret {
	return Secret{&secretBox{&secretSource{file: path}}}
}

// IsSet tells whether there is a secret at all.
func (s Secret) IsSet() bool { return s.src != nil }

// File is where the secret is read from, "" when it is not in a file.
func (s Secret) File() string {
	if s.src == nil {
		return ""
	}
	return s.src.file
}

// Get is the secret's present value: "" when it is not set. A file is read
// again when it was changed or replaced. It is an error when it is missing,
// unreadable, empty or larger than 64 KiB, unless it was read before: then the
// value of that time stays, as it does while what is there now breaks a rule of
// a field. No error holds the value.
func (s Secret) Get() (string, error) {
	if s.src == nil {
		return "", nil
	}
	return s.src.get()
}

func (s *secretSource) get() (string, error) {
	if s.file == "" {
		return s.value, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value, err := s.read()
	if err != nil && s.stamp.info != nil {
		return s.value, nil // who watches the file says what is wrong with it
	}
	return value, err
}

// keep has the file go on holding what a field's rule asks of it, "" = one line of
// text.
func (s Secret) keep(rule string) {
	s.src.mu.Lock()
	defer s.src.mu.Unlock()
	if !slices.Contains(s.src.rules, rule) {
		s.src.rules = append(s.src.rules, rule)
	}
}

// read reads the file, unless it is as it was. The caller holds s.mu.
func (s *secretSource) read() (string, error) {
	info, err := os.Stat(s.file)
	if err != nil {
		return "", fmt.Errorf("read secret file: %w", err)
	}
	if s.stamp.matches(info) {
		return s.value, nil
	}
	if err := regular(info); err != nil {
		return "", fmt.Errorf("read secret file %q: %w", s.file, err)
	}
	value, err := readSecret(s.file)
	if err != nil {
		return "", err
	}
	for _, rule := range s.rules {
		if checkSecret(rule, value) != nil {
			return "", fmt.Errorf("read secret file %q: %w", s.file, errBadSecret)
		}
	}
	s.value = value
	s.stamp = fileStamp{info, time.Since(info.ModTime()) < timestampGrain}
	return value, nil
}

// matches tells whether the file is still the one that was read.
func (f fileStamp) matches(now os.FileInfo) bool {
	return f.info != nil && !f.racy && os.SameFile(f.info, now) &&
		f.info.ModTime().Equal(now.ModTime()) && f.info.Size() == now.Size()
}

func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read secret file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read secret file: %w", err)
	case len(data) > maxSecretFile:
		return "", fmt.Errorf("read secret file %q: %w", path, errLargeSecret)
	}
	value := strings.TrimRight(string(data), "\r\n")
	if strings.TrimSpace(value) == "" {
		return "", fmt.Errorf("read secret file %q: %w", path, errEmptySecret)
	}
	return value, nil
}

// Format shows no value, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// String is "<secret>", or "" when it is not set.
func (s Secret) String() string {
	if s.src == nil {
		return ""
	}
	return hidden
}

// GoString is what %#v shows.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the value from every encoder that asks for text, JSON among them.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON hides the value from JSON.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalYAML hides the value from YAML.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue hides the value from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
