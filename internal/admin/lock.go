package admin

import (
	"context"
	"errors"
	"time"

	"postern/internal/exchange"
	"postern/internal/mail"
	"postern/internal/store"
)

// exchangeLease is the name of the lease under which a tenant's Exchange is changed.
const exchangeLease = "exchange"

// A hold is the right of one engine to change a tenant's Exchange, and its journal,
// which is written only as long as the right lasts.
type hold struct {
	Journal
	lease *store.Lease // nil while nothing is changed
}

// take is an exchange.Engine's Lock.
func (h *hold) take(ctx context.Context, what string) (free func(), err error) {
	a := h.Admin
	l, err := a.Store.Take(ctx, store.Lease{Tenant: h.Tenant, Name: exchangeLease, Who: a.Actor, What: what})
	var taken *store.Taken
	if errors.As(err, &taken) {
		return nil, busy(taken.Lease)
	}
	if err != nil {
		return nil, err
	}
	h.lease = &l
	return func() {
		h.lease = nil
		_ = a.Store.Give(context.WithoutCancel(ctx), l) // else it ends with the process
	}, nil
}

// Save implements exchange.Journal.
func (h *hold) Save(ctx context.Context, state []byte) error {
	if h.lease == nil {
		return h.Journal.Save(ctx, state)
	}
	octets, err := h.Admin.seal(ctx, h.Tenant, journalSetting, state)
	if err != nil {
		return err
	}
	err = h.Admin.Store.PutSettingUnder(ctx, *h.lease, journalSetting, octets)
	if errors.Is(err, store.ErrFenced) {
		return exchange.NewProblem("lost-lock", mail.Say("This process was silent for so long that another one may change this Exchange now."), mail.Say("Nothing is half done: start the same again to go on from there."), err)
	}
	return err
}

// busy tells who changes a tenant's Exchange.
func busy(l store.Lease) *exchange.Problem {
	return exchange.NewProblem("busy", mail.Say("%s is changing this Exchange (%s, since %s, on %s).", whoName(l.Who), l.What, l.Since.UTC().Format("2006-01-02 15:04:05 UTC"), l.Node),
		mail.Say("Wait until it has ended. If its process was killed, the way is free after two minutes at most."), nil)
}

func whoName(actor string) mail.Sentence {
	if actor == "" || actor == "command line" {
		return mail.Say("The command line")
	}
	return mail.Sentence{Format: actor}
}

// A Holder is who changes a tenant's Exchange now, in whatever process.
type Holder struct {
	Who   mail.Sentence // a name, or "The command line"
	What  string
	Node  string
	Since time.Time
}

// UnderWay is who changes a tenant's Exchange now; nil if nobody does.
func (x *Exchange) UnderWay(ctx context.Context, tenant string) (*Holder, error) {
	l, err := x.Store.Holder(ctx, tenant, exchangeLease)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lives, err := x.Store.Living(ctx, l)
	if err != nil || !lives {
		return nil, err
	}
	return &Holder{whoName(l.Who), l.What, l.Node, l.Since}, nil
}
