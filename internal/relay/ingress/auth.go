package ingress

// auth answers AUTH, which is never offered: nobody submits mail here.
func (s *session) auth() { s.fail("502 5.5.1 AUTH is not available\r\n") }
