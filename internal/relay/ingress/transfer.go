package ingress

import (
	"errors"
	"strconv"
	"time"

	"postern/internal/mail"
	"postern/internal/metric"
)

// transfer lets Accept read the content from src. It returns the body, for how it
// ended, and what Accept said.
func (s *session) transfer(src source) (b *body, id mail.ID, err error) {
	if s.unsaid {
		s.wire.flush()
	}
	s.unsaid = false
	s.env.Received = time.Now().UTC()
	b = &body{src: src, max: s.srv.MaxSize}
	defer func() { b.closed, b.piece = true, nil }()
	id, err = s.srv.Accept(s.ctx, s.env, b)
	return b, id, err
}

// verdict is the reply to a message.
func (s *session) verdict(id mail.ID, err error, tooBig bool) (reply string, code int) {
	if tooBig {
		return "552 5.3.4 Message too big\r\n", 552
	}
	if err == nil {
		return "250 2.0.0 Ok: queued as " + string(id) + "\r\n", 250
	}
	var r *mail.Reply
	if errors.As(err, &r) && r.Code >= 200 && r.Code <= 599 {
		return oneLine(r.String()) + "\r\n", r.Code
	}
	s.srv.Log.Error("message not accepted", "client", s.client, "err", err)
	return "451 4.3.0 Temporary failure, try again later\r\n", 451
}

// oneLine replaces what would make a reply more than a line of ASCII.
func oneLine(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// answer says the reply to a message that ended at the given time.
func (s *session) answer(reply string, code int, ended time.Time) {
	s.wire.say(reply)
	s.unsaid = true
	s.active = time.Now()
	if code < 300 {
		s.mistakes = 0
	}
	s.srv.count(func(m *metric.Set) {
		m.Replies.WithLabelValues(strconv.Itoa(code)).Inc()
		m.AcceptTime.Observe(s.active.Sub(ended).Seconds())
	})
	if code == 421 {
		s.closing, s.linger = true, true
	}
}
