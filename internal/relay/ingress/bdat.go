package ingress

import (
	"bytes"
	"io"
	"strconv"
	"time"
)

// bdat answers BDAT and takes the content, chunk by chunk (RFC 3030 §2). Whatever
// is wrong, the chunk's octets are consumed; where their number is not known, we
// hang up, so that they are never run as commands.
func (s *session) bdat(arg []byte) {
	size, last, ok := parseChunk(arg)
	switch {
	case size < 0:
		s.endless()
		return
	case size > 2*s.srv.MaxSize+largeSize:
		s.wire.say("552 5.3.4 Message too big\r\n")
		s.bye("421 4.3.4 ", "Chunk too big")
		return
	}
	c := &chunks{ses: s, left: size, last: last, size: size}
	switch {
	case !ok:
		s.refuseChunk(c, "501 5.5.4 BDAT takes a size and perhaps LAST\r\n")
		return
	case s.failed != "":
		s.repeat(c)
		return
	case s.env == nil:
		s.refuseChunk(c, "503 5.5.1 Send MAIL first\r\n")
		return
	case len(s.env.To) == 0:
		s.refuseChunk(c, "503 5.5.1 Send RCPT first\r\n")
		return
	}
	s.chunking = true
	s.wire.content()
	b, id, err := s.transfer(c)
	ended := b.err
	if err == nil {
		ended = b.finish()
	}
	tooBig := ended == errTooBig
	if tooBig || ended == nil {
		// Refused before its end: this chunk is the last that is listened to.
		b.ended = time.Now()
		if ended = c.skip(); ended == nil {
			ended = io.EOF
		}
	}
	s.wire.commands()
	switch ended {
	case io.EOF:
		reply, code := s.verdict(id, err, tooBig)
		s.answer(reply, code, b.ended)
		s.reset()
		if !c.last {
			s.failed = reply
		}
	case errAborted:
		s.reset()
	default:
		s.lost(ended)
	}
}

// repeat consumes a chunk of a message that was refused already, as clients that
// pipeline send them (RFC 3030 §2), and answers as before.
func (s *session) repeat(c *chunks) {
	s.wire.content()
	err := c.skip()
	s.wire.commands()
	if err != nil {
		s.lost(err)
		return
	}
	s.wire.say(s.failed)
	if c.last {
		s.failed = ""
	}
}

// nextChunk acknowledges the chunk that was read and takes commands until the next
// one begins. errAborted means that the client gave the message up; the command by
// which it did is left to be run.
func (s *session) nextChunk(c *chunks) error {
	s.wire.commands()
	s.wire.say("250 2.0.0 Chunk received\r\n")
	for !s.closing {
		line, err := s.wire.line(time.Time{}, false)
		if err == errLong {
			s.overlong(line)
			continue
		}
		if err != nil {
			return err
		}
		switch verb, arg := cut(line); {
		case verb == "BDAT":
			size, last, ok := parseChunk(arg)
			if size < 0 || size > 2*s.srv.MaxSize+largeSize {
				s.endless()
				return errClosed
			}
			c.left, c.last, c.size = size, last, c.size+size
			s.wire.content()
			if ok {
				return nil
			}
			if err := c.skip(); err != nil {
				return err
			}
			c.last, c.size = false, c.size-size
			s.wire.commands()
			s.fail("501 5.5.4 BDAT takes a size and perhaps LAST\r\n")
		case abandons(verb, arg):
			s.wire.unread()
			return errAborted
		default:
			s.command(line)
		}
	}
	return errClosed
}

// refuseChunk consumes a chunk and then answers it with reply.
func (s *session) refuseChunk(c *chunks, reply string) {
	s.wire.content()
	err := c.skip()
	s.wire.commands()
	if err != nil {
		s.lost(err)
		return
	}
	s.fail(reply)
}

// abandons reports whether a command ends the transaction; in a wrong form it does not.
func abandons(verb string, arg []byte) bool {
	switch verb {
	case "RSET", "QUIT":
		return len(trim(arg)) == 0
	case "EHLO", "HELO":
		return validName(trim(arg))
	}
	return false
}

// endless ends a session whose chunk has no known end.
func (s *session) endless() {
	s.wire.say("501 5.5.4 BDAT takes a size and perhaps LAST\r\n")
	s.bye("421 4.7.0 ", "Cannot tell where the chunk ends")
}

// parseChunk reads the parameters of BDAT. size is -1 if it cannot be known; ok is
// false if anything is wrong (RFC 3030 §2: chunk-size [ SP end-marker ]).
func parseChunk(arg []byte) (size int64, last, ok bool) {
	number, marker, _ := bytes.Cut(trim(arg), []byte(" "))
	for _, c := range number {
		if c < '0' || c > '9' {
			return -1, false, false
		}
	}
	size, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return -1, false, false
	}
	marker = trim(marker)
	last = bytes.EqualFold(marker, []byte("LAST"))
	return size, last, last || len(marker) == 0
}
