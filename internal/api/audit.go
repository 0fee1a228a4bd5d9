package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
	"postern/internal/store"
)

type auditEntry struct {
	Seq    int64     `json:"seq" doc:"1, 2, ... over the whole system, without a gap."`
	At     time.Time `json:"at"`
	Actor  string    `json:"actor" example:"ann@contoso.com via token nightly"`
	Tenant string    `json:"tenant"`
	Action string    `json:"action" example:"domain.enable"`
	Object string    `json:"object"`
	Before string    `json:"before"`
	After  string    `json:"after"`
}

// AuditFilter is what searches of the audit log have in common.
type AuditFilter struct {
	Actor  string    `query:"actor" maxLength:"400" doc:"Exactly."`
	Action string    `query:"action" maxLength:"100" doc:"Exactly."`
	Object string    `query:"object" maxLength:"1000" doc:"Exactly."`
	Since  time.Time `query:"since"`
	Until  time.Time `query:"until"`
	Limit  int       `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Cursor string    `query:"cursor" maxLength:"20" doc:"next of the part before."`
}

type auditOfTenant struct {
	OfTenant
	AuditFilter
}

type chain struct {
	OK      bool   `json:"ok" doc:"Every entry is there and unchanged."`
	Entries int64  `json:"entries" doc:"That are as they were written."`
	Problem string `json:"problem,omitempty"`
}

func (a *API) audit(api huma.API) {
	op := operation{tag: "Administration", scope: "audit:read", roles: readers}
	add(a, api, op.with("listTenantAudit", "GET", "/tenants/{tenant}/audit", "Read a tenant's audit log", "The newest entry first."), a.auditTenant)
	op.system = true
	add(a, api, op.with("listAudit", "GET", "/audit", "Read the whole audit log", "The newest entry first."), a.auditAll)
	add(a, api, op.with("verifyAudit", "GET", "/audit/verify", "Check that the audit log is as it was written", "Reads all of it."), a.verifyAudit)
}

func (a *API) auditTenant(ctx context.Context, v *visit, in *auditOfTenant) (*answered[page[auditEntry]], error) {
	return a.auditLog(ctx, v.tenant.ID, in.AuditFilter)
}

func (a *API) auditAll(ctx context.Context, _ *visit, in *AuditFilter) (*answered[page[auditEntry]], error) {
	return a.auditLog(ctx, "", *in)
}

func (a *API) auditLog(ctx context.Context, tenant string, in AuditFilter) (*answered[page[auditEntry]], error) {
	f := store.AuditFilter{Tenant: tenant, Actor: in.Actor, Action: in.Action, Object: in.Object, Since: in.Since, Until: in.Until, Limit: in.Limit}
	if in.Cursor != "" {
		var err error
		if f.Before, err = strconv.ParseInt(in.Cursor, 10, 64); err != nil || f.Before < 1 {
			return nil, problem(http.StatusUnprocessableEntity, "The cursor is not one of this list. Give next of the part before, or leave it out to begin anew.")
		}
	}
	rows, err := a.Store.AuditLog(ctx, f)
	if err != nil {
		return nil, err
	}
	part := page[auditEntry]{Items: []auditEntry{}}
	for _, e := range rows {
		part.Items = append(part.Items, auditEntry(e))
	}
	if len(rows) == f.Limit {
		part.Next = strconv.FormatInt(rows[len(rows)-1].Seq, 10)
	}
	return answer(part), nil
}

func (a *API) verifyAudit(ctx context.Context, _ *visit, _ *none) (*answered[chain], error) {
	n, err := a.Store.AuditVerify(ctx)
	if errors.Is(err, store.ErrTampered) {
		return answer(chain{false, n, admin.Sentence(err) + " Compare it with the copies kept elsewhere."}), nil
	}
	return answer(chain{OK: true, Entries: n}), err
}
