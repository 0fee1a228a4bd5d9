package deliver

import (
	"strings"
	"testing"

	"postern/internal/mail"
)

// offered without one extension.
func without(name string) []string {
	var offer []string
	for _, e := range everything {
		if !strings.HasPrefix(e, name) {
			offer = append(offer, e)
		}
	}
	return offer
}

func TestTheEnvelopeIsPassedOnAsTheHopUnderstandsIt(t *testing.T) {
	rcpt := mail.Rcpt{Addr: `"Ann B"@Example.com`, Notify: "SUCCESS,DELAY", ORcpt: "rfc822;Ann+2BB@example.com"}
	for _, tt := range []struct {
		name  string
		offer []string
		job   func(*Job)
		mail  string // what follows MAIL FROM:
		rcpt  string // what follows RCPT TO:
	}{
		{name: "all of it", offer: everything, job: func(j *Job) { j.Ret, j.EnvID, j.Body = "HDRS", "QQ+3D14", "8BITMIME" },
			mail: "<a@sender.test> SIZE=94 BODY=8BITMIME RET=HDRS ENVID=QQ+3D14", rcpt: `<"Ann B"@Example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Ann+2BB@example.com`},
		{name: "nothing given", offer: everything, job: func(j *Job) { j.Rcpts[0].Notify, j.Rcpts[0].ORcpt = "", "" }, mail: "<a@sender.test> SIZE=94", rcpt: `<"Ann B"@Example.com>`},
		{name: "null sender and never", offer: everything, job: func(j *Job) { j.From, j.Rcpts[0].Notify, j.Ret = "", "NEVER", "FULL" },
			mail: "<> SIZE=94 RET=FULL", rcpt: `<"Ann B"@Example.com> NOTIFY=NEVER ORCPT=rfc822;Ann+2BB@example.com`},
		{name: "no DSN", offer: without("DSN"), job: func(j *Job) { j.Ret, j.EnvID = "HDRS", "x" }, mail: "<a@sender.test> SIZE=94", rcpt: `<"Ann B"@Example.com>`},
		{name: "no SIZE", offer: without("SIZE"), mail: "<a@sender.test>", rcpt: `<"Ann B"@Example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Ann+2BB@example.com`},
		{name: "7BIT stays 7BIT", offer: everything, job: func(j *Job) { j.Body = "7BIT" }, mail: "<a@sender.test> SIZE=94 BODY=7BIT"},
		{name: "undeclared 8-bit content is declared", offer: everything, job: eightBit, mail: "<a@sender.test> SIZE=97 BODY=8BITMIME"},
		{name: "8BITMIME asked for plain content, not offered", offer: without("8BITMIME"), job: func(j *Job) { j.Body = "8BITMIME" }, mail: "<a@sender.test> SIZE=94"},
		{name: "SMTPUTF8 addresses", offer: everything, job: func(j *Job) { j.SMTPUTF8, j.Rcpts[0].Addr, j.From = true, "jürgen@exämple.com", "ñ@sender.test" },
			mail: "<ñ@sender.test> SIZE=94 SMTPUTF8", rcpt: `<jürgen@exämple.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Ann+2BB@example.com`},
		{name: "SMTPUTF8 asked for a plain message, not offered", offer: without("SMTPUTF8"), job: func(j *Job) { j.SMTPUTF8 = true }, mail: "<a@sender.test> SIZE=94"},
		{name: "parameters that would break out are dropped", offer: everything, job: func(j *Job) {
			j.EnvID, j.Ret, j.Rcpts[0].ORcpt, j.Rcpts[0].Notify = "a\r\nRCPT TO:<evil@x.test>", "FULL\r\nDATA", "rfc822;a b", "NEVER\n"
		}, mail: "<a@sender.test> SIZE=94", rcpt: `<"Ann B"@Example.com>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHop(t, func(h *hop) { h.offer = tt.offer })
			s := newSender(t)
			job := jobFor(text, h.mta)
			job.Rcpts = []mail.Rcpt{rcpt}
			if tt.job != nil {
				tt.job(&job)
			}
			if out := s.Send(t.Context(), job); kinds(out) != "delivered" {
				t.Fatalf("%+v", out)
			}
			m := h.messages()[0]
			if got := strings.TrimPrefix(m.mail, "MAIL FROM:"); got != tt.mail {
				t.Errorf("MAIL FROM:%s, want %s", got, tt.mail)
			}
			if got := strings.TrimPrefix(m.rcpts[0], "RCPT TO:"); tt.rcpt != "" && got != tt.rcpt {
				t.Errorf("RCPT TO:%s, want %s", got, tt.rcpt)
			}
		})
	}
}

func eightBit(j *Job) {
	content := strings.Replace(text, "Hello", "Grüßen", 1)
	j.Size, j.Open = int64(len(content)), jobFor(content).Open
}

func TestWhatAHopCannotTakeUnharmedIsNotSentToIt(t *testing.T) {
	utf8Header := strings.Replace(text, "hello", "Grüße", 1)
	for _, tt := range []struct {
		name    string
		offer   []string
		content string
		job     func(*Job)
		words   string
	}{
		{name: "UTF-8 recipient", offer: without("SMTPUTF8"), content: text, job: func(j *Job) { j.Rcpts[0].Addr = "jürgen@example.com" }, words: "no SMTPUTF8"},
		{name: "UTF-8 sender", offer: without("SMTPUTF8"), content: text, job: func(j *Job) { j.From = "ñ@sender.test" }, words: "no SMTPUTF8"},
		{name: "UTF-8 header", offer: without("SMTPUTF8"), content: utf8Header, job: func(j *Job) { j.SMTPUTF8 = true }, words: "no SMTPUTF8"},
		{name: "8-bit content", offer: without("8BITMIME"), content: utf8Header, job: func(j *Job) { j.Body = "8BITMIME" }, words: "no 8BITMIME"},
		{name: "8-bit far into the content", offer: without("8BITMIME"), content: strings.Repeat(text, 3000) + "ü\r\n", words: "no 8BITMIME"},
		{name: "REQUIRETLS", offer: everything, content: text, job: func(j *Job) { j.RequireTLS = true }, words: "REQUIRETLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, second := newHop(t, func(h *hop) { h.offer = tt.offer }), newHop(t, func(h *hop) { h.offer = tt.offer })
			able := newHop(t, nil)
			dead := newHop(t, nil)
			dead.kill()
			s := newSender(t)
			job := jobFor(tt.content, h.mta, second.mta)
			if tt.job != nil {
				tt.job(&job)
			}
			out := s.Send(t.Context(), job)
			if kinds(out) != "undeliverable" || !strings.Contains(out[0].Reply, tt.words) || len(h.messages())+len(second.messages()) > 0 {
				t.Errorf("%+v", out)
			}
			job.MTAs = []mail.MTA{h.mta, dead.mta}
			if out := s.Send(t.Context(), job); kinds(out) != "deferred" {
				t.Errorf("another MTA may take it later, but: %+v", out)
			}
			if tt.words == "REQUIRETLS" {
				return
			}
			job.MTAs = []mail.MTA{h.mta, able.mta}
			if out := s.Send(t.Context(), job); kinds(out) != "delivered" || string(able.messages()[0].content) != string(job.Prepend)+tt.content {
				t.Errorf("another MTA takes it, but: %+v", out)
			}
		})
	}
}

func FuzzPathsDoNotBreakOut(f *testing.F) {
	for _, s := range []string{"a@b", `"a b"@c`, `"a\"@b`, "a>b", "a\r\nb", `"\`, "ü@ö", "<>", `"a>" b@c`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, addr string) {
		if !validPath(addr) {
			return
		}
		if strings.ContainsAny(addr, "\r\n\x00") {
			t.Fatalf("%q", addr)
		}
		// whoever reads quotes finds the closing bracket where we put it
		quoted := false
		for i := 0; i < len(addr); i++ {
			switch {
			case addr[i] == '\\' && quoted:
				i++
			case addr[i] == '"':
				quoted = !quoted
			case addr[i] == '>' && !quoted:
				t.Fatalf("%q ends early", addr)
			}
		}
		if quoted {
			t.Fatalf("%q never ends", addr)
		}
	})
}
