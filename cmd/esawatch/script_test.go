package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/esawatch/esawatch/checks/edgetest"
)

// TestScripts runs the commands as a user does, one script of testdata/script
// after another. Beside testscript's own commands they have:
//
//	exits CODE PROGRAM [ARG...]    run it; it must end with exactly CODE
//	edge [BEHAVIOUR]               start a simulated edge: $EDGE, $ORIGIN; with tls also $CA
func TestScripts(t *testing.T) {
	t.Parallel()
	example, err := filepath.Abs("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLE", example)
			env.Setenv("HOME", env.WorkDir)
			env.Vars = append(env.Vars, quickRaceExit)
			return nil
		},
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "edge": startEdge},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		ts.Fatalf("exits: code %q is not a number", args[0])
	}
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("exits: %v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// behaviours are what edge takes.
var behaviours = map[string]edgetest.Behaviour{
	"healthy":   edgetest.Healthy(),
	"521":       edgetest.Status(521),
	"stale":     edgetest.StaleCopy(),
	"challenge": edgetest.Challenge(403),
	"tls":       edgetest.Healthy(),
}

func startEdge(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		args = []string{"healthy"}
	}
	behaviour, ok := behaviours[args[0]]
	if neg || len(args) > 1 || !ok {
		ts.Fatalf("usage: edge [BEHAVIOUR], one of those in script_test.go")
	}
	edge, err := edgetest.New(edgetest.Options{TLS: args[0] == "tls"})
	ts.Check(err)
	ts.Defer(edge.Close)
	edge.Set(behaviour)
	ts.Setenv("EDGE", edge.URL())
	ts.Setenv("ORIGIN", edge.Origin().Addr())
	if args[0] == "tls" {
		file := ts.MkAbs("ca.pem")
		ts.Check(os.WriteFile(file, edge.CAPEM(), 0o600))
		ts.Setenv("CA", file)
	}
}
