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

// Setting returns a value kept under tenant ("" for the whole system) and name;
// ErrNotFound if there is none.
func (s *Store) Setting(ctx context.Context, tenant, name string) (value []byte, err error) {
	err = found(s.row(ctx, "SELECT value FROM settings WHERE tenant = ? AND name = ?", tenant, name).Scan(&value))
	if err != nil {
		return nil, fmt.Errorf("setting %s: %w", name, err)
	}
	return value, nil
}

// PutSetting keeps a value; nil removes it.
func (s *Store) PutSetting(ctx context.Context, tenant, name string, value []byte) error {
	err := s.w.do(ctx, func(t *tx) error {
		if value == nil {
			_, err := t.exec("DELETE FROM settings WHERE tenant = ? AND name = ?", tenant, name)
			return err
		}
		return putSetting(t, tenant, name, value)
	})
	if err != nil {
		return fmt.Errorf("setting %s: %w", name, err)
	}
	return nil
}

func putSetting(t *tx, tenant, name string, value []byte) error {
	_, err := t.exec("INSERT INTO settings (tenant, name, value) VALUES (?, ?, ?) ON CONFLICT (tenant, name) DO UPDATE SET value = excluded.value", tenant, name, value)
	return err
}

// An Alarm is something a person should look at.
type Alarm struct {
	Tenant  string // "" for the whole system
	Kind    string // stable: "key.retired-in-use"
	Text    mail.Sentence
	Count   int // how often it was raised
	FirstAt time.Time
	LastAt  time.Time
}

// Raise notes an alarm. The same kind, tenant and text is one alarm that counts.
func (s *Store) Raise(ctx context.Context, kind, tenant string, what mail.Sentence) error {
	said, err := keptSentence(what)
	if err != nil {
		return fmt.Errorf("raise %s: %w", kind, err)
	}
	now := s.o.Now().UnixMilli()
	err = s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO alarms (tenant, kind, text, count, first_at, last_at) VALUES (?, ?, ?, 1, ?, ?)"+
			" ON CONFLICT (tenant, kind, text) DO UPDATE SET count = alarms.count + 1, last_at = excluded.last_at", tenant, kind, said, now, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("raise %s: %w", kind, err)
	}
	return nil
}

// Alarms returns the alarms of a tenant, the last raised first; of all tenants
// and the system if tenant is "".
func (s *Store) Alarms(ctx context.Context, tenant string) ([]Alarm, error) {
	rows, err := s.query(ctx, "SELECT tenant, kind, text, count, first_at, last_at FROM alarms WHERE (? = '' OR tenant = ?) ORDER BY last_at DESC, tenant, kind, text", tenant, tenant)
	return collect(rows, err, func(r *sql.Rows) (a Alarm, err error) {
		var said string
		err = r.Scan(&a.Tenant, &a.Kind, &said, &a.Count, stamp{&a.FirstAt}, stamp{&a.LastAt})
		a.Text = sentenceOf(said)
		return a, err
	})
}

// keptSentence is a sentence as a column of text keeps it: without values its format,
// else as mail.Kept.
func keptSentence(s mail.Sentence) (string, error) {
	if len(s.Args) == 0 {
		return text(s.Format), nil
	}
	b, err := json.Marshal(mail.Kept{Sentence: s})
	return text(string(b)), err
}

// sentenceOf reads it again; what was kept before sentences had values is one without.
func sentenceOf(said string) mail.Sentence {
	var k mail.Kept
	if strings.HasPrefix(said, "[") && json.Unmarshal([]byte(said), &k) == nil {
		return k.Sentence
	}
	return mail.Say(said)
}

// Clear removes alarms of a kind. It is no error if there are none.
func (s *Store) Clear(ctx context.Context, kind, tenant string) error {
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM alarms WHERE tenant = ? AND kind = ?", tenant, kind)
		return err
	})
}

// SwapSetting keeps a value if the one kept is still was, nil for none, and reports
// whether it was.
func (s *Store) SwapSetting(ctx context.Context, tenant, name string, was, value []byte) (swapped bool, err error) {
	err = s.w.do(ctx, func(t *tx) error {
		q, args := "UPDATE settings SET value = ? WHERE tenant = ? AND name = ? AND value = ?", []any{value, tenant, name, was}
		if was == nil {
			q, args = "INSERT INTO settings (tenant, name, value) VALUES (?, ?, ?) ON CONFLICT (tenant, name) DO NOTHING", []any{tenant, name, value}
		}
		n, err := t.exec(q, args...)
		swapped = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("setting %s: %w", name, err)
	}
	return swapped, nil
}

// SettingTenants are the tenants that have a setting of that name, in their order.
func (s *Store) SettingTenants(ctx context.Context, name string) ([]string, error) {
	rows, err := s.query(ctx, "SELECT tenant FROM settings WHERE name = ? ORDER BY tenant", name)
	list, err := collect(rows, err, func(r *sql.Rows) (t string, err error) { return t, r.Scan(&t) })
	if err != nil {
		return nil, fmt.Errorf("setting %s: %w", name, err)
	}
	return list, nil
}
