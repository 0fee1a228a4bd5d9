package e2e

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/seal"
	"postern/internal/spool"
	"postern/internal/store"
)

// kept reads what an installation keeps, beside the program or after its end.
type kept struct {
	t *testing.T
	r *relay.Relay
}

func (p *program) kept() *kept {
	p.t.Helper()
	ctx := context.Background()
	root, err := seal.Open(filepath.Join(p.data(), "root.key"))
	if err != nil {
		p.t.Fatal(err)
	}
	st, err := store.Open(ctx, store.Options{Folder: p.data(), DSN: p.database, AuditKey: root.Derive("audit")})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { st.Close() })
	sp, err := spool.Folder(filepath.Join(p.data(), "spool"))
	if err != nil {
		p.t.Fatal(err)
	}
	d := &relay.Directory{Store: st, Root: root, Log: slog.New(slog.DiscardHandler)}
	if err := d.Load(ctx); err != nil {
		p.t.Fatal(err)
	}
	return &kept{p.t, &relay.Relay{Store: st, Spool: sp, Directory: d}}
}

// content is a held message without our control headers.
func (k *kept) content(tenant string, id mail.ID) []byte {
	k.t.Helper()
	raw, err := k.r.Content(context.Background(), tenant, id)
	if err != nil {
		k.t.Errorf("content of %s: %v", id, err)
	}
	return raw
}

// rows are the trace of everything, one row per recipient.
func (k *kept) rows() []store.TraceRow {
	k.t.Helper()
	var all []store.TraceRow
	for before := ""; ; {
		page, err := k.r.Store.Trace(context.Background(), store.TraceFilter{Limit: 1000, Before: before})
		if err != nil {
			k.t.Fatal(err)
		}
		all = append(all, page...)
		if len(page) < 1000 {
			return all
		}
		before = page[len(page)-1].Cursor(false)
	}
}
