package ingress

// quit answers QUIT and hangs up (RFC 5321 §4.1.1.10). What follows it is never read.
func (s *session) quit(arg []byte) {
	if len(trim(arg)) > 0 {
		s.fail("501 5.5.4 QUIT takes no parameters\r\n")
		return
	}
	s.wire.say("221 2.0.0 " + s.srv.Hostname + " Bye\r\n")
	s.closing = true
	s.linger = s.wire.r < s.wire.w
}
