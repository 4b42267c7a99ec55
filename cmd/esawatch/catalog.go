package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/esawatch/esawatch/checks/catalog"
)

func newCatalog() *cobra.Command {
	var output, lang string
	cmd := &cobra.Command{
		Use:   "catalog [CODE]",
		Short: "List the catalog of conditions, or show one of its entries",
		Example: `  esawatch catalog            every condition in a line
  esawatch catalog 522        what it means and what to do first
  esawatch catalog 522 --lang zh
  esawatch catalog --output markdown > catalog.md`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("lang", lang, languages...); err != nil {
				return err
			}
			cat, err := catalog.Load()
			if err != nil {
				return err
			}
			views, err := selectViews(cat, args, lang)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			switch output {
			case "json":
				return writeJSON(out, views)
			case "markdown":
				return writeCatalogMarkdown(out, views, lang)
			case "text":
				if len(args) == 1 {
					return writeCatalogEntry(out, views[0], lang)
				}
				return writeCatalogList(out, views)
			}
			return oneOf("output", output, "text", "json", "markdown")
		},
	}
	cmd.Flags().StringVar(&output, "output", "text", "text, json or markdown")
	cmd.Flags().StringVar(&lang, "lang", "en", "en or zh")
	return cmd
}

// selectViews returns all entries, or the one that is asked for.
func selectViews(cat *catalog.Catalog, args []string, lang string) ([]catalog.View, error) {
	if len(args) == 0 {
		var views []catalog.View
		for _, c := range cat.Conditions() {
			views = append(views, cat.View(c, lang))
		}
		return views, nil
	}
	c := catalog.Condition(strings.ToLower(args[0]))
	if _, ok := cat.Entry(c); !ok && c.StatusCode() < 400 {
		return nil, fmt.Errorf("catalog: no condition %q; \"esawatch catalog\" lists them", args[0])
	}
	return []catalog.View{cat.View(c, lang)}, nil
}

func writeCatalogList(out io.Writer, views []catalog.View) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "CONDITION\tTITLE\tFAULT\tSEVERITY\tOWNER")
	for _, v := range views {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", v.Condition, v.Title, v.Fault, v.Severity, v.Owner)
	}
	return w.Flush()
}

func writeCatalogEntry(out io.Writer, v catalog.View, lang string) error {
	l := labelsIn[lang]
	p := &printer{out: out, width: terminalWidth(out)}
	p.line("%s  %s", v.Condition, v.Title)
	p.blank()
	p.wrapped("", v.Summary)
	p.blank()
	p.field(l.fault, string(v.Fault))
	p.field(l.owner, v.Owner)
	p.field(l.severity, string(v.Severity))
	p.field(l.doc, v.DocURL)
	p.blank()
	p.line("%s", l.steps)
	p.steps(v.Steps)
	return p.err
}

func writeCatalogMarkdown(out io.Writer, views []catalog.View, lang string) error {
	l := labelsIn[lang]
	var b strings.Builder
	for i, v := range views {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "## %s %s\n\n%s\n\n", v.Condition, markdown(v.Title), markdown(v.Summary))
		fmt.Fprintf(&b, "- %s: %s\n- %s: %s\n- %s: %s\n", l.fault, v.Fault, l.owner, markdown(v.Owner), l.severity, v.Severity)
		if v.DocURL != "" {
			fmt.Fprintf(&b, "- %s: <%s>\n", l.doc, v.DocURL)
		}
		fmt.Fprintf(&b, "\n%s:\n\n", l.steps)
		for n, step := range v.Steps {
			fmt.Fprintf(&b, "%d. %s\n", n+1, markdown(step))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// markdown keeps text from being taken for markup, outside of code spans.
func markdown(s string) string {
	parts := strings.Split(s, "`")
	r := strings.NewReplacer("<", "&lt;", "*", `\*`, "_", `\_`)
	for i := 0; i < len(parts); i += 2 {
		parts[i] = r.Replace(parts[i])
	}
	return strings.Join(parts, "`")
}

func writeJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// oneOf is the error for a flag's value that is not one of those allowed, nil
// when it is.
func oneOf(flag, got string, allowed ...string) error {
	for _, a := range allowed {
		if got == a {
			return nil
		}
	}
	return fmt.Errorf("--%s: got %q, want one of: %s", flag, got, strings.Join(allowed, ", "))
}
