package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"postern/internal/store"
)

// markEvery is how old the audit log's mark in its second place may be (safety.md R40).
const markEvery = 5 * time.Minute

// markAudit marks the audit log until ctx ends, and once more at the end: in the log,
// which many send to another machine, and in a file if one is named.
func (s *server) markAudit(ctx context.Context) {
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	var last int64
	for {
		at := context.WithoutCancel(ctx)
		m, err := s.o.store.AuditMark(at)
		if err == nil && m.Seq > last {
			s.log.Info("audit mark", "mark", m.String())
			err = addMark(s.o.conf.Audit.MarksFile, m)
		}
		if err == nil {
			last = m.Seq
		} else if !errors.Is(err, store.ErrClosed) {
			s.log.Error("audit mark", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// addMark adds a mark to a file that is only ever added to.
func addMark(file string, m store.AuditMark) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("audit.marks_file: %w", err)
	}
	_, err = fmt.Fprintln(f, m)
	return errors.Join(err, f.Sync(), f.Close())
}

// readMarks reads the marks of a file that was named, or of the one configured, which
// may not be there yet.
func readMarks(named, configured string) ([]store.AuditMark, error) {
	file := cmp.Or(named, configured)
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if named == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("marks of the audit log: %w", err)
	}
	defer f.Close()
	marks, err := store.ReadAuditMarks(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return marks, nil
}
