package ingress

// help answers HELP (RFC 5321 §4.1.1.8).
func (s *session) help() { s.wire.say("214 2.0.0 See RFC 5321\r\n") }
