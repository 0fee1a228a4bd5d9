// Package clamd asks ClamAV's daemon what it thinks of a message. It runs in the
// parent process: the sandbox of the scanners has no sockets.
package clamd

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"postern/internal/mail"
)

const (
	dialTimeout = 5 * time.Second
	maxChunk    = 256 << 10       // octets of one INSTREAM chunk
	maxReply    = 4 << 10         // octets of an answer; a signature's name is short
	versionFor  = 5 * time.Minute // before VERSION is asked again
	freshFor    = 24 * time.Hour  // age of signatures that needs no word (safety.md R13)
)

// Engine is one clamd. Address is a path ("/run/clamav/clamd.ctl") or
// "host:port". It may be used by many goroutines.
type Engine struct {
	Address string
	Now     func() time.Time // nil: time.Now

	mu      sync.Mutex
	asked   time.Time
	version Version
}

// Version is what VERSION says.
type Version struct {
	Program    string
	Signatures string    // number of the daily database; "" if there is none
	Built      time.Time // of it; zero if unknown
}

// Name is part of scan.Engine.
func (e *Engine) Name() string { return "clamd" }

// Check is part of scan.Engine. It streams the message, so clamd needs no right
// to any file. An answer that is not understood is an error.
func (e *Engine) Check(ctx context.Context, _ *mail.Envelope, _ mail.Origin, _ int64, open func() (io.ReadCloser, error)) ([]mail.Finding, error) {
	answer, err := e.stream(ctx, open)
	if err != nil {
		return nil, err
	}
	found, err := read(answer)
	if err != nil {
		return nil, err
	}
	if f, old := e.old(ctx); old {
		found = append(found, f)
	}
	return found, nil
}

// stream sends the message and returns the answer without its end.
func (e *Engine) stream(ctx context.Context, open func() (io.ReadCloser, error)) (string, error) {
	octets, err := open()
	if err != nil {
		return "", err
	}
	defer octets.Close()
	c, err := e.dial(ctx)
	if err != nil {
		return "", err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // closed soon anyway
	defer stop()
	if err := send(c, octets); err != nil {
		var src *sourceError
		if errors.As(err, &src) {
			return "", err
		}
		// clamd says why before it hangs up in the middle of a stream.
		if answer, rerr := readAnswer(c); rerr == nil && answer != "" {
			return answer, nil
		}
		return "", fmt.Errorf("clamd %s: %w", e.Address, err)
	}
	answer, err := readAnswer(c)
	if err != nil {
		return "", fmt.Errorf("clamd %s: %w", e.Address, err)
	}
	return answer, nil
}

type sourceError struct{ error }

func send(c net.Conn, r io.Reader) error {
	if _, err := io.WriteString(c, "zINSTREAM\x00"); err != nil {
		return err
	}
	buf := make([]byte, 4+maxChunk)
	for {
		n, rerr := io.ReadFull(r, buf[4:])
		if n > 0 {
			binary.BigEndian.PutUint32(buf, uint32(n))
			if _, err := c.Write(buf[:4+n]); err != nil {
				return err
			}
		}
		switch rerr {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			_, err := c.Write([]byte{0, 0, 0, 0})
			return err
		default:
			return &sourceError{rerr}
		}
	}
}

func readAnswer(c net.Conn) (string, error) {
	s, err := bufio.NewReader(io.LimitReader(c, maxReply)).ReadString(0)
	if err != nil && (err != io.EOF || s == "") {
		return "", err
	}
	return strings.TrimSpace(strings.TrimSuffix(s, "\x00")), nil
}

func (e *Engine) dial(ctx context.Context) (net.Conn, error) {
	network := "tcp"
	if strings.HasPrefix(e.Address, "/") {
		network = "unix"
	}
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(ctx, network, e.Address)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		c.SetDeadline(deadline) //nolint:errcheck // a closed connection says so itself
	}
	return c, nil
}

// read turns an answer into findings.
func read(answer string) ([]mail.Finding, error) {
	text := strings.TrimSpace(strings.TrimPrefix(answer, "stream:"))
	switch {
	case text == "OK":
		return nil, nil
	case strings.HasSuffix(text, " FOUND"):
		return []mail.Finding{judge(strings.TrimSuffix(text, " FOUND"))}, nil
	case strings.Contains(text, "size limit exceeded"):
		return []mail.Finding{limit("It is larger than ClamAV takes, so ClamAV did not look at it.")}, nil
	}
	return nil, fmt.Errorf("clamd answered %.100q", text)
}

func limit(detail string) mail.Finding {
	return mail.Finding{Rule: "clamd.limit", Class: mail.Suspicious, Score: 50, Detail: detail}
}

// judge weighs a signature by its name (ClamAV manual, "Naming signatures").
func judge(name string) mail.Finding {
	low := strings.ToLower(name)
	f := mail.Finding{Rule: "clamd.found", Class: mail.Malware, Score: 100, Detail: fmt.Sprintf("ClamAV found %s in it.", name)}
	switch {
	case strings.Contains(low, "limits.exceeded"):
		return limit(fmt.Sprintf("ClamAV could not look at all of it, because it is over a limit (%s).", name))
	case strings.HasPrefix(low, "heuristics.encrypted"):
		f.Rule, f.Class, f.Score = "clamd.encrypted", mail.Suspicious, 60
		f.Detail = fmt.Sprintf("ClamAV could not look into an encrypted part (%s).", name)
	case strings.Contains(low, "phish"):
		f.Rule, f.Class, f.Score = "clamd.phish", mail.Phish, 70
	case strings.Contains(low, "junk"), strings.Contains(low, "spam"), strings.Contains(low, "scam"), strings.Contains(low, "lott."):
		f.Rule, f.Class, f.Score = "clamd.spam", mail.Spam, 60
	case strings.HasPrefix(low, "pua."), strings.Contains(low, "containsmacros"):
		f.Rule, f.Class, f.Score = "clamd.unwanted", mail.Suspicious, 40
	case strings.HasPrefix(low, "heuristics."):
		f.Rule, f.Class, f.Score = "clamd.heuristic", mail.Suspicious, 50
	}
	return f
}

// old is a word about signatures that were not brought up to date. It weighs
// next to nothing: the alarm is the operator's, not the message's.
func (e *Engine) old(ctx context.Context) (mail.Finding, bool) {
	v, err := e.Version(ctx)
	if err != nil || v.Built.IsZero() {
		return mail.Finding{}, false
	}
	age := e.now().Sub(v.Built)
	if age <= freshFor {
		return mail.Finding{}, false
	}
	return mail.Finding{
		Rule: "clamd.old", Score: 1,
		Detail: fmt.Sprintf("ClamAV looked at it with signatures that are %d hours old.", int(age.Hours())),
	}, true
}

func (e *Engine) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

// Version asks clamd for its version, at most every five minutes.
func (e *Engine) Version(ctx context.Context) (Version, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := e.now(); now.Sub(e.asked) < versionFor && !e.asked.IsZero() {
		return e.version, nil
	}
	c, err := e.dial(ctx)
	if err != nil {
		return Version{}, err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "zVERSION\x00"); err != nil {
		return Version{}, err
	}
	s, err := readAnswer(c)
	if err != nil {
		return Version{}, err
	}
	e.asked, e.version = e.now(), parseVersion(s)
	return e.version, nil
}

// parseVersion reads "ClamAV 1.4.6/27800/Fri Nov 20 08:27:33 2026"; the last two
// are missing without a daily database. The time has no zone and is the build
// host's; half a day more or less does not matter.
func parseVersion(s string) Version {
	parts := strings.SplitN(s, "/", 3)
	v := Version{Program: parts[0]}
	if len(parts) == 3 {
		v.Signatures = parts[1]
		if t, err := time.Parse(time.ANSIC, parts[2]); err == nil {
			v.Built = t
		}
	}
	return v
}
