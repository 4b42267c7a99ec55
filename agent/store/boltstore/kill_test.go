package boltstore_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esawatch/esawatch/agent/store"
	"github.com/esawatch/esawatch/agent/store/boltstore"
)

// childEnv names the file that a copy of this test binary is to write into
// until it is killed.
const childEnv = "ESAWATCH_BOLTSTORE_CHILD"

// child writes values that grow, and prints each once it is written.
func child(path string) {
	s, err := boltstore.Open(path, boltstore.Options{Timeout: 5 * time.Second})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	fmt.Println("open", s.Recovered() == nil)
	var out sync.Mutex
	for w := range 4 {
		go func() {
			key := fmt.Sprintf("writer/%d", w)
			var e store.Entry
			if e, err = s.Get(context.Background(), key); err != nil {
				e = store.Entry{Key: key}
			}
			n, _ := strconv.Atoi(strings.TrimSpace(string(e.Value)))
			for {
				n++
				value := fmt.Appendf(nil, "%*d", 1+n%5000, n)
				rev, err := s.Put(context.Background(), store.Entry{Key: key, Value: value, Revision: e.Revision})
				out.Lock()
				if err != nil {
					fmt.Println("error", err)
				}
				fmt.Println(key, n)
				out.Unlock()
				e.Revision = rev
			}
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until killed, or its parent is
}

// Whatever a Put has returned for is there after kill -9.
func TestKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "state.db")
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	total := 0
	for round := range rounds {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged := make(map[string]int)
		lines := bufio.NewScanner(stdout)
		killAfter := 20 + round*23
		for n := 0; lines.Scan(); n++ {
			key, value, _ := strings.Cut(lines.Text(), " ")
			switch number, err := strconv.Atoi(value); {
			case key == "open" && value != "true":
				t.Error("the store was found damaged after a kill")
			case err == nil:
				acknowledged[key] = number
			case key != "open":
				t.Errorf("child says %q", lines.Text())
			}
			if n == killAfter {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		_ = stdin.Close()

		s := open(t, path)
		if s.Recovered() != nil {
			t.Errorf("recovered %+v after a kill", s.Recovered())
		}
		for key, n := range acknowledged {
			e, err := s.Get(t.Context(), key)
			if err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			if got, err := strconv.Atoi(strings.TrimSpace(string(e.Value))); err != nil || got < n {
				t.Errorf("%s = %d, %v, but %d was acknowledged", key, got, err, n)
			}
			total += n
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if total == 0 {
		t.Error("no child wrote anything")
	}
}
