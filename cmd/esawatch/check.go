package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/esawatch/esawatch/agent"
	"github.com/esawatch/esawatch/checks"
)

func newCheck() *cobra.Command {
	var output, failOn, lang string
	cmd := &cobra.Command{
		Use:   "check [SITE[/CHECK]...]",
		Short: "Run the configured checks once, now",
		Example: `  esawatch check                     all of them
  esawatch check shop shop2/login    those of a site, and one more
  esawatch check --output json | jq .`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("output", output, "text", "json"); err != nil {
				return err
			}
			if err := oneOf("fail-on", failOn, "fail", "degraded"); err != nil {
				return err
			}
			if err := oneOf("lang", lang, languages...); err != nil {
				return err
			}
			plan, err := loadPlan(cmd)
			if err != nil {
				return err
			}
			defer plan.Close()
			selected, err := selectChecks(plan, args)
			if err != nil {
				return err
			}
			results := runOnce(cmd.Context(), selected, plan.Config.Agent.MaxConcurrentChecks)
			if err := cmd.Context().Err(); err != nil {
				return failed(fmt.Errorf("interrupted"))
			}
			for i, c := range selected {
				results[i] = c.In(lang, results[i])
			}
			if err := writeResults(cmd.OutOrStdout(), output, lang, results); err != nil {
				return failed(err)
			}
			if anyWorse(results, failOn) {
				return failed(nil)
			}
			return nil
		},
		ValidArgsFunction: completeChecks,
	}
	cmd.Flags().StringVar(&output, "output", "text", "text or json")
	cmd.Flags().StringVar(&lang, "lang", "en", "language of the diagnoses, en or zh")
	cmd.Flags().StringVar(&failOn, "fail-on", "fail", "exit 1 at this outcome or worse: fail or degraded")
	return cmd
}

// selectChecks returns the checks that the arguments name, each SITE or
// SITE/CHECK, in the order of the configuration; all with no arguments.
func selectChecks(plan *agent.Plan, args []string) ([]*checks.Check, error) {
	if len(args) == 0 {
		return plan.Checks, nil
	}
	used := make([]bool, len(args))
	var selected []*checks.Check
	for _, c := range plan.Checks {
		named := false
		for i, arg := range args {
			if site, check := checks.SplitName(arg); site == c.Site && (check == "" || check == c.Name) {
				used[i], named = true, true
			}
		}
		if named {
			selected = append(selected, c)
		}
	}
	if i := slices.Index(used, false); i >= 0 {
		return nil, fmt.Errorf("no enabled check %q; there are: %s", args[i], strings.Join(someNames(plan), ", "))
	}
	return selected, nil
}

// someNames are the first names of checks, enough to see what they look like.
func someNames(plan *agent.Plan) []string {
	const most = 10
	var names []string
	for _, c := range plan.Checks {
		if len(names) == most {
			return append(names, "…")
		}
		names = append(names, c.FullName())
	}
	return names
}

// runOnce runs checks, at most limit at a time, and returns their results in
// the same order.
func runOnce(ctx context.Context, list []*checks.Check, limit int) []checks.Result {
	results := make([]checks.Result, len(list))
	var g errgroup.Group
	g.SetLimit(limit)
	for i, c := range list {
		g.Go(func() error {
			results[i] = c.Run(ctx)
			return nil
		})
	}
	_ = g.Wait() // a check that fails is a result
	return results
}

// completeChecks offers the names of checks to the shell.
func completeChecks(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	plan, err := loadPlan(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer plan.Close()
	var names []string
	for _, c := range plan.Checks {
		names = append(names, c.FullName())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
