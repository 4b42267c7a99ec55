package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newNotifyTest() *cobra.Command {
	return &cobra.Command{
		Use:   "notify-test [RECEIVER...]",
		Short: "Send a sample incident, opened and then resolved, through the real receivers",
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := loadPlan(cmd)
			if err != nil {
				return err
			}
			defer plan.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Minute)
			defer cancel()
			told, err := plan.SendSamples(ctx, args)
			if err != nil {
				return err
			}
			bad := 0
			for _, t := range told {
				if t.Err != nil {
					bad++
					fmt.Fprintf(cmd.OutOrStdout(), "%s: %v\n", t.Receiver, t.Err)
					continue
				}
				end := " and of its end"
				if !t.Resolved {
					end = "; not of its end, for send_resolved is false"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: told of a sample incident%s\n", t.Receiver, end)
			}
			if bad > 0 {
				return failed(fmt.Errorf("%d of %s not told", bad, count(len(told), "receiver")))
			}
			return nil
		},
	}
}
