package ingress

// rset answers RSET (RFC 5321 §4.1.1.5).
func (s *session) rset(arg []byte) {
	if len(trim(arg)) > 0 {
		s.fail("501 5.5.4 RSET takes no parameters\r\n")
		return
	}
	s.reset()
	s.wire.say("250 2.0.0 Ok\r\n")
}
