package ingress

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// model is the state machine of RFC 5321 §4.1.4 and RFC 3030 §2 as a table would
// have it: what is answered in which state, and which state follows.
type model struct {
	hello, mail, chunks bool
	rcpts               int
	accepted            int
}

// moves are the commands, each with the answer that the model gives.
var moves = []struct {
	send string
	code func(m *model) string
}{
	{"EHLO x\r\n", func(m *model) string { *m = model{hello: true, accepted: m.accepted}; return "250" }},
	{"HELO x\r\n", func(m *model) string { *m = model{hello: true, accepted: m.accepted}; return "250" }},
	{"EHLO\r\n", func(*model) string { return "501" }},
	{"MAIL FROM:<a@b.c>\r\n", func(m *model) string {
		if !m.hello || m.mail {
			return "503"
		}
		m.mail = true
		return "250"
	}},
	{"MAIL FROM:a\r\n", func(m *model) string {
		if !m.hello || m.mail {
			return "503"
		}
		return "501"
	}},
	{"RCPT TO:<d@e.f>\r\n", func(m *model) string {
		if !m.mail || m.chunks {
			return "503"
		}
		m.rcpts++
		return "250"
	}},
	{"RCPT TO:<>\r\n", func(m *model) string {
		if !m.mail || m.chunks {
			return "503"
		}
		return "501"
	}},
	{"DATA\r\n", func(m *model) string {
		if m.rcpts == 0 || m.chunks {
			return "503"
		}
		return "354"
	}},
	{"BDAT 6\r\nQUIT\r\n", func(m *model) string {
		if m.rcpts == 0 {
			return "503"
		}
		m.chunks = true
		return "250"
	}},
	{"BDAT 6 LAST\r\nQUIT\r\n", func(m *model) string {
		if m.rcpts == 0 {
			return "503"
		}
		m.accepted++
		*m = model{hello: true, accepted: m.accepted}
		return "250"
	}},
	{"BDAT 6 FIRST\r\nQUIT\r\n", func(*model) string { return "501" }},
	{"RSET\r\n", func(m *model) string { *m = model{hello: m.hello, accepted: m.accepted}; return "250" }},
	{"NOOP\r\n", func(*model) string { return "250" }},
	{"VRFY x\r\n", func(*model) string { return "252" }},
	{"HELP\r\n", func(*model) string { return "214" }},
	{"EXPN x\r\n", func(*model) string { return "502" }},
	{"WHAT\r\n", func(*model) string { return "500" }},
	{"STARTTLS\r\n", func(*model) string { return "502" }},
}

// TestRandomDialoguesFollowTheStateTable plays 400 dialogues of 60 commands, one
// command at a time or pipelined.
func TestRandomDialoguesFollowTheStateTable(t *testing.T) {
	in := &inbox{}
	addr := serve(t, &Server{Accept: in.accept, Limits: Limits{Errors: 1000}})
	for seed := range uint64(400) {
		before := len(in.all())
		rng := rand.New(rand.NewPCG(seed, 1))
		c := dial(t, addr)
		c.want("220")
		m := &model{}
		var log []string
		var owed []string
		batch := ""
		flush := func() {
			c.send(batch)
			batch = ""
			for _, code := range owed {
				if got, err := c.reply(); err != nil || !strings.HasPrefix(got, code) {
					t.Fatalf("seed %d: reply %q, %v; want %s, after\n%s", seed, got, err, code, strings.Join(log, "\n"))
				}
			}
			owed = nil
		}
		for range 60 {
			move := moves[rng.IntN(len(moves))]
			code := move.code(m)
			log = append(log, fmt.Sprintf("%q %s", move.send, code))
			batch += move.send
			owed = append(owed, code)
			if code == "354" { // the client waits for it (RFC 2920 §3.1)
				flush()
				batch, owed = "QUIT\r\n.\r\n", []string{"250"}
				m.accepted++
				*m = model{hello: true, accepted: m.accepted}
			}
			if seed%2 == 0 || rng.IntN(5) == 0 {
				flush()
			}
		}
		flush()
		c.do("QUIT", "221")
		c.closed()
		if got := len(in.all()) - before; got != m.accepted {
			t.Fatalf("seed %d: accepted %d messages, want %d, after\n%s", seed, got, m.accepted, strings.Join(log, "\n"))
		}
	}
}
