package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"postern/internal/mail"
	"postern/internal/seal"
	"postern/internal/spool"
	"postern/internal/store"
)

// Data is what Verify reads.
type Data struct {
	Store    *store.Store
	Spool    *spool.Spool
	Seal     func(tenant string) (seal.TenantKey, error)
	Part     string // what the seal binds message content to
	Progress func(messages int)
	Marks    []store.AuditMark // of the audit log, kept elsewhere
}

// Damage is one thing that is not as it should be.
type Damage struct {
	What   string `json:"what"`   // "database", "ledger", "audit", "content", "spool"
	Object string `json:"object"` // message id, tenant or row; may be ""
	Text   string `json:"text"`   // what is wrong and what can be done
}

// Report is what Verify found.
type Report struct {
	OK       bool     `json:"ok"`
	Messages int      `json:"messages"` // whose content was opened
	Octets   int64    `json:"octets"`   // of content
	Objects  int      `json:"objects"`  // in the spool
	Audit    int64    `json:"audit"`    // entries
	Damaged  []Damage `json:"damaged"`
}

func (r *Report) add(what, object, text string, args ...any) {
	r.Damaged = append(r.Damaged, Damage{what, object, fmt.Sprintf(text, args...)})
}

// young objects of the spool may be of messages that are being accepted.
const young = 6 * time.Hour

// Verify reads the whole store and spool: every page of the database, every kept
// message to its last octet, the audit log from its first entry. It runs beside a
// relay. Damage is in the report; the error says that the reading itself failed.
func (d *Data) Verify(ctx context.Context) (*Report, error) {
	r := &Report{Damaged: []Damage{}}
	if err := d.Store.Check(ctx); errors.Is(err, store.ErrDamaged) {
		r.add("database", "", "%v.", err)
	} else if err != nil {
		return nil, err
	}
	flaws, err := d.Store.Flaws(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range flaws {
		r.add("ledger", f.Object, "%s", f.Text)
	}
	if r.Audit, err = d.Store.AuditVerify(ctx, d.Marks...); errors.Is(err, store.ErrTampered) {
		r.add("audit", "", "%v. Somebody changed the database behind Postern's back, or an older copy of it was put in place.", err)
	} else if err != nil {
		return nil, err
	}
	if err := d.contents(ctx, r); err != nil {
		return nil, err
	}
	if err := d.orphans(ctx, r); err != nil {
		return nil, err
	}
	r.OK = len(r.Damaged) == 0
	return r, nil
}

func (d *Data) contents(ctx context.Context, r *Report) error {
	return d.Store.Contents(ctx, func(c store.Content) error {
		n, err := d.content(ctx, c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.Messages++
		r.Octets += n
		if d.Progress != nil {
			d.Progress(r.Messages)
		}
		if err == nil && n == c.Size {
			return nil
		}
		if needed, nerr := d.Store.Needed(ctx, c.ID); nerr != nil || !needed {
			return nerr // it ended while we looked
		}
		switch {
		case errors.Is(err, store.ErrNotFound), errors.Is(err, spool.ErrNotFound):
			r.add("content", string(c.ID), "The content of the message is gone. Look for it in the last backup.")
		case errors.Is(err, seal.ErrSealed):
			r.add("content", string(c.ID), "The content does not open: it was changed or cut, or the root key is not the one it was sealed with. Look for it in the last backup.")
		case err != nil:
			r.add("content", string(c.ID), "The content cannot be read: %v.", err)
		default:
			r.add("content", string(c.ID), "The content has %d octets; %d were accepted.", n, c.Size)
		}
		return nil
	})
}

// content opens one message to its last octet and counts them.
func (d *Data) content(ctx context.Context, c store.Content) (int64, error) {
	key, err := d.Seal(c.Tenant)
	if err != nil {
		return 0, err
	}
	if !c.Spooled {
		sealed, _, err := d.Store.Octets(ctx, c.ID)
		if err != nil {
			return 0, err
		}
		content, err := key.Open(c.ID, d.Part, sealed)
		return int64(len(content)), err
	}
	file, err := d.Spool.Open(ctx, c.ID)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	content, err := key.Reader(file, c.ID, d.Part)
	if err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, content)
}

// orphans are objects of the spool that no message needs. Beside a running relay a
// young one may be on its way in or out.
func (d *Data) orphans(ctx context.Context, r *Report) error {
	return d.Spool.List(ctx, func(id mail.ID, modified time.Time) error {
		r.Objects++
		needed, err := d.Store.Needed(ctx, id)
		if err != nil || needed {
			return err
		}
		if d.Store.Alone() || time.Since(modified) > young {
			r.add("spool", string(id), "No message needs this object of the spool. The relay removes it by itself within six hours.")
		}
		return nil
	})
}
