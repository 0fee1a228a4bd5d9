package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"postern/internal/mail"
)

// A VerdictReport is what somebody said that judging got wrong about one copy.
type VerdictReport struct {
	Message mail.ID
	N       int
	At      time.Time
	Actor   string
	Verdict mail.Verdict // ours, when it was reported
	Score   int
	Should  mail.Verdict // what it is
	Comment string
	From    string     // from the trace, and "" when the trace has forgotten the message
	To      string     // likewise
	Subject string     // likewise
	State   mail.State // likewise
}

// Wanted reports whether mail of a verdict is meant to reach its mailbox.
func Wanted(v mail.Verdict) bool { return v == mail.Clean || v == mail.Bulk }

// PutVerdictReport keeps a report; a later one about the same copy replaces it.
func (s *Store) PutVerdictReport(ctx context.Context, tenant string, r VerdictReport) error {
	err := s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO verdict_reports (tenant, message, n, at, actor, verdict, score, should, comment) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"+
			" ON CONFLICT (tenant, message, n) DO UPDATE SET at = excluded.at, actor = excluded.actor, verdict = excluded.verdict, score = excluded.score, should = excluded.should, comment = excluded.comment",
			tenant, string(r.Message), r.N, r.At.UnixMilli(), r.Actor, string(r.Verdict), r.Score, string(r.Should), text(r.Comment))
		return err
	})
	if err != nil {
		return fmt.Errorf("report on %s/%d: %w", r.Message, r.N, err)
	}
	return nil
}

const reportColumns = "SELECT v.message, v.n, v.at, v.actor, v.verdict, v.score, v.should, v.comment," +
	" coalesce(nullif(m.from_addr, ''), m.sender, ''), coalesce(m.subject, ''), coalesce(r.addr, ''), coalesce(r.state, '') FROM verdict_reports v" +
	" LEFT JOIN messages m ON m.tenant = v.tenant AND m.id = v.message" +
	" LEFT JOIN recipients r ON r.tenant = v.tenant AND r.message = v.message AND r.n = v.n"

func scanReport(rows *sql.Rows) (r VerdictReport, err error) {
	return r, rows.Scan(&r.Message, &r.N, stamp{&r.At}, &r.Actor, &r.Verdict, &r.Score, &r.Should, &r.Comment, &r.From, &r.Subject, &r.To, &r.State)
}

// VerdictReports returns a tenant's reports made before a time, the newest first.
func (s *Store) VerdictReports(ctx context.Context, tenant string, before time.Time, limit int) ([]VerdictReport, error) {
	rows, err := s.query(ctx, reportColumns+" WHERE v.tenant = ? AND v.at < ? ORDER BY v.at DESC LIMIT ?", tenant, before.UnixMilli(), limit)
	all, err := collect(rows, err, scanReport)
	if err != nil {
		return nil, fmt.Errorf("verdict reports of %s: %w", tenant, err)
	}
	return all, nil
}

// VerdictReport returns the report about one copy; ErrNotFound if there is none.
func (s *Store) VerdictReport(ctx context.Context, tenant string, id mail.ID, n int) (VerdictReport, error) {
	rows, err := s.query(ctx, reportColumns+" WHERE v.tenant = ? AND v.message = ? AND v.n = ?", tenant, string(id), n)
	all, err := collect(rows, err, scanReport)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return VerdictReport{}, fmt.Errorf("report on %s/%d: %w", id, n, err)
	}
	return all[0], nil
}

// An Accuracy is what people said of one day's verdicts, by the day of the report.
type Accuracy struct {
	Day            time.Time // its beginning, UTC
	FalsePositives int       // wanted mail that was held
	FalseNegatives int       // unwanted mail that was let through
	OtherClass     int       // held rightly, but as something else
}

// VerdictAccuracy counts a tenant's reports of the days from since on, oldest
// first; days without a report are left out.
func (s *Store) VerdictAccuracy(ctx context.Context, tenant string, since time.Time) ([]Accuracy, error) {
	const day = 24 * int64(time.Hour/time.Millisecond)
	const wanted = " IN ('clean', 'bulk')"
	rows, err := s.query(ctx, "SELECT at / ? AS day, sum(CASE WHEN should"+wanted+" AND verdict NOT"+wanted+" THEN 1 ELSE 0 END),"+
		" sum(CASE WHEN verdict"+wanted+" AND should NOT"+wanted+" THEN 1 ELSE 0 END),"+
		" sum(CASE WHEN verdict NOT"+wanted+" AND should NOT"+wanted+" THEN 1 ELSE 0 END)"+
		" FROM verdict_reports WHERE tenant = ? AND at >= ? GROUP BY 1 ORDER BY 1", day, tenant, since.UnixMilli())
	all, err := collect(rows, err, func(r *sql.Rows) (a Accuracy, err error) {
		var n int64
		err = r.Scan(&n, &a.FalsePositives, &a.FalseNegatives, &a.OtherClass)
		a.Day = time.UnixMilli(n * day).UTC()
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("accuracy of %s: %w", tenant, err)
	}
	return all, nil
}
