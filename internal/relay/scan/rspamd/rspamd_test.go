package rspamd

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

var _ scan.Engine = (*Engine)(nil)

func from(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

var (
	env    = mail.Envelope{From: "srs0=x@exchange.example", To: []mail.Rcpt{{Addr: "a@contoso.example"}, {Addr: "b@contoso.example"}, {Addr: "evil\r\nIP: 127.0.0.1"}}}
	origin = mail.Origin{IP: netip.MustParseAddr("192.0.2.1"), HELO: "mx.example", MailFrom: "ann@shop.example"}
)

func TestWhatRspamdIsTold(t *testing.T) {
	var head http.Header
	var body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		head, body = r.Header, string(b)
		if r.URL.Path != "/checkv2" {
			t.Errorf("asked for %s", r.URL)
		}
		io.WriteString(w, `{"action":"no action","score":0.0}`)
	}))
	defer s.Close()
	e := &Engine{URL: s.URL + "/"}
	found, err := e.Check(t.Context(), &env, origin, 5, from("hello"))
	if err != nil || len(found) != 0 || body != "hello" {
		t.Fatalf("%+v, %v, %q", found, err, body)
	}
	for name, want := range map[string][]string{"IP": {"192.0.2.1"}, "Helo": {"mx.example"}, "From": {"ann@shop.example"}, "Rcpt": {"a@contoso.example", "b@contoso.example"}} {
		if !slices.Equal(head.Values(name), want) {
			t.Errorf("%s: %q", name, head.Values(name))
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		answer string
		class  mail.Verdict
		score  int
		fails  bool
	}{
		{`{"action":"reject","score":20.1,"required_score":15,"symbols":{"BAYES_SPAM":{"score":5.1},"R_SPF_FAIL":{"score":1},"DMARC_OK":{"score":-1}}}`, mail.Spam, 80, false},
		{`{"action":"reject","score":20,"symbols":{"CLAM_VIRUS":{"score":8}}}`, mail.Malware, 80, false},
		{`{"action":"add header","score":7,"symbols":{"PHISHING":{"score":4}}}`, mail.Phish, 50, false},
		{`{"action":"greylist","score":4.5}`, mail.Spam, 15, false},
		{`{"action":"no action","score":3.4}`, "", 3, false},
		{`{"action":"no action","score":-50}`, "", -5, false},
		{`{"action":"something new"}`, "", 0, true},
		{`{"error":"invalid command"}`, "", 0, true},
		{`{"is_skipped":true,"action":"no action"}`, "", 0, true},
		{`nonsense`, "", 0, true},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, tt.answer) }))
		found, err := (&Engine{URL: s.URL}).Check(t.Context(), &env, origin, 1, from("x"))
		s.Close()
		if (err != nil) != tt.fails || len(found) > 0 && (found[0].Class != tt.class || found[0].Score != tt.score) || len(found) == 0 && tt.score != 0 {
			t.Errorf("%s: %+v, %v", tt.answer, found, err)
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	if _, err := (&Engine{URL: s.URL}).Check(t.Context(), &env, origin, 1, from("x")); err == nil || asked {
		t.Errorf("%v, asked: %v", err, asked)
	}
}

// TestRealRspamd starts an rspamd of its own with Debian's rules and no DNS.
func TestRealRspamd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts rspamd")
	}
	exe, err := exec.LookPath("rspamd")
	if err != nil {
		t.Skip("rspamd is not installed (apt-get install rspamd)")
	}
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	for name, text := range map[string]string{
		"local.d/worker-normal.inc":     fmt.Sprintf("bind_socket = %q;\ncount = 1;\n", addr),
		"local.d/worker-controller.inc": "enabled = false;\n",
		"local.d/worker-proxy.inc":      "enabled = false;\n",
		"local.d/worker-fuzzy.inc":      "enabled = false;\n",
		"local.d/options.inc":           "dns { nameserver = [\"127.0.0.1:1\"]; timeout = 0.1s; retransmits = 1; }\nenable_test_patterns = true;\ndisable_hyperscan = true;\nurl_tld = \"" + dir + "/tld.dat\";\n", // the whole list takes minutes to compile
		"tld.dat":                       "com\norg\nexample\n",
		"local.d/logging.inc":           "type = \"console\";\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(exe, "-f", "-i", "-c", "/etc/rspamd/rspamd.conf", "--var=LOCAL_CONFDIR="+dir, "--var=DBDIR="+dir, "--var=RUNDIR="+dir, "--var=LOGDIR="+dir)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Skipf("rspamd does not start here: %v", err)
	}
	t.Cleanup(func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() })
	e := &Engine{URL: "http://" + addr}
	ham := "From: Ann <ann@shop.example>\r\nTo: a@contoso.example\r\nSubject: hello\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\n\r\nhello\r\n"
	gtube := strings.Replace(ham, "\r\n\r\nhello", "\r\n\r\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X", 1)
	for range 200 {
		if _, err = e.Check(t.Context(), &env, origin, int64(len(ham)), from(ham)); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		text := said.String()
		t.Skipf("rspamd does not come up here: %v\n%s", err, text[max(0, len(text)-1500):])
	}
	found, err := e.Check(t.Context(), &env, origin, int64(len(gtube)), from(gtube))
	if err != nil || len(found) != 1 || found[0].Score < 50 {
		t.Errorf("GTUBE: %+v, %v", found, err)
	}
	t.Log(found)
}
