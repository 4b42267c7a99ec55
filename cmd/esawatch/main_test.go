package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// TestMain makes the test binary the program itself under the name esawatch,
// first in PATH, so that tests can start it as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"esawatch": main})
}

// leakChecked looks for goroutines that the tests have left behind. It is not
// goleak.VerifyTestMain because testscript.Main has to end the process.
type leakChecked struct{ m *testing.M }

// Run implements testscript.TestingM.
func (l leakChecked) Run() int {
	// Nearly all tests here wait for child processes, so there may be more of
	// them at once than there are processors.
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("12")
	}
	code := l.m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintf(os.Stderr, "goroutines left behind by the tests: %v\n", err)
		return 1
	}
	return code
}

// ran is what a call of the program came to.
type ran struct {
	code        int
	out, errors string
}

// esawatch calls the program within the test's process.
func esawatch(t *testing.T, args ...string) ran {
	t.Helper()
	var out, errors bytes.Buffer
	code := run(t.Context(), args, &out, &errors)
	return ran{code, out.String(), errors.String()}
}
