package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"postern/internal/mail"
)

// A Volume is how many recipients' copies of one verdict stand in one state, among
// those received in one stretch of time.
type Volume struct {
	At      time.Time // beginning of the stretch
	Verdict mail.Verdict
	State   mail.State
	N       int
}

// fromOutside leaves out the letters we wrote ourselves, digests and notices: they
// are nobody's mail in a report. What a client said cannot pass for it, since JSON
// escapes quotes.
const fromOutside = `m.envelope NOT LIKE '%"Via":"own"%'`

// Volumes counts a tenant's mail since a moment in stretches of step; of all
// tenants if tenant is "".
func (s *Store) Volumes(ctx context.Context, tenant string, since time.Time, step time.Duration) ([]Volume, error) {
	ms := step.Milliseconds()
	rows, err := s.query(ctx, "SELECT m.received_at / ? * ? AS at, r.verdict, r.state, count(*) FROM messages m"+s.d.join+
		"recipients r ON r.tenant = m.tenant AND r.message = m.id WHERE (? = '' OR m.tenant = ?) AND m.tenant IN ("+mailTenants+") AND m.received_at >= ? AND "+fromOutside+
		" GROUP BY at, r.verdict, r.state ORDER BY at", ms, ms, tenant, tenant, since.UnixMilli())
	list, err := collect(rows, err, func(r *sql.Rows) (v Volume, err error) {
		return v, r.Scan(stamp{&v.At}, &v.Verdict, &v.State, &v.N)
	})
	if err != nil {
		return nil, fmt.Errorf("count mail: %w", err)
	}
	return list, nil
}
