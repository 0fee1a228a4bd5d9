package ingress

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// TestRealClients lets programs that others wrote send mail.
func TestRealClients(t *testing.T) {
	for _, tt := range []struct {
		name string
		args func(addr string) []string
		want int
	}{
		{"smtp-source, one session for each message", func(addr string) []string {
			return []string{"smtp-source", "-s", "5", "-m", "20", "-l", "20000", "-f", "ann@example.com", "-t", "bob@example.net", "-d", addr}
		}, 20},
		{"smtp-source, kept sessions", func(addr string) []string {
			return []string{"smtp-source", "-s", "5", "-m", "200", "-l", "8192", "-r", "3", "-f", "ann@example.com", "-t", "bob@example.net", addr}
		}, 200},
		{"swaks over TLS", func(addr string) []string {
			return []string{"swaks", "--server", addr, "--tls", "--from", "ann@example.com", "--to", "bob@example.net,eve@example.net", "--body", ".\nfoo\n..bar", "--hide-all"}
		}, 1},
		{"swaks pipelined", func(addr string) []string {
			return []string{"swaks", "--server", addr, "--pipeline", "--from", "<>", "--to", "bob@example.net", "--hide-all"}
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &inbox{}
			addr := serve(t, &Server{Accept: in.accept, TLS: serverConfig(t)})
			args := tt.args(addr)
			program, err := exec.LookPath(args[0])
			if err != nil {
				if program, err = exec.LookPath("/usr/sbin/" + args[0]); err != nil {
					t.Skipf("%s is not installed", args[0])
				}
			}
			if out, err := exec.Command(program, args[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", args, err, out)
			}
			got := in.all()
			if len(got) != tt.want {
				t.Fatalf("%d messages, want %d", len(got), tt.want)
			}
			for _, r := range got {
				if !strings.HasSuffix(r.body, "\r\n") || strings.Contains(strings.ReplaceAll(r.body, "\r\n", ""), "\n") {
					t.Errorf("line ends of %.100q", r.body)
				}
			}
			if args[0] == "swaks" && args[3] == "--tls" {
				if body := fmt.Sprintf("%q", got[0].body); !strings.Contains(body, `\r\n.\r\nfoo\r\n..bar`) || got[0].env.TLS.Version == "" {
					t.Errorf("%s over %+v", body, got[0].env.TLS)
				}
			}
		})
	}
}
