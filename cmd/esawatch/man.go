package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// newMan is the command by which packages get their manual page. It is written
// from the commands themselves, so that it cannot tell of others.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use: "man", Hidden: true, Args: cobra.NoArgs,
		Short: "Print the manual page, in roff",
		RunE: func(cmd *cobra.Command, _ []string) error {
			m := &manual{}
			m.page(cmd.Root())
			if _, err := io.WriteString(cmd.OutOrStdout(), m.text.String()); err != nil {
				return failed(err)
			}
			return nil
		},
	}
}

// manual is a page in the macros of man(7).
type manual struct{ text strings.Builder }

func (m *manual) page(root *cobra.Command) {
	version, _ := buildVersion()
	m.macro(".TH ESAWATCH 1 \"\" %q \"User commands\"", "esawatch "+version)
	m.macro(".nh\n.ad l")
	m.section("Name")
	m.macro("esawatch \\- %s", lowerFirst(root.Short))
	m.section("Synopsis")
	m.macro(".B esawatch\n.I command\n.RI [ flags ]")
	m.section("Description")
	m.prose(root.Long)
	m.section("Options of every command")
	m.verbatim(root.PersistentFlags().FlagUsagesWrapped(manWidth))
	m.section("Commands")
	for _, c := range root.Commands() {
		m.command(c)
	}
	for _, s := range manSections {
		m.section(s.title)
		for _, item := range s.items {
			m.macro(".TP\n.B %s\n%s", roff(item[0]), roff(item[1]))
		}
	}
	m.section("See also")
	m.prose("/usr/share/doc/esawatch/config.example.yaml has every setting with its default and what it does; esawatch schema prints them for editors.")
}

// manWidth is that of a terminal of 80 columns, less the page's margins.
const manWidth = 70

// manSections are what the commands do not say of themselves.
var manSections = []struct {
	title string
	items [][2]string
}{
	{"Environment", [][2]string{
		{"ESAWATCH_SECTION__KEY", "Overrides any single setting outside a list: ESAWATCH_WEB__LISTEN=:9522 is web.listen."},
		{"NO_COLOR", "No colours, also on a terminal."},
		{"GOMEMLIMIT", "The memory limit of the garbage collector; nine tenths of the control group's if not set."},
		{"NOTIFY_SOCKET, WATCHDOG_USEC", "Set by systemd, which is told when run is ready, reloads, stops, and that it lives."},
	}},
	{"Files", [][2]string{
		{"config.yaml, /etc/esawatch/config.yaml", "The configuration, the first of them that exists, if --config names no other."},
		{"/var/lib/esawatch", "The state of the packaged service: incidents, notifications not yet delivered, silences."},
	}},
	{"Signals of run", [][2]string{
		{"SIGHUP", "Reads the configuration again, as a change of its files does."},
		{"SIGTERM, SIGINT", "Stops cleanly within agent.shutdown_timeout; a second one at once."},
	}},
	{"Exit status", [][2]string{
		{"0", "All is well."},
		{"1", "What was checked failed, or the daemon could not go on."},
		{"2", "A mistake in the command line or in the configuration."},
	}},
}

// command describes a command, or its subcommands if it has any.
func (m *manual) command(c *cobra.Command) {
	if !c.IsAvailableCommand() || c.Name() == "help" {
		return
	}
	if c.Name() == "completion" {
		m.macro(".SS esawatch completion bash|zsh|fish|powershell")
		m.prose("Prints what makes a shell complete the commands.")
		return
	}
	if c.HasAvailableSubCommands() {
		for _, sub := range c.Commands() {
			m.command(sub)
		}
		return
	}
	m.macro(".SS %s", roff(c.UseLine()))
	m.prose(cmp.Or(c.Long, c.Short+"."))
	m.verbatim(c.NonInheritedFlags().FlagUsagesWrapped(manWidth))
	if c.Example != "" {
		m.prose("For example:")
		m.verbatim(c.Example)
	}
}

func (m *manual) macro(format string, args ...any) {
	fmt.Fprintf(&m.text, format, args...)
	m.text.WriteByte('\n')
}

func (m *manual) section(title string) { m.macro(".SH %s", strings.ToUpper(title)) }

// prose writes paragraphs; those with indented lines stay as they are.
func (m *manual) prose(text string) {
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if strings.HasPrefix(paragraph, " ") || strings.Contains(paragraph, "\n ") {
			m.verbatim(paragraph)
			continue
		}
		m.macro(".PP\n%s", roff(paragraph))
	}
}

func (m *manual) verbatim(text string) {
	if text = strings.Trim(text, "\n"); text != "" {
		m.macro(".PP\n.nf\n%s\n.fi", roff(text))
	}
}

// roff takes the meaning from what roff would see in a text.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", "\\(ga").Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
