package mail

import "fmt"

// A Reply is our answer to an SMTP command (RFC 5321 §4.2) with its enhanced
// status code (RFC 3463). It is an error, so any stage can refuse a message by
// returning one; every other error reaches the client as 451 4.3.0.
type Reply struct {
	Code     int    // 2xx done, 4xx try again, 5xx refused
	Enhanced string // "5.7.1"; empty only in the greeting and in answers to EHLO
	Text     string // one line of ASCII for the sender; names no rule, host or path of ours
}

func (r *Reply) Error() string { return r.String() }

// String is the reply as it stands on the wire, without line end.
func (r *Reply) String() string {
	if r.Enhanced == "" {
		return fmt.Sprintf("%d %s", r.Code, r.Text)
	}
	return fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, r.Text)
}

// Temporary reports whether the client should try again (4xx).
func (r *Reply) Temporary() bool { return r.Code >= 400 && r.Code < 500 }
