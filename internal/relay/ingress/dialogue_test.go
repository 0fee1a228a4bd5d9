package ingress

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestDialogues plays testdata/dialogue/*.txt. In them
//
//	option NAME            requiretls, tls, size=N, recipients=N, errors=N
//	c: LINE                the client sends LINE and CRLF
//	c~ "GO STRING"         the client sends these octets
//	s: PREFIX              the next reply begins so; its lines are joined with "|"
//	has: TEXT              the last reply contains this
//	lacks: TEXT            ... and not this
//	tls                    the client makes the handshake
//	closed                 the server has hung up
//	accepted: "GO STRING"  the next message Accept got
//
// and Accept got no message that is not named.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/dialogue/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	for _, file := range files {
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			play(t, string(script))
		})
	}
}

func play(t *testing.T, script string) {
	in := &inbox{}
	srv := &Server{Accept: in.accept}
	var c *client
	last, accepted := "", 0
	for nr, line := range strings.Split(script, "\n") {
		word, arg, _ := strings.Cut(line, " ")
		if line == "" || line[0] == '#' {
			continue
		}
		if word == "option" {
			option(t, srv, arg)
			continue
		}
		if c == nil {
			c = dial(t, serve(t, srv))
		}
		switch word {
		case "c:":
			c.send(arg + "\r\n")
		case "c~":
			c.send(unquote(t, arg))
		case "s:":
			var err error
			if last, err = c.reply(); err != nil || !strings.HasPrefix(last, arg) {
				t.Fatalf("line %d: reply %q, %v; want %q", nr+1, last, err, arg)
			}
		case "has:", "lacks:":
			if strings.Contains(last, arg) != (word == "has:") {
				t.Errorf("line %d: reply %q %s %q", nr+1, last, word, arg)
			}
		case "tls":
			c.handshake(nil)
		case "closed":
			c.closed()
		case "accepted:":
			got := in.bodies()
			if accepted >= len(got) || got[accepted] != unquote(t, arg) {
				t.Errorf("line %d: accepted %q, want %s next", nr+1, got[min(accepted, len(got)):], arg)
			}
			accepted++
		default:
			t.Fatalf("line %d: what is %q?", nr+1, line)
		}
	}
	if got := in.bodies(); len(got) != accepted {
		t.Errorf("accepted %d messages, the script names %d: %q", len(got), accepted, got)
	}
}

func option(t *testing.T, srv *Server, arg string) {
	name, value, _ := strings.Cut(arg, "=")
	n, _ := strconv.Atoi(value)
	switch name {
	case "requiretls":
		srv.RequireTLS = true
		srv.TLS = serverConfig(t)
	case "tls":
		srv.TLS = serverConfig(t)
	case "size":
		srv.MaxSize = int64(n)
	case "recipients":
		srv.Limits.Recipients = n
	case "errors":
		srv.Limits.Errors = n
	default:
		t.Fatalf("what is option %q?", arg)
	}
}

func unquote(t *testing.T, s string) string {
	t.Helper()
	u, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return u
}
