package admin

import (
	"context"
	"strings"

	"postern/internal/mail"
	"postern/internal/store"
)

const mostFilters = 50 // of one person on one page

// SaveFilter keeps a search under a name, for its owner or, with owner "", for
// everybody of the tenant.
func (a *Admin) SaveFilter(ctx context.Context, f store.SavedFilter) error {
	f.Name = strings.Join(strings.Fields(f.Name), " ")
	switch {
	case f.Name == "" || len([]rune(f.Name)) > 60:
		return mail.Refuse("give the search a name of at most 60 characters")
	case f.Query == "" || len(f.Query) > 4000:
		return mail.Refuse("there is nothing to save: search for something first")
	case f.Page != "trace" && f.Page != "quarantine":
		return mail.Refuse("there is no page %q", f.Page)
	}
	have, err := a.Store.SavedFilters(ctx, f.Tenant, f.Owner, f.Page)
	if err != nil {
		return err
	}
	if len(have) >= mostFilters {
		return mail.Refuse("there are %d saved searches already: remove one first", len(have))
	}
	if err := a.Store.PutSavedFilter(ctx, f); err != nil {
		return err
	}
	return a.note(ctx, f.Tenant, "filter.save", f.Page+": "+f.Name, "", sharedWord(f))
}

// RemoveFilter removes a saved search; store.ErrNotFound if there is none.
func (a *Admin) RemoveFilter(ctx context.Context, f store.SavedFilter) error {
	if err := a.Store.RemoveSavedFilter(ctx, f); err != nil {
		return err
	}
	return a.note(ctx, f.Tenant, "filter.remove", f.Page+": "+f.Name, sharedWord(f), "")
}

// sharedWord is for the audit log, which does not get the words of a search.
func sharedWord(f store.SavedFilter) string {
	if f.Owner == "" {
		return "shared"
	}
	return "own"
}
