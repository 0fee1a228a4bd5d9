package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// A ScriptRun is a PowerShell script that was downloaded, and what its run told.
type ScriptRun struct {
	Tenant   string
	ID       string
	By       string // who downloaded it
	MadeAt   time.Time
	Until    time.Time // the token, or once it is used the run's key, is good until then
	BegunAt  time.Time // the token was used; zero if not yet
	EndedAt  time.Time
	Progress []byte // JSON
}

const scriptRunColumns = "SELECT tenant, id, made_by, made_at, until, begun_at, ended_at, progress FROM script_runs"

func scanScriptRun(scan func(...any) error) (r ScriptRun, err error) {
	return r, scan(&r.Tenant, &r.ID, &r.By, stamp{&r.MadeAt}, stamp{&r.Until}, stamp{&r.BegunAt}, stamp{&r.EndedAt}, &r.Progress)
}

// AddScriptRun keeps that a script was made, whose token has that hash. Runs of the
// tenant made before forget are forgotten.
func (s *Store) AddScriptRun(ctx context.Context, r ScriptRun, hash []byte, forget time.Time) error {
	err := s.w.do(ctx, func(t *tx) error {
		if _, err := t.exec("DELETE FROM script_runs WHERE tenant = ? AND made_at < ?", r.Tenant, forget.UnixMilli()); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO script_runs (tenant, id, hash, made_by, made_at, until) VALUES (?, ?, ?, ?, ?, ?)", r.Tenant, r.ID, hash, text(r.By), r.MadeAt.UnixMilli(), r.Until.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("add script run: %w", err)
	}
	return nil
}

// BeginScriptRun uses a token up: from now on the run is known by its key, until
// then. ErrNotFound if there is no such token or it has ended, ErrExists if it was
// used before.
func (s *Store) BeginScriptRun(ctx context.Context, hash, keyHash []byte, now, until time.Time) (ScriptRun, error) {
	begun := false
	err := s.w.do(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE script_runs SET begun_at = ?, key_hash = ?, until = ? WHERE hash = ? AND begun_at IS NULL AND until > ?", now.UnixMilli(), keyHash, until.UnixMilli(), hash, now.UnixMilli())
		begun = n == 1
		return err
	})
	if err != nil {
		return ScriptRun{}, fmt.Errorf("begin script run: %w", err)
	}
	r, err := scanScriptRun(s.row(ctx, scriptRunColumns+" WHERE hash = ?", hash).Scan)
	switch err = found(err); {
	case err != nil:
		return r, fmt.Errorf("script run: %w", err)
	case begun:
		return r, nil
	case !r.BegunAt.IsZero():
		return r, fmt.Errorf("script run: token was used: %w", ErrExists)
	}
	return r, fmt.Errorf("script run: token has ended: %w", ErrNotFound)
}

// ScriptRunOf is the run whose key has that hash; ErrNotFound if there is none, or
// none any more at now.
func (s *Store) ScriptRunOf(ctx context.Context, keyHash []byte, now time.Time) (ScriptRun, error) {
	r, err := scanScriptRun(s.row(ctx, scriptRunColumns+" WHERE key_hash = ? AND ended_at IS NULL AND until > ?", keyHash, now.UnixMilli()).Scan)
	if err = found(err); err != nil {
		return r, fmt.Errorf("script run: %w", err)
	}
	return r, nil
}

// PutScriptProgress keeps how far a run is; ended zero means that it goes on.
func (s *Store) PutScriptProgress(ctx context.Context, tenant, id string, progress []byte, ended time.Time) error {
	var end any
	if !ended.IsZero() {
		end = ended.UnixMilli()
	}
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE script_runs SET progress = ?, ended_at = ? WHERE tenant = ? AND id = ?", progress, end, tenant, id)
		return err
	})
}

// ScriptRuns are a tenant's last runs, the newest first.
func (s *Store) ScriptRuns(ctx context.Context, tenant string, limit int) ([]ScriptRun, error) {
	rows, err := s.query(ctx, scriptRunColumns+" WHERE tenant = ? ORDER BY made_at DESC, id DESC LIMIT ?", tenant, limit)
	return collect(rows, err, func(r *sql.Rows) (ScriptRun, error) { return scanScriptRun(r.Scan) })
}
