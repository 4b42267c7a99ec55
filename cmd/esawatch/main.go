// Command esawatch watches sites behind Alibaba Cloud ESA and says what broke,
// whose it is, and what to do first.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // time zones where the system has none, as in an empty container

	"github.com/spf13/cobra"
)

// Exit codes, as the contract has them.
const (
	exitOK     = 0
	exitFailed = 1 // what was checked failed, or the daemon could not go on
	exitUsage  = 2 // usage or configuration error
)

func main() {
	// net/http's HTTP/2 writes what broken servers do to the standard logger.
	// What of it matters is in the results.
	log.SetOutput(io.Discard)

	// The first signal stops cleanly; the second ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: exitUsage, err: err} // cobra's own complaints are about usage
	}
	if exit.err != nil {
		fmt.Fprintf(stderr, "esawatch: %v\n", exit.err)
	}
	return exit.code
}

// exitError ends the program with a code, after its error, if any, is printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// failed ends the program with exit code 1, saying why if err is not nil.
func failed(err error) error { return &exitError{code: exitFailed, err: err} }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "esawatch",
		Short: "Watch sites behind Alibaba Cloud ESA and say what broke, whose it is, and what to do first",
		Long: `esawatch runs HTTP checks against sites behind Alibaba Cloud ESA, explains each
failure by ESA's own status codes, and tells the people on call what to do first.

New here? "esawatch demo" shows all of it on this machine, with no account and
no network.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		// No Args: cobra's own check of a root suggests the command that was meant.
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().StringArray("config", nil,
		"configuration `FILE` or directory, repeatable, later ones win (default \"config.yaml\", else \"/etc/esawatch/config.yaml\")")
	root.AddCommand(newRun(), newCheck(), newProbe(), newValidate(), newCatalog(), newNotifyTest(), newSilence(), newDemo(), newBench(), newSchema(), newImport(), newHealthy(), newMan(), newVersion())
	return root
}
