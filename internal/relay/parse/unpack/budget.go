package unpack

import (
	"crypto/sha256"
	"errors"
	"io"
	"time"
)

// Errors of Open. They may come joined; members emitted before stay valid.
var (
	ErrDamaged   = errors.New("archive is damaged or uses an unknown method")
	ErrEncrypted = errors.New("archive needs a password")
	ErrMembers   = errors.New("archive has too many members")
	ErrOctets    = errors.New("archive unpacks to too many octets")
	ErrRatio     = errors.New("archive unpacks to too many times its size")
	ErrTime      = errors.New("no time left to unpack")
	ErrOverlap   = errors.New("archive members overlap")
	ErrHidden    = errors.New("archive has members that its directory does not name")
)

// A Budget bounds all that is unpacked of one message. Its counters go down.
type Budget struct {
	Deadline  time.Time
	Members   int
	Octets    int64 // to decompress, kept or not
	Keep      int64 // octets of Data of all members together
	KeepOne   int64 // octets of Data of one member
	Ratio     int64 // unpacked octets for a packed one
	RatioFrom int64 // unpacked octets from which on the ratio counts
}

// A Member is one file of an archive.
type Member struct {
	Name      string // as the archive has it, any octets
	Size      int64  // octets unpacked; for an encrypted member what the directory says
	SHA256    [32]byte
	Data      []byte
	Truncated bool // Data is not all of it
	Encrypted bool
}

const chunk = 64 << 10

// readMember unpacks one member whose packed form has packed octets.
func (b *Budget) readMember(name string, packed int64, r io.Reader) (Member, error) {
	m := Member{Name: name}
	if b.Members--; b.Members < 0 {
		return m, ErrMembers
	}
	h := sha256.New()
	buf := make([]byte, chunk)
	for {
		if time.Now().After(b.Deadline) {
			return m, ErrTime
		}
		n, err := r.Read(buf)
		m.Size += int64(n)
		b.Octets -= int64(n)
		h.Write(buf[:n])
		b.keep(&m, buf[:n])
		switch {
		case b.Octets < 0:
			err = ErrOctets
		case b.Ratio > 0 && m.Size > b.RatioFrom && m.Size/b.Ratio > max(packed, 1):
			err = ErrRatio
		}
		if err != nil {
			h.Sum(m.SHA256[:0])
			if err == io.EOF {
				return m, nil
			}
			m.Truncated = true
			if err != ErrOctets && err != ErrRatio {
				err = ErrDamaged
			}
			return m, err
		}
	}
}

func (b *Budget) keep(m *Member, p []byte) {
	room := min(b.KeepOne-int64(len(m.Data)), b.Keep)
	if int64(len(p)) > room {
		p = p[:max(room, 0)]
		m.Truncated = true
	}
	m.Data = append(m.Data, p...)
	b.Keep -= int64(len(p))
}

// over tells the errors after which nothing more of the archive is tried.
func over(err error) bool {
	return errors.Is(err, ErrMembers) || errors.Is(err, ErrOctets) || errors.Is(err, ErrRatio) || errors.Is(err, ErrTime)
}
