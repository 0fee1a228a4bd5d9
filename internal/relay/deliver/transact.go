package deliver

import (
	"fmt"
	"strconv"
	"time"
)

const maxRcpts = 100 // in one transaction: what every hop must take (RFC 5321 §4.5.3.1.8)

// theConnection is the stage of hopErrors before the first command.
const theConnection = "the connection"

// transaction is one MAIL … content over a connection.
type transaction struct {
	c     *conn
	t     *transfer
	batch []int // recipients, as indexes into the job's
	now   time.Time

	content  *content
	chunk    []byte // first piece of it
	whole    bool   // chunk is all
	eight    bool   // chunk holds octets above 127
	heard    int    // recipients whose RCPT was answered
	accepted []int  // recipients the hop took
	again    []int  // recipients it found too many for one transaction
	refused  bool   // MAIL was not accepted
	sent     bool   // the content is complete on the wire: from here on a lost reply is ambiguous
}

// transact sends the message to x.batch and settles or notes each recipient. On
// error the connection is of no use any more; recipients then still pending were
// certainly not delivered.
func (s *Sender) transact(x *transaction) *hopError {
	buf := s.buffers.get()
	defer s.buffers.put(buf)
	body, err := x.t.job.Open()
	if err != nil {
		return x.unreadable(fmt.Errorf("%w: %w", errContent, err))
	}
	defer body.Close()
	x.content = newContent(x.t.job.Prepend, body, x.t.job.Size, buf)
	if x.chunk, x.whole, err = x.content.next(); err != nil {
		return x.unreadable(err)
	}
	x.eight = !isASCIIBytes(x.chunk)
	why, err := x.t.unfit(x.c, x.eight, x.whole)
	if err != nil {
		return x.unreadable(err)
	}
	if why != "" {
		x.noteAll(x.batch, Outcome{Kind: Undeliverable, Reply: why})
		return nil
	}
	x.c.messages++
	bad := x.run()
	if bad != nil && x.sent && !x.refused && bad.reply == nil {
		x.settle(append(x.accepted, x.batch[x.heard:]...), Outcome{Kind: Deferred, Unsure: true, Signal: Busy,
			Reply: "the reply to the complete message was lost (" + words(bad.err).Error() + "): it may have been delivered, and is tried again later"})
	}
	return bad
}

// run is the dialogue, by one of three ways: all in one write, the envelope in
// one write, or line by line.
func (x *transaction) run() *hopError {
	// Everything is sent at once only where a message got through a moment ago:
	// if the connection is lost then, nobody knows whether this one was taken.
	warm := x.now.Sub(x.c.served) < hot
	data := !x.c.ext.chunking
	var bad *hopError
	switch {
	case !x.c.ext.pipelining:
		bad = x.lockstep()
	case !data && x.whole && warm:
		return x.atOnce()
	default:
		bad = x.envelope(data)
		if bad == nil && data {
			return x.afterData()
		}
	}
	if bad != nil || len(x.accepted) == 0 {
		return bad
	}
	if !data {
		return x.sendBDAT()
	}
	r, bad := x.c.command("DATA", x.c.times.DataInit, "DATA")
	if bad != nil {
		return bad
	}
	if r.code != 354 {
		return x.finish(r)
	}
	return x.sendData()
}

// putEnvelope buffers RSET if it is due, MAIL and RCPT.
func (x *transaction) putEnvelope() {
	x.c.wait(x.c.times.Mail) // it may be more than the buffer holds
	if x.c.dirty {
		x.c.put("RSET")
	}
	x.c.put(x.t.mailCommand(x.c.ext, x.eight))
	for _, i := range x.batch {
		x.c.put(rcptCommand(x.c.ext, x.t.job.Rcpts[i]))
	}
}

// readEnvelope reads the replies to putEnvelope in their order (RFC 2920 §3.1).
func (x *transaction) readEnvelope() *hopError {
	if x.c.dirty {
		r, bad := x.c.read("RSET", x.c.times.Hello)
		if bad == nil && !r.ok() {
			bad = &hopError{stage: "RSET", reply: r}
		}
		if bad != nil {
			return bad
		}
	}
	x.c.dirty = true // until the content is answered
	r, bad := x.c.read("MAIL", x.c.times.Mail)
	if bad == nil {
		bad = x.mailReply(r)
	}
	for _, i := range x.batch {
		if bad != nil {
			return bad
		}
		if r, bad = x.c.read("RCPT", x.c.times.Rcpt); bad == nil && !x.refused {
			x.heard++
			x.rcptReply(i, r)
		}
	}
	return bad
}

// lockstep is the envelope for a hop without PIPELINING.
func (x *transaction) lockstep() *hopError {
	c := x.c
	if c.dirty {
		r, bad := c.command("RSET", c.times.Hello, "RSET")
		if bad == nil && !r.ok() {
			bad = &hopError{stage: "RSET", reply: r}
		}
		if bad != nil {
			return bad
		}
	}
	c.dirty = true
	r, bad := c.command("MAIL", c.times.Mail, x.t.mailCommand(c.ext, x.eight))
	if bad == nil {
		bad = x.mailReply(r)
	}
	if bad != nil || x.refused {
		return bad
	}
	for _, i := range x.batch {
		if r, bad = c.command("RCPT", c.times.Rcpt, rcptCommand(c.ext, x.t.job.Rcpts[i])); bad != nil {
			return bad
		}
		x.rcptReply(i, r)
	}
	return nil
}

// envelope sends MAIL, RCPT and, if data is set, DATA in one write.
func (x *transaction) envelope(data bool) *hopError {
	x.putEnvelope()
	if data {
		x.c.put("DATA")
	}
	if bad := x.c.flush("MAIL", x.c.times.Mail); bad != nil {
		return x.lastWords(bad)
	}
	return x.readEnvelope()
}

// afterData goes on after envelope has sent DATA already.
func (x *transaction) afterData() *hopError {
	r, bad := x.c.read("DATA", x.c.times.DataInit)
	if bad != nil {
		return bad
	}
	switch {
	case r.code == 354 && len(x.accepted) > 0:
		return x.sendData()
	case r.code == 354: // it takes content for nobody: give it none (RFC 2920 §3.1)
		_, bad = x.c.command("DATA", x.c.times.DataEnd, ".")
		return bad
	case len(x.accepted) > 0:
		return x.finish(r)
	}
	return nil
}

// atOnce sends envelope and content in one write.
func (x *transaction) atOnce() *hopError {
	c := x.c
	c.hurry = 0 // once the content is out, leaving early makes duplicates
	x.putEnvelope()
	c.put("BDAT ", strconv.Itoa(len(x.chunk)), " LAST")
	c.bw.Write(x.chunk)
	if bad := c.flush("BDAT", c.times.DataBlock); bad != nil {
		return x.lastWords(bad)
	}
	x.sent = true
	if bad := x.readEnvelope(); bad != nil {
		return bad
	}
	if len(x.accepted) == 0 {
		x.refused = true
	}
	r, bad := c.read("BDAT", c.times.DataEnd)
	if bad != nil || x.refused {
		return bad
	}
	return x.finish(r)
}

// unreadable gives the connection up in the middle: closing it is the only way to
// tell the hop that the message is not complete.
func (x *transaction) unreadable(err error) *hopError {
	return &hopError{stage: "content", err: err}
}

func isASCIIBytes(b []byte) bool {
	for _, c := range b {
		if c > 127 {
			return false
		}
	}
	return true
}
