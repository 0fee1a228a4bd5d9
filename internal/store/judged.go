package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"postern/internal/mail"
)

// A Judged is one recipient's copy with all that was known when it was decided.
type Judged struct {
	ID        mail.ID
	N         int
	Addr      string
	Received  time.Time
	State     mail.State
	Verdict   mail.Verdict // as decided then
	Action    mail.Action
	Score     int
	Forced    bool            // held whatever was found
	Refused   bool            // an MTA said something, so that it is not the verdict that holds it
	Judgement *mail.Judgement // shared by the copies of a message
}

const (
	judgedPage = 500                                // messages read at a time
	crockford  = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // digits of a ULID
	shares     = len(crockford)                     // Share is of so many
)

// JudgedFilter selects copies.
type JudgedFilter struct {
	Tenant string
	Since  time.Time // received at or after
	Share  int       // of 32 messages so many, chosen by the random end of their ids; 0 means all
}

// CountSince counts a tenant's messages received since a moment.
func (s *Store) CountSince(ctx context.Context, tenant string, since time.Time) (n int, err error) {
	err = s.row(ctx, "SELECT count(*) FROM messages WHERE tenant = ? AND received_at >= ?", tenant, since.UnixMilli()).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count mail: %w", err)
	}
	return n, nil
}

// Judged calls yield for every copy that was judged, the last received first, until
// it returns an error, which Judged returns. It holds no lock and no snapshot over
// its pages.
func (s *Store) Judged(ctx context.Context, f JudgedFilter, yield func(Judged) error) error {
	at, id := int64(1)<<62, ""
	share := ""
	if f.Share > 0 && f.Share < shares {
		share = " AND substr(id, 26, 1) IN ('" + strings.Join(strings.Split(crockford[:f.Share], ""), "','") + "')"
	}
	q := "SELECT m.id, m.received_at, r.n, r.addr, r.state, r.verdict, r.action, r.score, r.forced, r.reply, j.body" +
		" FROM (SELECT id, received_at FROM messages WHERE tenant = ? AND received_at >= ? AND received_at <= ? AND (received_at, id) < (?, ?)" + share +
		" ORDER BY received_at DESC, id DESC LIMIT ?) m" +
		" LEFT JOIN recipients r ON r.tenant = ? AND r.message = m.id AND r.verdict <> ''" +
		" LEFT JOIN judgements j ON j.tenant = ? AND j.message = m.id AND r.n IS NOT NULL ORDER BY m.received_at DESC, m.id DESC, r.n"
	for {
		rows, err := s.query(ctx, q, f.Tenant, f.Since.UnixMilli(), at, at, id, judgedPage, f.Tenant, f.Tenant)
		if err != nil {
			return fmt.Errorf("judged mail: %w", err)
		}
		messages := 0
		err = eachJudged(rows, func(j Judged) error {
			if ms := j.Received.UnixMilli(); ms != at || string(j.ID) != id {
				at, id = ms, string(j.ID)
				messages++
			}
			if j.Judgement == nil {
				return nil
			}
			return yield(j)
		})
		if err != nil {
			return err
		}
		if messages < judgedPage {
			return nil
		}
	}
}

// HeldJudged is Judged for the copies that are held because of what they are: not
// those that were to be held anyway, nor those that an MTA refused.
func (s *Store) HeldJudged(ctx context.Context, tenant string, yield func(Judged) error) error {
	at, id, n := int64(1)<<62, "", 0
	q := "SELECT r.message, r.held_at, r.n, r.addr, r.state, r.verdict, r.action, r.score, r.forced, r.reply, j.body" +
		" FROM recipients r LEFT JOIN judgements j ON j.tenant = r.tenant AND j.message = r.message" +
		" WHERE r.tenant = ? AND r.state = 'held' AND r.held_at <= ? AND (r.held_at, r.message, r.n) < (?, ?, ?)" +
		" ORDER BY r.held_at DESC, r.message DESC, r.n DESC LIMIT ?"
	for {
		rows, err := s.query(ctx, q, tenant, at, at, id, n, judgedPage)
		if err != nil {
			return fmt.Errorf("held mail: %w", err)
		}
		copies := 0
		var page []Judged // yield may release, which must not change what this page reads
		err = eachJudged(rows, func(j Judged) error {
			copies++
			at, id, n = j.Received.UnixMilli(), string(j.ID), j.N
			if j.Judgement != nil && !j.Forced && !j.Refused {
				page = append(page, j)
			}
			return nil
		})
		for i := 0; err == nil && i < len(page); i++ {
			err = yield(page[i])
		}
		if err != nil {
			return err
		}
		if copies < judgedPage {
			return nil
		}
	}
}

// eachJudged reads rows; a message without judged copies comes without Judgement.
func eachJudged(rows *sql.Rows, yield func(Judged) error) error {
	defer rows.Close()
	var last mail.ID
	var judgement *mail.Judgement
	for rows.Next() {
		var j Judged
		var n, score, forced sql.NullInt64
		var addr, state, verdict, action, reply sql.NullString
		var body sql.RawBytes
		if err := rows.Scan(&j.ID, stamp{&j.Received}, &n, &addr, &state, &verdict, &action, &score, &forced, &reply, &body); err != nil {
			return fmt.Errorf("judged mail: %w", err)
		}
		j.N, j.Addr, j.State, j.Verdict, j.Action = int(n.Int64), addr.String, mail.State(state.String), mail.Verdict(verdict.String), mail.Action(action.String)
		j.Score, j.Forced, j.Refused = int(score.Int64), forced.Int64 != 0, reply.String != ""
		if j.ID != last {
			last, judgement = j.ID, nil
			if len(body) > 0 {
				judgement = new(mail.Judgement)
				if err := json.Unmarshal(body, judgement); err != nil {
					return fmt.Errorf("judgement of %s: %w", j.ID, err)
				}
			}
		}
		j.Judgement = judgement
		if err := yield(j); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("judged mail: %w", err)
	}
	return nil
}

// HeldShare counts a tenant's judged copies received between two moments, and those
// of them that were not to be delivered.
func (s *Store) HeldShare(ctx context.Context, tenant string, since, until time.Time) (all, held int, err error) {
	err = s.row(ctx, "SELECT count(*), coalesce(sum(CASE WHEN r.action <> 'deliver' THEN 1 ELSE 0 END), 0) FROM messages m"+s.d.join+
		"recipients r ON r.tenant = m.tenant AND r.message = m.id WHERE m.tenant = ? AND m.received_at >= ? AND m.received_at < ? AND r.verdict <> ''",
		tenant, since.UnixMilli(), until.UnixMilli()).Scan(&all, &held)
	if err != nil {
		return 0, 0, fmt.Errorf("share of held mail: %w", err)
	}
	return all, held, nil
}
