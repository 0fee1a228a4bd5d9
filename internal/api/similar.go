package api

import (
	"context"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/store"
)

type alike struct {
	TraceEntry
	In []string `json:"in" nullable:"false" doc:"What it has in common."`
}

type similarMail struct {
	Items []alike `json:"items" nullable:"false" doc:"Those most alike first, then the newest."`
	Whole bool    `json:"whole" doc:"All mail of these days was looked at; false when there was too much of it."`
}

func (a *API) similar(api huma.API) {
	add(a, api, operation{id: "findSimilar", method: "GET", path: "/tenants/{tenant}/mail/{id}/similar", tag: "Mail", summary: "Find messages like one",
		about: "Received within 14 days around it, with something in common: sender, subject, a link, an attachment.", scope: "mail:read", roles: staff}, a.findSimilar)
}

func (a *API) findSimilar(ctx context.Context, v *visit, in *OfMail) (*answered[similarMail], error) {
	rows, i, err := a.rowsOf(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	j, err := a.Store.Judgement(ctx, rows[i].ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	all, whole, err := a.Store.Similar(ctx, rows[i], j)
	if err != nil {
		return nil, err
	}
	found := similarMail{Items: []alike{}, Whole: whole}
	for _, x := range all {
		found.Items = append(found.Items, alike{viewTrace(x.TraceRow), filled(x.In)})
	}
	return answer(found), nil
}
