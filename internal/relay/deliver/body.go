package deliver

import (
	"context"
	"errors"
	"strconv"
	"time"
)

const (
	maxUnread    = 8 // BDAT chunks sent ahead of their replies
	lastWordTime = 500 * time.Millisecond
)

// sendBDAT sends the content in chunks (RFC 3030 §2), a few ahead of their
// replies if the hop takes that.
func (x *transaction) sendBDAT() *hopError {
	c := x.c
	c.hurry = 0
	ahead := 1
	if c.ext.pipelining {
		ahead = maxUnread
	}
	unread := 0
	for chunk, last := x.chunk, x.whole; ; {
		c.wait(c.times.DataBlock)
		c.put("BDAT ", strconv.Itoa(len(chunk)), lastWord(last))
		c.bw.Write(chunk)
		if bad := c.flush("BDAT", c.times.DataBlock); bad != nil {
			return x.lastWords(bad)
		}
		x.sent = last
		for unread++; unread > 0 && (last || unread >= ahead); unread-- {
			r, bad := c.read("BDAT", c.times.DataEnd)
			if bad != nil {
				return bad
			}
			if last && unread == 1 {
				return x.finish(r)
			}
			if !r.ok() {
				return x.stopBDAT(r, unread-1)
			}
		}
		var err error
		if chunk, last, err = x.content.next(); err != nil {
			return x.unreadable(err)
		}
	}
}

func lastWord(last bool) string {
	if last {
		return " LAST"
	}
	return ""
}

// stopBDAT ends the transaction after a chunk was refused with r and unread
// replies to later ones are due.
func (x *transaction) stopBDAT(r *reply, unread int) *hopError {
	x.sent = false
	for range unread {
		if _, bad := x.c.read("BDAT", x.c.times.DataEnd); bad != nil {
			x.finish(r)
			return bad
		}
	}
	bad := x.finish(r)
	x.c.dirty = true
	return bad
}

// sendData sends the content after 354 (RFC 5321 §4.1.1.4).
func (x *transaction) sendData() *hopError {
	c := x.c
	c.hurry = 0
	w := stuffer{w: c.bw}
	for chunk, last := x.chunk, x.whole; ; {
		c.wait(c.times.DataBlock)
		w.write(chunk) // its error stays with the writer until flush
		if last {
			c.put(".")
		}
		if bad := c.flush("DATA", c.times.DataBlock); bad != nil {
			return x.lastWords(bad)
		}
		if last {
			break
		}
		var err error
		if chunk, last, err = x.content.next(); err != nil {
			return x.unreadable(err)
		}
	}
	x.sent = true
	r, bad := c.read("DATA", c.times.DataEnd)
	if bad != nil {
		return bad
	}
	return x.finish(r)
}

// lastWords looks whether the hop said why it stopped reading.
func (x *transaction) lastWords(bad *hopError) *hopError {
	if isTimeout(bad.err) || errors.Is(bad.err, context.Canceled) {
		return bad
	}
	for {
		r, err := x.c.read(bad.stage, lastWordTime)
		if err != nil {
			if err.reply != nil {
				return err
			}
			return bad
		}
		if r.permanent() && bad.stage != "MAIL" && len(x.accepted) > 0 {
			x.answered(x.accepted, r) // "too big", said before the end
			return bad
		}
		if r.code >= 400 {
			return &hopError{stage: bad.stage, reply: r}
		}
	}
}
