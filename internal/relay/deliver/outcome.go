package deliver

import "strings"

// mailReply takes the answer to MAIL.
func (x *transaction) mailReply(r *reply) *hopError {
	switch {
	case r.ok():
		return nil
	case aboutUs(r):
		return &hopError{stage: "MAIL", reply: r}
	}
	x.refused = true
	x.answered(x.batch, r)
	return nil
}

// aboutUs reports whether a refusal of MAIL says that we do not get on with this
// hop (it wants TLS, a password, another order) rather than anything about the
// message: a bounce would be wrong, an administrator has to look.
func aboutUs(r *reply) bool {
	switch r.code {
	case 500, 502, 503, 530, 534, 535, 538:
		return true
	}
	return !r.temporary() && !r.permanent()
}

// rcptReply takes the answer to one RCPT.
func (x *transaction) rcptReply(i int, r *reply) {
	switch {
	case r.ok():
		x.accepted = append(x.accepted, i)
	case len(x.accepted) > 0 && tooMany(r):
		x.again = append(x.again, i)
		x.note(i, r)
	default:
		x.answered([]int{i}, r)
	}
}

// tooMany reports whether r asks to send this recipient in a transaction of its
// own (RFC 5321 §4.5.3.1.10).
func tooMany(r *reply) bool {
	switch r.code {
	case 452, 552:
		e := r.enhanced()
		return e == "" || strings.HasSuffix(e, ".5.3")
	}
	return false
}

// finish takes the answer to the content, which is for all accepted recipients.
func (x *transaction) finish(r *reply) *hopError {
	x.c.dirty = !x.sent
	if !r.ok() {
		if !r.temporary() && !r.permanent() {
			return &hopError{stage: "content", reply: r}
		}
		x.answered(x.accepted, r)
		return nil
	}
	x.c.served = x.now
	x.settle(x.accepted, Outcome{Kind: Delivered, Reply: r.String()})
	if sent := x.t.job.Sent; sent != nil {
		told := make([]Outcome, len(x.accepted))
		for n, i := range x.accepted {
			told[n] = x.t.out[i]
		}
		sent(told)
	}
	return nil
}

// answered takes a 4xx or 5xx for these recipients. A 5xx is final; for a 4xx the
// next MTA may be tried.
func (x *transaction) answered(batch []int, r *reply) {
	if r.permanent() {
		x.settle(batch, Outcome{Kind: Refused, Reply: r.String()})
		return
	}
	for _, i := range batch {
		x.note(i, r)
	}
}

func (x *transaction) note(i int, r *reply) {
	o := Outcome{Kind: Deferred, Reply: r.String()}
	if busy(r) {
		o.Signal = Busy
	}
	x.noteAll([]int{i}, o)
}

// busy reports whether a 4xx asks us to slow down rather than being about one
// message: Exchange Online throttles with 4.7.x and 4.3.2 (smtp_codes of its
// documentation).
func busy(r *reply) bool {
	e := r.enhanced()
	return r.code == 421 || strings.HasPrefix(e, "4.7.") || e == "4.3.2" || e == "4.3.1"
}

func (x *transaction) settle(batch []int, o Outcome) {
	for _, i := range batch {
		x.t.settle(i, x.from(o))
	}
}

func (x *transaction) noteAll(batch []int, o Outcome) {
	for _, i := range batch {
		x.t.note(i, x.from(o))
	}
}

// from says which hop an outcome comes from.
func (x *transaction) from(o Outcome) Outcome {
	o.MTA, o.TLS = x.c.route.mta.Address(), x.c.tls
	return o
}
