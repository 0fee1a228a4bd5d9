package portal

import (
	"context"
	"errors"

	"postern/internal/admin"
	"postern/internal/exchange"
)

// errBusy means that another change of the same Exchange is on.
var errBusy = &problem{409, "Another change of this Exchange is under way. Wait until it has ended."}

// errNotConnected means that there is no Exchange to change yet.
var errNotConnected = &problem{409, "Exchange is not connected. Connect it first."}

// begun says why a run could not begin, in the portal's words.
func begun(err error) error {
	switch {
	case errors.Is(err, admin.ErrBusy):
		return errBusy
	case errors.Is(err, admin.ErrNotConnected):
		return errNotConnected
	}
	return err
}

// state is what the journal knows of a tenant's Exchange; it calls nothing.
func (p *Portal) state(ctx context.Context, tenant string) (*exchange.State, error) {
	return p.Exchange.State(ctx, tenant)
}
