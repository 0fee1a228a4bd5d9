package ingress

import (
	"io"
	"time"
)

// data answers DATA and takes the content (RFC 5321 §4.1.1.4).
func (s *session) data(arg []byte) {
	if len(trim(arg)) > 0 {
		s.fail("501 5.5.4 DATA takes no parameters\r\n")
		return
	}
	if !s.mayTransfer() {
		return
	}
	if s.chunking {
		s.fail("503 5.5.1 BDAT was used, DATA cannot follow\r\n") // RFC 3030 §2
		return
	}
	s.wire.say("354 End data with <CR><LF>.<CR><LF>\r\n")
	s.wire.content()
	content := &dots{wire: &s.wire, bol: true}
	b, id, err := s.transfer(content)
	lost := b.finish()
	tooBig := lost == errTooBig
	if tooBig {
		lost = content.swallow(s.srv.MaxSize + largeSize)
		b.ended = time.Now()
	} else if lost == io.EOF {
		lost = nil
	}
	s.wire.commands()
	switch {
	case lost == errTooBig:
		s.reset()
		s.wire.say("552 5.3.4 Message too big\r\n")
		s.bye("421 4.3.4 ", "It does not end")
	case lost != nil:
		s.lost(lost)
	default:
		s.reset()
		reply, code := s.verdict(id, err, tooBig)
		s.answer(reply, code, b.ended)
	}
}

// mayTransfer reports whether there is a transaction with a recipient, and says so
// if not.
func (s *session) mayTransfer() bool {
	switch {
	case s.env == nil:
		s.fail("503 5.5.1 Send MAIL first\r\n")
	case len(s.env.To) == 0:
		s.fail("503 5.5.1 Send RCPT first\r\n")
	default:
		return true
	}
	return false
}
