package store

import (
	"bufio"
	"context"
	"crypto/hmac"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// An AuditMark names the audit log's last entry at a moment, signed. Kept where who
// changes the database does not reach, it shows a log that was made anew as a whole.
type AuditMark struct {
	At  time.Time
	Seq int64
	Sum []byte
}

// String is the mark as one line, which ReadAuditMarks reads.
func (m AuditMark) String() string {
	return fmt.Sprintf("%s %d %s", m.At.UTC().Format(time.RFC3339), m.Seq, hex.EncodeToString(m.Sum))
}

// AuditMark marks the log as it is now. Seq is 0 while it is empty.
func (s *Store) AuditMark(ctx context.Context) (m AuditMark, err error) {
	var mac []byte
	err = s.row(ctx, "SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1").Scan(&m.Seq, &mac)
	if errors.Is(err, sql.ErrNoRows) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("mark of the audit log: %w", err)
	}
	m.At, m.Sum = s.o.Now(), s.head(m.Seq, mac)
	return m, nil
}

// ReadAuditMarks reads marks, one a line.
func ReadAuditMarks(r io.Reader) (all []AuditMark, err error) {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		var m AuditMark
		var at, sum string
		if _, err := fmt.Sscanf(lines.Text(), "%s %d %s", &at, &m.Seq, &sum); err != nil {
			return nil, fmt.Errorf("line %d is no mark of the audit log: %w", n, err)
		}
		var errs [2]error
		m.At, errs[0] = time.Parse(time.RFC3339, at)
		m.Sum, errs[1] = hex.DecodeString(sum)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, fmt.Errorf("line %d is no mark of the audit log: %w", n, err)
		}
		all = append(all, m)
	}
	return all, lines.Err()
}

// against checks an entry of the log against the marks that name it.
func (s *Store) against(marks map[int64][]AuditMark, seq int64, mac []byte) error {
	for _, m := range marks[seq] {
		if !hmac.Equal(m.Sum, s.head(seq, mac)) {
			return fmt.Errorf("%w: entry %d is not the one that was there at %s", ErrTampered, seq, m.At.UTC().Format(time.RFC3339))
		}
	}
	return nil
}
