package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the release build (-ldflags "-X main.version=1.2.3").
var version = ""

// buildVersion is the version and the commit the program was built from, as
// far as the build knows.
func buildVersion() (ver, commit string) {
	ver, commit = version, "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return orDevel(ver), commit
	}
	if ver == "" && info.Main.Version != "(devel)" {
		ver = info.Main.Version
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			commit += " with local changes"
		}
	}
	return orDevel(ver), commit
}

func orDevel(ver string) string {
	if ver == "" {
		return "devel"
	}
	return ver
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and Go version",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			ver, commit := buildVersion()
			fmt.Fprintf(cmd.OutOrStdout(), "esawatch %s\ncommit   %s\ngo       %s %s/%s\n",
				ver, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}
