package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/esawatch/esawatch/agent/config"
)

func newSilence() *cobra.Command {
	var to agentFlags
	cmd := &cobra.Command{
		Use:   "silence",
		Short: "Add, list and expire silences on a running agent",
		Long: `A silence keeps what its matchers fit from being told, until it ends. What fails
meanwhile is recorded, and told when the silence ends if it still fails.

The agent is asked over HTTP: at --url, else where the configuration says that
it is (web.external_url, or web.listen), else at ` + defaultAgentURL + `.`,
		Args: cobra.NoArgs, // else a subcommand that is mistyped would print this page and be no error
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&to.url, "url", "", "URL of the agent, as http://HOST:PORT")
	flags.StringVar(&to.user, "user", "", "NAME for basic authentication, with --password-file")
	flags.StringVar(&to.passwordFile, "password-file", "", "FILE with the password")
	cmd.AddCommand(newSilenceAdd(&to), newSilenceList(&to), newSilenceExpire(&to))
	return cmd
}

func newSilenceAdd(to *agentFlags) *cobra.Command {
	var asked struct {
		Matchers []string `json:"matchers"`
		Duration string   `json:"duration"`
		Author   string   `json:"author"`
		Comment  string   `json:"comment"`
	}
	cmd := &cobra.Command{
		Use:   "add MATCHER...",
		Short: "Silence what all of the matchers fit; prints the ID of the silence",
		Long: `A matcher is written as in Alertmanager: LABEL=VALUE, or != in place of =, or =~
and !~ for a regular expression that fits the whole value. The labels are site,
check, condition, severity, fault, location and those of the check.`,
		Example: `  esawatch silence add site=shop --duration 2h --comment "new origin"
  esawatch silence add site=shop 'check=~"log.*"' severity!=critical`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("say what to silence, such as site=shop")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := config.ParseDuration(asked.Duration); err != nil {
				return fmt.Errorf("--duration: %w", err)
			}
			c, err := to.client(cmd)
			if err != nil {
				return err
			}
			defer c.close()
			asked.Matchers, asked.Author = args, cmp.Or(asked.Author, c.user(), osUser())
			var added silence
			if err := c.call(cmd.Context(), "POST", silencesPath, asked, &added); err != nil {
				return err
			}
			// The ID stands alone on its stream, for a script to keep.
			fmt.Fprintf(cmd.ErrOrStderr(), "silenced until %s: %s%s\n", clock(added.Until), added.matchers(), added.covered())
			_, err = fmt.Fprintln(cmd.OutOrStdout(), printable(added.ID))
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&asked.Duration, "duration", "1h", "how long it lasts: 30m, 2h, 1d")
	flags.StringVar(&asked.Author, "author", "", "who asks for it (default: who you are)")
	flags.StringVar(&asked.Comment, "comment", "", "why")
	return cmd
}

func newSilenceList(to *agentFlags) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the silences in force, then those that ended in the last days",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", output, "text", "json"); err != nil {
				return err
			}
			c, err := to.client(cmd)
			if err != nil {
				return err
			}
			defer c.close()
			list := []silence{}
			if err := c.call(cmd.Context(), "GET", silencesPath, nil, &list); err != nil {
				return err
			}
			if output == "json" {
				return writeJSON(cmd.OutOrStdout(), list)
			}
			return writeSilences(cmd.OutOrStdout(), list)
		},
	}
	cmd.Flags().StringVar(&output, "output", "text", "text or json")
	return cmd
}

func newSilenceExpire(to *agentFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "expire ID...",
		Short: "End silences now; what still fails is told",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, id := range args {
				if !isSilenceID(id) {
					return fmt.Errorf(`%q is not the ID of a silence; "esawatch silence list" has them`, id)
				}
			}
			c, err := to.client(cmd)
			if err != nil {
				return err
			}
			defer c.close()
			// One that is not there keeps no other from being ended.
			var errs []error
			for _, id := range args {
				var over silence
				if err := c.call(cmd.Context(), "DELETE", silencesPath+"/"+id, nil, &over); err != nil {
					errs = append(errs, err)
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is over\n", id)
			}
			if len(errs) > 0 {
				return failed(errors.Join(errs...))
			}
			return nil
		},
	}
}

// silencesPath is where the API has them.
const silencesPath = "api/v1/silences"

// silence is one as the API gives it.
type silence struct {
	ID        string    `json:"id"`
	State     string    `json:"state"` // active, expired
	Matchers  []string  `json:"matchers"`
	CreatedAt time.Time `json:"created_at"`
	Until     time.Time `json:"until"`
	Author    string    `json:"author"`
	Comment   string    `json:"comment"`
	Checks    *int      `json:"checks,omitempty"` // that it may cover, when it is added; nil = the agent does not tell
}

// covered says how many checks a silence that was added may cover.
func (s *silence) covered() string {
	switch {
	case s.Checks == nil:
		return ""
	case *s.Checks == 0:
		return "\nno check of the configuration can alert like that: see the names and labels"
	case *s.Checks == 1:
		return " (1 check can alert like that)"
	}
	return fmt.Sprintf(" (%d checks can alert like that)", *s.Checks)
}

func (s *silence) matchers() string { return printable(strings.Join(s.Matchers, " ")) }

// isSilenceID tells whether a text may be an ID, and hence part of a path.
func isSilenceID(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

func writeSilences(out io.Writer, list []silence) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "There are no silences.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSTATE\tUNTIL\tAUTHOR\tMATCHERS\tCOMMENT")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(s.ID), printable(s.State), clock(s.Until), printable(s.Author), s.matchers(), printable(s.Comment))
	}
	return w.Flush()
}

// clock is a moment as it is read here.
func clock(at time.Time) string { return at.Local().Format("2006-01-02 15:04:05 MST") }

// osUser is the name of who runs this, "" when the system has none.
func osUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
