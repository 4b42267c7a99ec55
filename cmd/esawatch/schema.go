package main

import (
	"github.com/spf13/cobra"

	"github.com/esawatch/esawatch/agent/config"
)

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration, for editors",
		Long: `schema prints the JSON Schema (draft 2020-12) of a configuration file: every key
with what it is for, its default, and what its value has to be. Editors that
read it complete keys, explain them and underline mistakes while you type.

The YAML language server (VS Code, Neovim, Helix, Emacs, JetBrains) finds it by a
comment in the file's first line, which is a path relative to that file:

  # yaml-language-server: $schema=./esawatch.schema.json

It is made of what this version of esawatch reads by, so make it again after an
upgrade. It knows one file at a time: "esawatch validate" has the last word, for
it also looks at names, files, variables and what stands in other files.`,
		Example: `  esawatch schema > esawatch.schema.json`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := config.JSONSchema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}
