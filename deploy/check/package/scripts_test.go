package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

// booted makes a machine that systemd runs, for what a script can see of it, and
// runs the script there: $1 is a folder of stand-ins for the tools that would
// change the machine, the rest is the script with its arguments.
const booted = `
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
PATH=$1:$PATH
shift
exec sh "$@"
`

// TestMaintainerScripts runs the scripts as dpkg and rpm do on a machine with
// systemd, and compares what they do there.
func TestMaintainerScripts(t *testing.T) {
	unshare := stack.LookPath(t, "unshare")
	tools := t.TempDir()
	log := filepath.Join(t.TempDir(), "log")
	for _, tool := range []string{"systemctl", "deb-systemd-invoke", "deb-systemd-helper", "systemd-sysusers", "chgrp", "chmod"} {
		write(t, filepath.Join(tools, tool), "#!/bin/sh\necho "+tool+` "$@" >>`+log+"\n")
		if err := os.Chmod(filepath.Join(tools, tool), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const sysusers, permissions = "systemd-sysusers esawatch.conf; ", "chgrp esawatch /etc/esawatch; chmod 2750 /etc/esawatch; "
	const enable = "deb-systemd-helper unmask esawatch.service; deb-systemd-helper --quiet was-enabled esawatch.service; " +
		"deb-systemd-helper enable esawatch.service; systemctl daemon-reload; "
	for command, want := range map[string]string{
		"deb/postinst configure ":          sysusers + permissions + enable + "deb-systemd-invoke start esawatch.service; ",
		"deb/postinst configure 1.0.0":     sysusers + enable + "deb-systemd-invoke restart esawatch.service; ", // an upgrade, or removed before
		"deb/postinst abort-upgrade 1.1.0": sysusers + enable + "deb-systemd-invoke restart esawatch.service; ",
		"deb/postinst abort-remove":        sysusers + enable + "deb-systemd-invoke start esawatch.service; ",
		"deb/postinst triggered esawatch":  "",
		"deb/prerm remove":                 "deb-systemd-invoke stop esawatch.service; ",
		"deb/prerm upgrade 1.1.0":          "",
		"deb/prerm failed-upgrade 1.0.0":   "",
		"deb/postrm remove":                "systemctl daemon-reload; ",
		"deb/postrm upgrade 1.1.0":         "",
		"deb/postrm abort-install":         "",
		"rpm/post 1":                       sysusers + permissions + "systemctl daemon-reload; systemctl --no-reload preset esawatch.service; ",
		"rpm/post 2":                       sysusers + "systemctl daemon-reload; ",
		"rpm/preun 0":                      "systemctl --no-reload disable --now esawatch.service; ",
		"rpm/preun 1":                      "",
		"rpm/postun 0":                     "systemctl daemon-reload; ",
		"rpm/postun 1":                     "systemctl daemon-reload; systemctl try-restart esawatch.service; ",
	} {
		if err := os.WriteFile(log, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		args := strings.Split(command, " ")
		args[0] = filepath.Join(stack.Root(t), "deploy/package", args[0])
		cmd := exec.CommandContext(t.Context(), unshare, append([]string{"--map-root-user", "--mount", "sh", "-ec", booted, "sh", tools}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		if got := strings.ReplaceAll(string(content(t, log)), "\n", "; "); got != want {
			t.Errorf("%s\ndid  %s\nwant %s", command, got, want)
		}
	}
}
