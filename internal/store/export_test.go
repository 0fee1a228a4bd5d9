package store

import (
	"database/sql"
	"time"
)

// IndexSmall makes blocks so small that a test's mail fills many.
func (s *Store) IndexSmall(block, least, late int, settle, lateAfter time.Duration) {
	s.indexing = indexing{block: block, least: least, late: late, settle: settle, lateAfter: lateAfter}
}

// Readers is the pool that pages are read through.
func (s *Store) Readers() *sql.DB { return s.read }
