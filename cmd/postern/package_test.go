package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestThePackagedConfigurationIsGood(t *testing.T) {
	c, err := loadConfig(filepath.Join("..", "..", "package", "postern.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != "/var/lib/postern" || c.SMTP.TLS.ACME.Email == "" || c.Portal.Listen != "127.0.0.1:8025" {
		t.Errorf("%+v", c)
	}
	// What is commented out must be right too, once somebody wants it.
	var all []string
	for _, line := range strings.Split(repo(t, "package/postern.yaml"), "\n") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "#"); ok && text != "" && text[0] != ' ' {
			line = strings.Replace(line, "#", "", 1)
		} else if strings.HasPrefix(line, "#  ") {
			line = line[1:]
		}
		all = append(all, line)
	}
	text := strings.NewReplacer("    acme:\n      email: postmaster@example.com\n", "", "/etc/postern/webhook.secret", filepath.Join(t.TempDir(), "s")).Replace(strings.Join(all, "\n"))
	file := filepath.Join(t.TempDir(), "postern.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err = loadConfig(file)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if c.Judge.Clamd == "" || len(c.Webhooks) != 1 || c.Traces.Endpoint == "" || c.SMTP.TLS.Key == "" {
		t.Errorf("not everything was uncommented: %+v", c)
	}
}

// program builds this program once; static, as it is shipped.
func program(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "postern")
	build := exec.Command("go", "build", "-trimpath", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return file
}

func TestTheDebianPackageInstalls(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("dpkg-deb is not installed")
	}
	binary, folder := program(t), t.TempDir()
	var debs [2][]byte
	for i := range debs {
		build := exec.Command(filepath.Join("..", "..", "package", "deb.sh"), "1.2.3")
		build.Env = append(os.Environ(), "BINARY="+binary, "COMPRESS=none", "DIST="+folder, "SOURCE_DATE_EPOCH=1795305600")
		out, err := build.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if debs[i], err = os.ReadFile(strings.TrimSpace(string(out))); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(debs[0], debs[1]) {
		t.Error("the same tree gave two packages")
	}
	found, _ := filepath.Glob(filepath.Join(folder, "postern_1.2.3_*.deb"))
	if len(found) != 1 {
		t.Fatalf("built %v", found)
	}
	root := filepath.Join(t.TempDir(), "root")
	command(t, "dpkg-deb", "-x", found[0], root)
	command(t, "dpkg-deb", "-e", found[0], filepath.Join(root, "DEBIAN"))
	checkTree(t, root, command(t, "dpkg-deb", "-c", found[0]))
	if out := command(t, filepath.Join(root, "usr/bin/postern"), "version"); !strings.HasPrefix(out, "postern ") {
		t.Errorf("version: %s", out)
	}
	checkInstalled(t, root)
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Log("systemd-analyze is not installed: the unit was not verified")
		return
	}
	// A copy whose program is where it was unpacked, since verify looks for it.
	unit := strings.ReplaceAll(repo(t, "package/postern.service"), "/usr/bin/postern ", filepath.Join(root, "usr/bin/postern")+" ")
	file := filepath.Join(t.TempDir(), "postern.service")
	if err := os.WriteFile(file, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("unit: %v: %s", err, out)
	}
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}

// checkTree looks at what a package checker looks at.
func checkTree(t *testing.T, root, listing string) {
	t.Helper()
	for line := range strings.Lines(listing) {
		if !strings.Contains(line, " root/root ") {
			t.Errorf("not of root: %s", line)
		}
	}
	for name, mode := range map[string]fs.FileMode{
		"usr/bin/postern": 0o755, "usr/lib/systemd/system/postern.service": 0o644, "etc/postern/postern.yaml": 0o640, "usr/share/man/man1/postern.1.gz": 0o644,
		"usr/share/doc/postern/copyright": 0o644, "usr/share/doc/postern/changelog.gz": 0o644, "usr/share/doc/postern/operating.md": 0o644,
		"DEBIAN/postinst": 0o755, "DEBIAN/prerm": 0o755, "DEBIAN/postrm": 0o755,
	} {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		command(t, "sh", "-n", filepath.Join(root, "DEBIAN", script))
	}
	sums := exec.Command("md5sum", "--quiet", "-c", "DEBIAN/md5sums")
	sums.Dir = root
	if out, err := sums.CombinedOutput(); err != nil {
		t.Errorf("md5sums: %v %s", err, out)
	}
	if text, err := os.ReadFile(filepath.Join(root, "DEBIAN/conffiles")); err != nil || string(text) != "/etc/postern/postern.yaml\n" {
		t.Errorf("conffiles: %q %v", text, err)
	}
	page := command(t, "gzip", "-dc", filepath.Join(root, "usr/share/man/man1/postern.1.gz"))
	if !strings.Contains(page, "Postern 1.2.3") || strings.Contains(page, "@VERSION@") {
		t.Error("the manual page lacks its version")
	}
}

// checkInstalled runs the packaged program with the packaged configuration, its
// ports and folder replaced.
func checkInstalled(t *testing.T, root string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "etc/postern/postern.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "postern.yaml")
	own := strings.NewReplacer("/var/lib/postern", t.TempDir(), `":25"`, `"127.0.0.1:0"`, "127.0.0.1:8025", "127.0.0.1:0", "127.0.0.1:9025", "127.0.0.1:0").Replace(string(text))
	if err := os.WriteFile(config, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(root, "usr/bin/postern"), "check", "--json", "--config", config).Output()
	var r struct {
		OK     bool    `json:"ok"`
		Checks []point `json:"checks"`
	}
	if jerr := json.Unmarshal(out, &r); jerr != nil || err != nil || !r.OK {
		t.Errorf("check: %v %v: %s", err, jerr, out)
	}
}

func TestTheUnitFitsTheProgram(t *testing.T) {
	keys := map[string][]string{}
	for s := bufio.NewScanner(strings.NewReader(repo(t, "package/postern.service"))); s.Scan(); {
		if key, value, ok := strings.Cut(s.Text(), "="); ok && !strings.HasPrefix(key, "#") {
			keys[key] = append(keys[key], strings.Fields(value)...)
		}
	}
	parses(t, keys["ExecStart"])
	for _, need := range []string{"seccomp", "landlock_create_ruleset", "landlock_restrict_self"} { // of the judge's workers
		if !slices.Contains(keys["SystemCallFilter"], need) {
			t.Errorf("the judge's workers could not call %s", need)
		}
	}
	for key, want := range map[string]string{"Type": "notify", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "User": "postern", "CapabilityBoundingSet": "CAP_NET_BIND_SERVICE", "StateDirectory": "postern"} {
		if !slices.Equal(keys[key], []string{want}) {
			t.Errorf("%s is %v", key, keys[key])
		}
	}
}

// parses tells whether a command line is one of ours.
func parses(t *testing.T, args []string) {
	t.Helper()
	parser, err := kong.New(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	if len(args) < 2 || args[0] != "/usr/bin/postern" {
		t.Fatalf("%v does not call /usr/bin/postern", args)
	}
	if _, err := parser.Parse(args[1:]); err != nil {
		t.Errorf("%v: %v", args, err)
	}
}

func TestTheContainerFileIsSound(t *testing.T) {
	text := strings.ReplaceAll(repo(t, "package/Containerfile"), "\\\n", " ")
	stages, user, made := []string{}, "", map[string]bool{}
	var entry, cmd []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		switch f[0] {
		case "FROM":
			stages, user = append(stages, f[len(f)-1]), ""
			if len(f) != 2 && (len(f) != 4 || f[2] != "AS") {
				t.Errorf("%s", line)
			}
		case "USER":
			user = f[1]
		case "COPY":
			checkCopy(t, f[1:], stages, made)
		case "RUN", "WORKDIR", "LABEL", "ARG", "VOLUME", "EXPOSE", "STOPSIGNAL":
		case "ENTRYPOINT":
			entry = execForm(t, line)
		case "CMD":
			cmd = execForm(t, line)
		case "HEALTHCHECK":
			parses(t, execForm(t, line))
		default:
			t.Errorf("unknown instruction: %s", line)
		}
	}
	if len(stages) < 2 || stages[len(stages)-1] != "scratch" || user == "" || strings.HasPrefix(user, "0") || strings.HasPrefix(user, "root") {
		t.Errorf("stages %v end as user %q", stages, user)
	}
	parses(t, append(entry, cmd...))
	for _, need := range []string{"/usr/bin/postern", "/etc/ssl/certs/ca-certificates.crt", "/var/lib/postern", "/etc/postern/postern.yaml"} {
		if !made[need] {
			t.Errorf("the container has no %s", need)
		}
	}
}

// checkCopy makes sure that what is copied is in the repository or an earlier stage.
func checkCopy(t *testing.T, args []string, stages []string, made map[string]bool) {
	t.Helper()
	from := ""
	for len(args) > 0 && strings.HasPrefix(args[0], "--") {
		if name, ok := strings.CutPrefix(args[0], "--from="); ok {
			from = name
		}
		args = args[1:]
	}
	made[args[len(args)-1]] = true
	if from != "" {
		if !slices.Contains(stages[:len(stages)-1], from) {
			t.Errorf("COPY from %s, which is no earlier stage", from)
		}
		return
	}
	for _, source := range args[:len(args)-1] {
		if _, err := os.Stat(filepath.Join("..", "..", source)); err != nil {
			t.Errorf("COPY %s: %v", source, err)
		}
	}
}

func execForm(t *testing.T, line string) (args []string) {
	t.Helper()
	_, list, _ := strings.Cut(line, "[")
	if err := json.Unmarshal([]byte("["+list), &args); err != nil {
		t.Errorf("not in exec form: %s", line)
	}
	return args
}
