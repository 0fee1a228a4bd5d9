package ingress

// vrfy answers VRFY without telling who exists (RFC 5321 §3.5.3, §7.3).
func (s *session) vrfy(arg []byte) {
	if len(trim(arg)) == 0 {
		s.fail("501 5.5.4 VRFY needs an address\r\n")
		return
	}
	s.wire.say("252 2.0.0 Cannot verify, but will accept the message and try to deliver it\r\n")
}

// expn answers EXPN, which we do not do (RFC 5321 §7.3).
func (s *session) expn() { s.fail("502 5.5.1 EXPN is not available\r\n") }
