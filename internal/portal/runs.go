package portal

import (
	"context"

	"postern/internal/exchange"
)

// runs are the changes of Exchange that go on now.
type runs struct{}

// state is what the journal knows of a tenant's Exchange; it calls nothing.
func (p *Portal) state(ctx context.Context, tenant string) (*exchange.State, error) {
	return p.Exchange.State(ctx, tenant)
}
