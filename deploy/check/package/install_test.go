package packages

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/esawatch/esawatch/deploy/check/stack"
)

const (
	configFile  = "/etc/esawatch/config.yaml"
	webhookFile = "/etc/esawatch/slack-webhook-url"
	stateDir    = "/var/lib/esawatch"
)

// quick are settings under which an outage is told within seconds, as a drop-in
// of the unit would give them.
var quick = []string{
	"ESAWATCH_WEB__LISTEN=127.0.0.1:0",
	"ESAWATCH_DEFAULTS__SCHEDULE=1s", "ESAWATCH_DEFAULTS__TIMEOUT=1s", "ESAWATCH_DEFAULTS__CONFIRM__INTERVAL=200ms",
	"ESAWATCH_ALERTING__GROUP_WAIT=200ms", "ESAWATCH_ALERTING__GROUP_INTERVAL=200ms",
}

// TestInstallRunUpgradePurge lives through a package's life on this machine:
// installed, configured by editing two lines, started as the unit says, killed,
// upgraded in the middle of an outage, removed and purged.
func TestInstallRunUpgradePurge(t *testing.T) {
	if os.Getenv("ESAWATCH_PACKAGE_TEST") != "1" {
		t.Skip("this test installs a package on this machine, and purges it: it runs only with ESAWATCH_PACKAGE_TEST=1")
	}
	if os.Getuid() != 0 {
		t.Fatal("ESAWATCH_PACKAGE_TEST=1 needs root")
	}
	for _, tool := range []string{"dpkg", "dpkg-deb", "setpriv", "unshare"} {
		stack.LookPath(t, tool)
	}
	deb, _ := packagesOf(t)
	next := newerDeb(t)
	before := traces(t)
	if len(before) > 0 {
		t.Fatalf("there is an esawatch on this machine already, which this test would purge: %q", before)
	}
	t.Cleanup(func() {
		_ = exec.Command("dpkg", "--purge", "esawatch").Run() // it was, if the test got that far
		_ = os.RemoveAll(filepath.Dir(configFile))
		_ = os.RemoveAll(stateDir)
	})

	dpkg(t, "-i", deb)
	inspectInstalled(t)

	// Started before anybody has configured anything, as on Debian.
	site := newSite(t)
	s := startUnit(t)
	s.until("ready, with nothing to do", func() bool {
		return s.told("READY=1") == 1 && s.told("STATUS=waiting for a site to be configured") > 0
	})

	// The two lines, and the secret.
	runAs(t, "umask 027; printf '%s/services/T0/B0/test\n' '"+site.URL+"' >"+webhookFile)
	edited := configured(t, string(content(t, configFile)), site.URL, webhookFile)
	write(t, configFile, edited)
	s.until("the site is watched", func() bool { return site.asked.Load() > 1 })

	site.fail(true)
	s.until("the alert", func() bool { return site.messages("is failing") > 0 })
	// A kill between the answer and its being noted sends twice, never nothing.
	s.until("a note of it on disk", func() bool { return s.owes(t) == 0 })
	s.kill()
	if len(content(t, filepath.Join(stateDir, "esawatch.db"))) == 0 {
		t.Error("the state is empty")
	}

	// After the kill it goes on with what it was at. The upgrade comes while it
	// runs, and brings another default configuration.
	s = startUnit(t)
	asked := site.asked.Load()
	s.until("more checks", func() bool { return site.asked.Load() > asked+2 })
	dpkg(t, "--force-confdef", "--force-confold", "-i", next)
	if got := string(content(t, configFile)); got != edited {
		t.Errorf("the upgrade changed the configuration:\n%s", got)
	}
	if got := output(t, "/usr/bin/esawatch", "version"); !strings.HasPrefix(got, "esawatch 1.1.0\n") {
		t.Errorf("after the upgrade the program is %q", got)
	}
	s.stop() // what the maintainer script does where systemd runs
	s = startUnit(t)
	asked = site.asked.Load()
	s.until("more checks", func() bool { return site.asked.Load() > asked+2 })
	site.fail(false)
	s.until("the end of it", func() bool { return site.messages("resolved")+site.messages("RESOLVED")+site.messages("Resolved") > 0 })
	s.stop()
	if n := site.messages("is failing"); n != 1 {
		t.Errorf("told %d times that it fails, want once over a kill and an upgrade", n)
	}

	dpkg(t, "-r", "esawatch")
	for _, kept := range []string{configFile, webhookFile, filepath.Join(stateDir, "esawatch.db")} {
		if _, err := os.Stat(kept); err != nil {
			t.Errorf("removing the package, which is no purge, has taken: %v", err)
		}
	}
	if _, err := os.Stat("/usr/bin/esawatch"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the program is still there: %v", err)
	}
	dpkg(t, "--purge", "esawatch")
	if got, want := traces(t), []string{"/etc/esawatch", webhookFile}; !slices.Equal(got, want) {
		t.Errorf("after the purge there are %q, want only what the user made: %q", got, want)
	}
	if gid := ownerOf(t, webhookFile).Gid; gid != 0 {
		t.Errorf("the user's file belongs to group %d, whose number is free for others", gid)
	}
}

// newerDeb is version 1.1.0, whose default configuration has another comment.
func newerDeb(t *testing.T) string {
	t.Helper()
	made := filepath.Join(makePackages(t, "1.1.0"), debName("1.1.0"))
	dir := filepath.Join(t.TempDir(), "content")
	output(t, "dpkg-deb", "-R", made, dir)
	name := filepath.Join(dir, configFile)
	write(t, name, "# as of version 1.1.0\n"+string(content(t, name)))
	if err := os.Remove(filepath.Join(dir, "DEBIAN/md5sums")); err != nil {
		t.Fatal(err)
	}
	output(t, "dpkg-deb", "--root-owner-group", "-Znone", "-b", dir, made)
	return made
}

func dpkg(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "dpkg", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("dpkg %q: %v\n%s", args, err, out)
	}
}

// inspectInstalled looks at the user, the modes and what starts at boot.
func inspectInstalled(t *testing.T) {
	t.Helper()
	u, err := user.Lookup("esawatch")
	if err != nil {
		t.Fatal(err)
	}
	if uid, err := strconv.Atoi(u.Uid); err != nil || uid == 0 || uid >= 1000 {
		t.Errorf("the user has the number %s, which is not a service's", u.Uid)
	}
	info, err := os.Stat(filepath.Dir(configFile))
	if err != nil {
		t.Fatal(err)
	}
	if owner := ownerOf(t, filepath.Dir(configFile)); info.Mode().Perm() != 0o750 || info.Mode()&fs.ModeSetgid == 0 ||
		owner.Uid != 0 || fmt.Sprint(owner.Gid) != u.Gid {
		t.Errorf("%s: mode %v, owner %d:%d; want only root and the service to look in", filepath.Dir(configFile), info.Mode(), owner.Uid, owner.Gid)
	}
	if _, err := exec.LookPath("deb-systemd-helper"); err == nil {
		if target, err := os.Readlink("/etc/systemd/system/multi-user.target.wants/esawatch.service"); err != nil || !strings.HasSuffix(target, "/systemd/system/esawatch.service") {
			t.Errorf("it does not start at boot: %q, %v", target, err)
		}
	}
}

func ownerOf(t *testing.T, name string) *syscall.Stat_t {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("%s has no owner", name)
	}
	return owner
}

// runAs runs a line of shell as an administrator would.
func runAs(t *testing.T, line string) {
	t.Helper()
	output(t, "sh", "-ec", line)
}

// sandbox runs a command as the unit would be run, as far as that goes with no
// service manager: the file system read-only but for the state, a /tmp of its
// own, no /home, no capabilities, no way to new privileges. $1 is the state, $2
// the user; the rest is the command.
const sandbox = `
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,bind,ro /
for dir in /etc /usr /var /boot; do
	mountpoint -q "$dir" && mount -o remount,bind,ro "$dir"
done
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=000,ro tmpfs /home
mount -t tmpfs -o mode=000,ro tmpfs /root
! touch /etc/esawatch/written 2>/dev/null
state=$1 user=$2
shift 2
cd "$state"
umask 077
exec setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all "$@"
`

// startUnit runs the unit's own command as its user, in a sandbox like its own.
func startUnit(t *testing.T) *running {
	t.Helper()
	name := unitSettings(t, "User")[0]
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.MkdirAll(stateDir, 0o700); err != nil { // StateDirectory
		t.Fatal(err)
	}
	if err := os.Chown(stateDir, uid, gid); err != nil {
		t.Fatal(err)
	}
	command := append([]string{"unshare", "--mount", "--ipc", "sh", "-ec", sandbox, "sh", stateDir, name},
		strings.Fields(unitSettings(t, "ExecStart")[0])...)
	began := time.Now()
	s := startService(t, service{command: command, notify: true, env: slices.Concat(quick, []string{
		"USER=" + name, "LOGNAME=" + name, "HOME=" + u.HomeDir, "STATE_DIRECTORY=" + stateDir, "WATCHDOG_USEC=60000000"})})
	s.until("ready", func() bool { return s.told("READY=1") > 0 })
	t.Logf("ready after %v", time.Since(began).Round(time.Millisecond))
	return s
}

// traces are what there is of a package on this machine: files, user, group.
func traces(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, root := range []string{"/etc", "/usr", "/var/lib", "/lib/systemd", "/run"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist): // somebody else's, gone meanwhile
				return nil
			case err != nil:
				return err
			case strings.HasPrefix(path, "/usr/local") || strings.HasPrefix(path, "/run/esawatch-notify-"):
				return skip(entry)
			case strings.Contains(path, "esawatch"):
				found = append(found, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := user.Lookup("esawatch"); err == nil {
		found = append(found, "user esawatch")
	}
	if _, err := user.LookupGroup("esawatch"); err == nil {
		found = append(found, "group esawatch")
	}
	return found
}

func skip(entry fs.DirEntry) error {
	if entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}
