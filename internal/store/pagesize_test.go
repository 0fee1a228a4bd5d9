package store

import "testing"

func TestSQLiteHasThePagesItWasMeasuredWith(t *testing.T) {
	s, err := Open(t.Context(), Options{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var size int
	var mode string
	if err := s.row(t.Context(), "PRAGMA page_size").Scan(&size); err != nil || size != pageSize {
		t.Errorf("page size %d, %v", size, err)
	}
	if err := s.row(t.Context(), "PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %q, %v", mode, err)
	}
}
