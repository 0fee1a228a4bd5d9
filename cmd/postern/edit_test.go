package main

import (
	"database/sql"
	"path/filepath"
	"testing"
)

// edit changes the database behind the store's back.
func edit(t *testing.T, b *box, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(b.data, "postern.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}
