package ingress

// unknown answers everything that is no command of ours. A browser that was tricked
// into talking to us is not let speak on: its request's body could hold commands.
func (s *session) unknown(verb string) {
	switch verb {
	case "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH":
		s.fail("500 5.5.1 This is not a web server\r\n")
		if !s.closing {
			s.bye("421 4.7.0 ", "HTTP spoken")
		}
	case "SEND", "SOML", "SAML", "TURN", "ETRN", "ATRN", "BURL":
		s.fail("502 5.5.1 Command not implemented\r\n")
	default:
		s.fail("500 5.5.1 Unknown command\r\n")
	}
}
