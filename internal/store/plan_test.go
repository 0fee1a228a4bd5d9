package store

import (
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
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
	cursor := TraceRow{ID: mail.NewID(), Received: time.Now()}.Cursor(false)
	for _, f := range []TraceFilter{{}, {Before: cursor}, {Since: time.Now()}, {Since: time.Now(), Until: time.Now(), Before: cursor}, {To: "ann", Subject: "x", Verdict: mail.Spam}} {
		q, _, err := s.traceQuery(f, byReceived)
		if err != nil {
			t.Fatal(err)
		}
		ask = append(ask, q)
		f.State = mail.Held
		if q, _, err = s.traceQuery(f, byHeld); err != nil {
			t.Fatal(err)
		}
		ask = append(ask, q)
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
