package store

import "time"

// IndexSmall makes blocks so small that a test's mail fills many.
func (s *Store) IndexSmall(block, least, late int, settle, lateAfter time.Duration) {
	s.indexing = indexing{block: block, least: least, late: late, settle: settle, lateAfter: lateAfter}
}
