package ingress

// noop answers NOOP, whose parameter means nothing (RFC 5321 §4.1.1.9).
func (s *session) noop() { s.wire.say("250 2.0.0 Ok\r\n") }
