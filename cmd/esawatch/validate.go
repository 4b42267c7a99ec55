package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/esawatch/esawatch/agent"
	"github.com/esawatch/esawatch/agent/config"
)

func newValidate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Load the configuration and print everything that is wrong with it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			paths, err := cmd.Flags().GetStringArray("config")
			if err != nil {
				return err
			}
			plan, err := validate(paths, buildOptions(cmd))
			if err != nil {
				return printErrors(cmd.OutOrStdout(), err)
			}
			defer plan.Close()
			fmt.Fprintf(cmd.OutOrStdout(), "ok: %s, %s, %s\n", count(len(plan.Config.Sites), "site"),
				count(len(plan.Checks), "check"), count(len(plan.Receivers), "receiver"))
			for _, warning := range plan.Warnings() {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", warning)
			}
			return nil
		},
	}
}

func validate(paths []string, opts agent.BuildOptions) (*agent.Plan, error) {
	cfg, err := config.Load(paths, config.Options{})
	if err != nil {
		return nil, err
	}
	return agent.Build(cfg, opts)
}

// printErrors prints a configuration's errors as what the command found, a line each.
func printErrors(out io.Writer, err error) error {
	if !isConfigError(err) {
		return err
	}
	fmt.Fprintln(out, err)
	return &exitError{code: exitUsage}
}

func isConfigError(err error) bool {
	_, ok := errors.AsType[config.Errors](err)
	return ok
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
