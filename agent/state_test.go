package agent

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/esawatch/esawatch/agent/store"
)

// TestFullDiskIsNoReasonToBeBlind opens the state where every write finds the
// device full.
func TestFullDiskIsNoReasonToBeBlind(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(dir, storeFile)); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	kv, unsaved, err := openStore(dir, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || unsaved == nil {
		t.Fatalf("error %v, unsaved %v; want to go on, with the reason", err, unsaved)
	}
	if _, err := kv.Put(t.Context(), store.Entry{Key: "site/shop", Value: []byte("{}")}); err != nil {
		t.Errorf("put: %v", err)
	}
	if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "going on from memory") {
		t.Errorf("the log does not say so: %s", log.String())
	}
}

// TestFolderThatCannotBe is a mistake in the configuration, not of the disk.
func TestFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := openStore(filepath.Join(file, "data"), slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), "agent.data_dir: ") {
		t.Errorf("error %v, want one of agent.data_dir", err)
	}
}

func TestWhichErrorsAreTheDisks(t *testing.T) {
	for err, want := range map[error]bool{
		&fs.PathError{Op: "open", Path: "esawatch.db", Err: syscall.EROFS}: true,
		fmt.Errorf("open store: %w", syscall.ENOSPC):                       true,
		&fs.PathError{Op: "mkdir", Path: "data", Err: syscall.EACCES}:      false,
		&fs.PathError{Op: "mkdir", Path: "data", Err: syscall.ENOTDIR}:     false,
	} {
		if got := diskFails(err); got != want {
			t.Errorf("%v: %t, want %t", err, got, want)
		}
	}
}
