package store

import (
	"strings"
	"testing"
)

// TestNoHotQueryScans asks SQLite how it would answer the questions that are asked
// all day: at ten million recipients a scan or a sort of them all is an outage.
func TestNoHotQueryScans(t *testing.T) {
	s, err := Open(t.Context(), Options{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ask := []string{
		mailTenants, dueTenants, dueOfTenant, heldPastTime,
		"SELECT id FROM messages WHERE tenant = ? AND received_at = ? AND digest = ?",
		"SELECT tenant FROM messages WHERE tenant IN (" + mailTenants + ") AND id = ?",
	}
	for _, body := range []bool{false, true} {
		l := &look{d: s.d, question: question{body: body}}
		ask = append(ask, l.byID(), l.dueRows(), l.heldFrom("<", "DESC"), l.heldFrom(">", "ASC"), messagesFrom("<", "DESC"), messagesFrom(">", "ASC"))
	}
	for _, q := range ask {
		rows, err := s.query(t.Context(), "EXPLAIN QUERY PLAN "+strings.ReplaceAll(q, "?", "1"))
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var a, b, c int
			var step string
			if err := rows.Scan(&a, &b, &c, &step); err != nil {
				t.Fatal(err)
			}
			table := strings.HasPrefix(step, "SCAN ") && step != "SCAN t" && step != "SCAN nodes" && !strings.HasPrefix(step, "SCAN CONSTANT")
			if table || step == "USE TEMP B-TREE FOR ORDER BY" {
				t.Errorf("%s\n%s", step, q)
			}
		}
	}
}
