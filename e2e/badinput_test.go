package e2e

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	_ "modernc.org/sqlite"
)

// complains runs a verb that must be refused: the exit code, and one clear line
// that holds every word of want.
func (p *program) complains(t *testing.T, code int, args []string, want ...string) {
	t.Helper()
	o := runIn(t, p.dir, args...)
	if o.code != code {
		t.Errorf("postern %s: exit %d, want %d: %s", strings.Join(args, " "), o.code, code, o.stderr)
	}
	line := strings.TrimRight(o.stderr, "\n")
	if strings.Contains(line, "\n") || !strings.HasPrefix(line, "postern: ") || strings.Contains(line, "goroutine") || len(line) > 600 {
		t.Errorf("postern %s does not complain in one clear line:\n%s", strings.Join(args, " "), o.stderr)
	}
	for _, word := range want {
		if !strings.Contains(line, word) {
			t.Errorf("postern %s: %q is not in:\n%s", strings.Join(args, " "), word, line)
		}
	}
	t.Logf("%d  %s", o.code, line)
}

func (p *program) serve() []string { return []string{"serve", "--config", p.conf} }

// edit changes the configuration: one text for another.
func (p *program) edit(t *testing.T, old, new string) {
	t.Helper()
	text := read(t, p.conf)
	if !strings.Contains(text, old) {
		t.Fatalf("the configuration has no %q", old)
	}
	write(t, p.conf, []byte(strings.Replace(text, old, new, 1)))
}

// lineOf is the number of the first line of the configuration with text.
func (p *program) lineOf(t *testing.T, text string) string {
	t.Helper()
	before, _, _ := strings.Cut(read(t, p.conf), text)
	return fmt.Sprintf("%s:%d:", p.conf, 1+strings.Count(before, "\n"))
}

func TestATenantNobodyKnowsIsSaid(t *testing.T) {
	p := install(t, settings{})
	p.do(nil, "tenant", "add", "Contoso")
	for _, verb := range []string{"trace", "queue list", "quarantine list", "alarm list", "alarm clear disk"} {
		p.complains(t, 1, append(strings.Fields(verb), "--tenant", "contosso", "--config", p.conf), "contosso", "contoso")
	}
	p.do(nil, "trace", "--tenant", "Contoso") // by its name
}

func TestAWrongConfigurationIsOneClearLine(t *testing.T) {
	for _, tt := range []struct {
		name, old, new string
		at             string // text in whose line the mistake is; "" if the line is not known
		want           []string
	}{
		{"an unknown key", "judge:", "jugde:", "jugde", []string{`"jugde"`, "spelling"}},
		{"an unknown key in a section", "retry_first:", "retry_frist:", "retry_frist", []string{`"retry_frist"`}},
		{"a key at the wrong place", "hostname:", "listen: [\":25\"]\nhostname:", "listen: [\":25\"]", []string{`"listen"`}},
		{"a number that is none", "  listen:", "  max_size: plenty\n  listen:", "max_size", []string{"max_size", "whole number"}},
		{"a list that is one text", "relay: {", "relay: {egress_ips: 192.0.2.1, ", "", []string{"egress_ips", "list such as"}},
		{"a text that is a list", "hostname: " + relayHost, "hostname: [" + relayHost + "]", "", []string{"hostname", "one text"}},
		{"a section that is a number", "judge: {", "traces: 5\njudge: {", "traces: 5", []string{"traces", "group of keys"}},
		{"a list that is none", `listen: ["`, `listen: {a: "`, "", nil},
		{"a time that is none", "200ms", "soon", "soon", []string{"120h"}},
		{"a time in an unknown unit", "200ms", "5 parrots", "5 parrots", []string{"120h"}},
		{"a tab", "judge:", "\tjudge:", "", []string{"not YAML", "tabs"}},
		{"a key twice", "judge:", "judge: {enabled: true}\njudge:", "", []string{"judge", "keep one"}},
		{"no hostname", "hostname: " + relayHost, "hostname: \"\"", "", []string{"hostname", "relay.example.com"}},
		{"a hostname without a dot", "hostname: " + relayHost, "hostname: relay", "", []string{"hostname", `"relay"`}},
		{"no data folder", "data: ", "data: \"\" #", "", []string{"data", "/var/lib/postern"}},
		{"another database", "hostname:", "database: mysql://x\nhostname:", "", []string{"database", "postgres://"}},
		{"no certificate", "  tls:", "  #", "", []string{"smtp.tls", "acme"}},
		{"a certificate without its key", ", key: \"", ", key: \"\"} #", "", []string{"smtp.tls", "both"}},
		{"a listen address without a port", `listen: ["127`, `listen: ["127.0.0.1", "127`, "", []string{"smtp.listen", `"127.0.0.1"`}},
		{"a network that is none", "127.0.0.0/8", "127.0.0.0/99", "", []string{"relay.sources", "127.0.0.0/99"}},
		{"an address that is none", "relay: {", "relay: {egress_ips: [relay.test], ", "", []string{"relay.egress_ips", "relay.test"}},
		{"a header prefix that is none", "relay: {", "relay: {header_prefix: \"X Y\", ", "", []string{"header_prefix"}},
		{"a log level that is none", "level: info", "level: loud", "", []string{"log.level", "loud"}},
		{"a budget below zero", "judge: {", "judge: {workers: -1, ", "", []string{"judge.workers"}},
		{"a file of sources that is not there", "relay: {sources: [\"127.0.0.0/8\"]}", "relay: {sources_file: /nowhere}", "", []string{"relay.sources_file", "/nowhere"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := install(t, settings{judge: true})
			p.edit(t, tt.old, tt.new)
			want := tt.want
			if tt.at != "" {
				want = append(want, p.lineOf(t, tt.at))
			}
			p.complains(t, 1, p.serve(), want...)
			p.complains(t, 1, []string{"check", "--config", p.conf})
		})
	}
	p := install(t, settings{})
	p.complains(t, 1, []string{"serve", "--config", "/nowhere/postern.yaml"}, "/nowhere/postern.yaml", "--config")
	p.complains(t, 1, []string{"serve", "--config", p.dir}, p.dir)
}

func TestWhatStopsTheStartIsOneClearLine(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, p *program)
		want []string
	}{
		{"the SMTP port is in use", func(t *testing.T, p *program) { occupy(t, p.smtp) }, []string{"smtp.listen", "another program", "stop it"}},
		{"the metrics port is in use", func(t *testing.T, p *program) { occupy(t, p.metrics) }, []string{"metrics.listen", "another program"}},
		{"an address that the machine has not", func(t *testing.T, p *program) { p.edit(t, p.smtp, "192.0.2.1:2525") }, []string{"smtp.listen", "192.0.2.1"}},
		{"the certificate is not there", func(t *testing.T, p *program) { os.Remove(filepath.Join(p.dir, "cert.pem")) }, []string{"smtp.tls", "cert.pem"}},
		{"the certificate is a folder", func(t *testing.T, p *program) { p.edit(t, p.dir+"/cert.pem", p.dir) }, []string{"smtp.tls", p0}},
		{"the certificate is none", func(t *testing.T, p *program) { write(t, filepath.Join(p.dir, "cert.pem"), []byte("hello")) }, []string{"smtp.tls", "cert.pem"}},
		{"the key is of another certificate", func(t *testing.T, p *program) {
			_, key := issue(t, relayHost)
			write(t, filepath.Join(p.dir, "key.pem"), key)
		}, []string{"smtp.tls", "key"}},
		{"the CA file is none", func(t *testing.T, p *program) { write(t, filepath.Join(p.dir, "ca.pem"), []byte("hello")) }, []string{"deliver.ca_file"}},
		{"the data folder is a file", func(t *testing.T, p *program) { write(t, p.data(), []byte("x")) }, []string{"data folder", p1}},
		{"the root key is damaged", func(t *testing.T, p *program) {
			p.tenant("Contoso", "contoso.test", "192.0.2.1")
			write(t, filepath.Join(p.data(), "root.key"), []byte("x"))
		}, []string{"root key"}},
		{"the root key is another", func(t *testing.T, p *program) {
			p.tenant("Contoso", "contoso.test", "192.0.2.1")
			other := install(t, settings{})
			other.tenant("Other", "other.test", "192.0.2.1")
			write(t, filepath.Join(p.data(), "root.key"), []byte(read(t, filepath.Join(other.data(), "root.key"))))
		}, []string{"root key"}},
		{"the store begins with rubbish", damage(0, 4096), []string{"store", "restore"}},
		{"the store is rubbish in the middle", damage(4096, 60000), []string{"store", "restore"}},
		{"the store is cut short", func(t *testing.T, p *program) {
			fillStore(t, p)
			if err := os.Truncate(filepath.Join(p.data(), "postern.db"), 10000); err != nil {
				t.Fatal(err)
			}
		}, []string{"store", "restore"}},
		{"the store is of a newer version", newer, []string{"newer"}},
		{"the database does not answer", func(t *testing.T, p *program) {
			p.edit(t, "hostname:", "database: postgres://u:secret@127.0.0.1:9/x\nhostname:")
		}, []string{"127.0.0.1"}},
		{"a disk without room", fullDisk, []string{"disk", "full", "make room"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := install(t, settings{judge: true})
			tt.do(t, p)
			want := append([]string(nil), tt.want...)
			for i := range want {
				want[i] = strings.NewReplacer(p0, p.dir, p1, p.data()).Replace(want[i])
			}
			p.complains(t, 1, p.serve(), want...)
			if o := p.run("check"); o.code != 1 || strings.Contains(o.stderr, "goroutine") {
				t.Errorf("check: exit %d: %s%s", o.code, o.stdout, o.stderr)
			}
		})
	}
}

const (
	p0 = "{dir}"
	p1 = "{data}"
)

func occupy(t *testing.T, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

// fillStore makes a store of some size.
func fillStore(t *testing.T, p *program) {
	t.Helper()
	p.tenant("Contoso", "contoso.test", "192.0.2.1")
	for i := range 30 {
		p.do(nil, "domain", "add", fmt.Sprintf("d%d.test", i), "--tenant", "contoso", "--mta", "192.0.2.1")
	}
}

func damage(at, n int64) func(*testing.T, *program) {
	return func(t *testing.T, p *program) {
		fillStore(t, p)
		f, err := os.OpenFile(filepath.Join(p.data(), "postern.db"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rubbish := make([]byte, n)
		for i := range rubbish {
			rubbish[i] = byte(i*7 + 3)
		}
		if _, err := f.WriteAt(rubbish, at); err != nil {
			t.Fatal(err)
		}
	}
}

// newer makes the store look as if a later Postern had migrated it.
func newer(t *testing.T, p *program) {
	fillStore(t, p)
	db, err := sql.Open("sqlite", filepath.Join(p.data(), "postern.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("INSERT INTO schema_version (version, applied_at) VALUES (99999, 1)"); err != nil {
		t.Fatal(err)
	}
}

// fullDisk puts the data folder on a small disk and fills it.
func fullDisk(t *testing.T, p *program) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	if err := os.Mkdir(p.data(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", p.data(), "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a small disk cannot be mounted: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(p.data(), syscall.MNT_DETACH) })
	write(t, filepath.Join(p.data(), "filler"), make([]byte, 3900<<10))
}

func TestWhatAPersonGetsWrongIsOneClearLine(t *testing.T) {
	sink := newSink(t)
	p := install(t, settings{judge: true, dns: sink.dns})
	if err := sink.zone.Add(relayHost + ". A 127.0.0.1\nself.test. A 127.0.0.1\nloop.test. MX 0 " + relayHost + ".\nnull.test. MX 0 .\n"); err != nil {
		t.Fatal(err)
	}
	p.tenant("Contoso", "contoso.test", "192.0.2.1")
	_, port, _ := net.SplitHostPort(p.smtp)
	add := func(domain string, mtas ...string) []string {
		args := []string{"domain", "add", domain, "--tenant", "contoso"}
		for _, m := range mtas {
			args = append(args, "--mta", m)
		}
		return args
	}
	for _, tt := range []struct {
		name string
		code int
		args []string
		want []string
	}{
		{"an unknown verb", 2, []string{"explode"}, []string{"explode", "--help"}},
		{"an unknown flag", 2, []string{"trace", "--colour"}, []string{"--colour"}},
		{"an unknown verb below a verb", 2, []string{"domain", "explode"}, []string{"explode"}},
		{"a verb without its argument", 2, []string{"domain", "enable"}, []string{"domain"}},
		{"a domain without an MTA", 2, add("new.test"), []string{"--mta"}},
		{"a flag without its value", 2, []string{"domain", "add", "new.test", "--tenant"}, []string{"--tenant"}},
		{"a time that is none", 2, []string{"trace", "--since", "yesterday"}, []string{"yesterday", "24h"}},
		{"an id that is none", 2, []string{"quarantine", "release", "nonsense"}, []string{"nonsense", "quarantine list"}},
		{"an id that nothing has", 1, []string{"quarantine", "release", "01ARZ3NDEKTSV4RRFFQ69G5FAV"}, []string{"01ARZ3NDEKTSV4RRFFQ69G5FAV"}},
		{"a message that does not wait", 1, []string{"queue", "retry", "01ARZ3NDEKTSV4RRFFQ69G5FAV"}, []string{"01ARZ3NDEKTSV4RRFFQ69G5FAV"}},
		{"an unknown tenant", 1, []string{"domain", "add", "new.test", "--tenant", "nobody", "--mta", "192.0.2.1"}, []string{"nobody", "contoso"}},
		{"an unknown tenant's key", 1, []string{"key", "rotate", "--tenant", "nobody"}, []string{"nobody"}},
		{"a tenant that is there", 1, []string{"tenant", "add", "Contoso"}, []string{"contoso", "exists"}},
		{"a tenant without a usable name", 1, []string{"tenant", "add", "***"}, []string{"***"}},
		{"a domain that is none", 1, add("not a domain", "192.0.2.1"), []string{"not a domain", "example.com"}},
		{"a domain of one label", 1, add("localhost", "192.0.2.1"), []string{"localhost"}},
		{"a domain with a line end", 1, add("a.test\nb.test", "192.0.2.1"), []string{"example.com"}},
		{"a domain that is not known", 1, []string{"domain", "enable", "new.test"}, []string{"new.test", "domain add"}},
		{"an MTA that is none", 1, add("new.test", "not a host"), []string{"not a host"}},
		{"an MTA's port that is none", 1, add("new.test", "mx.new.test:99999"), []string{"99999"}},
		{"an MTA's option that is none", 1, add("new.test", "mx.new.test,tls=maybe"), []string{"tls=maybe", "tls=verify"}},
		{"a fourth MTA", 1, add("new.test", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"), []string{"4", "at most 3"}},
		{"an MTA twice", 1, add("new.test", "192.0.2.1", "192.0.2.1"), []string{"twice"}},
		{"the relay itself by name", 1, add("new.test", relayHost+":"+port), []string{"itself"}},
		{"the relay itself by a name that leads to it", 1, add("new.test", "self.test:"+port), []string{"itself"}},
		{"the relay itself by address", 1, add("new.test", p.smtp), []string{"itself"}},
		{"this machine", 1, add("new.test", "0.0.0.0"), []string{"this machine"}},
		{"a domain whose MX is the relay", 1, []string{"domain", "resolve", "loop.test"}, []string{"points to this relay"}},
		{"a domain without an MX", 1, []string{"domain", "resolve", "nothing.test"}, []string{"nothing.test", "MX"}},
		{"a domain that takes no mail", 1, []string{"domain", "resolve", "null.test"}, []string{"null.test"}},
		{"a file that is not there", 1, []string{"scan", "/nowhere/mail.eml"}, []string{"/nowhere/mail.eml"}},
		{"a folder that is not there", 1, []string{"eval", "--ham", "/nowhere", "--spam", "/nowhere"}, []string{"/nowhere"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.complains(t, tt.code, append([]string{"--config", p.conf}, tt.args...), tt.want...)
		})
	}
	var domains []struct{ Domain string }
	if p.do(&domains, "domain", "list"); len(domains) != 1 {
		t.Errorf("a refused domain was added all the same: %+v", domains)
	}
}
