package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/oklog/ulid/v2"
	"golang.org/x/time/rate"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/store"
)

// A visit is one call and who makes it.
type visit struct {
	*admin.Exchange // in the caller's name
	token           store.Token
	user            store.User  // whose token it is, as he is now
	tenant          mail.Tenant // of the path; zero for operations on the whole system
	id              string      // of the request, told with faults
}

// within is the tenant that bounds the caller, "" for none.
func (v *visit) within() string {
	if v.token.Tenant != "" {
		return v.token.Tenant
	}
	return v.user.Tenant
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// guard lets a call through to its operation only with a token that may do it.
// Nothing of the request but token and path is looked at before.
func (a *API) guard(op operation) func(huma.Context, func(huma.Context)) {
	return func(c huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(c)
		v := &visit{id: ulid.Make().String()}
		err := a.identify(r, v)
		if err == nil {
			err = a.admit(r, v, op)
		}
		if err == nil {
			next(huma.WithValue(c, visitKey{}, v))
			return
		}
		p := a.answer(err, v, r.URL.Path)
		switch p.Status {
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", `Bearer realm="Postern"`)
		case http.StatusTooManyRequests:
			w.Header().Set("Retry-After", "2")
		}
		write(w, p)
	}
}

// answer makes any error a problem; what is not one is a fault of ours.
func (a *API) answer(err error, v *visit, path string) *huma.ErrorModel {
	var p *huma.ErrorModel
	if !errors.As(err, &p) {
		a.Log.Error("api", "request", v.id, "path", path, "err", err)
		p = failed(v.id)
	}
	return p
}

// identify finds out whose token it is. Only the Authorization header counts
// (RFC 6750 §2.1); cookies and the query do not.
func (a *API) identify(r *http.Request, v *visit) error {
	given := r.Header.Values("Authorization")
	if len(given) == 0 {
		return problem(http.StatusUnauthorized, "This needs an API token: send Authorization: Bearer TOKEN. Tokens are made in the portal under API tokens.")
	}
	kind, text, _ := strings.Cut(given[0], " ")
	from := caller(r)
	err := admin.ErrBearer
	if len(given) == 1 && strings.EqualFold(kind, "Bearer") {
		v.token, v.user, err = a.Exchange.Bearer(r.Context(), text, from)
	}
	if errors.Is(err, admin.ErrBearer) {
		if !a.limits.allow("wrong "+from.Address.String(), rate.Every(wrongEvery), wrongBurst) {
			return problem(http.StatusTooManyRequests, "Too many wrong API tokens came from this address. Wait a minute, and check the token.")
		}
		a.Log.Warn("api token refused", "request", v.id, "address", from.Address.String(), "token", v.token.ID)
		return problem(http.StatusUnauthorized, admin.Sentence(err))
	}
	if err != nil {
		return err
	}
	v.Exchange = a.as(v.user.Email + " via token " + v.token.Name)
	if !a.limits.allow("token "+v.token.ID, perSecond, burst) {
		return problem(http.StatusTooManyRequests, fmt.Sprintf("This token asks too often: at most %d times a second in the long run. Wait a moment.", perSecond))
	}
	return nil
}

// as is admin in the name of a caller.
func (a *API) as(actor string) *admin.Exchange {
	x := *a.Exchange
	own := *x.Admin
	own.Actor = actor
	x.Admin = &own
	return &x
}

func caller(r *http.Request) admin.Visitor {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	addr, _ := netip.ParseAddr(host)
	return admin.Visitor{Address: addr.Unmap(), Agent: r.UserAgent()}
}

// admit checks what the operation asks for, in this order: tenant, scope, role.
func (a *API) admit(r *http.Request, v *visit, op operation) error {
	if op.system && v.within() != "" {
		return errNothing
	}
	if id := r.PathValue("tenant"); id != "" {
		if own := v.within(); own != "" && own != id {
			return errNothing
		}
		t, err := a.Store.Tenant(r.Context(), id)
		if errors.Is(err, store.ErrNotFound) {
			return errNothing
		}
		if err != nil {
			return err
		}
		v.tenant = t.Tenant
	}
	lacks := ""
	switch {
	case op.scope != "" && !slices.Contains(v.token.Scopes, op.scope):
		lacks = fmt.Sprintf("This needs the scope %s, which the token %s does not have. Make a token with it in the portal.", op.scope, v.token.Name)
	case op.danger != "" && !slices.Contains(v.token.Scopes, op.danger):
		lacks = fmt.Sprintf("This is dangerous and needs the scope %s, which the token %s does not have. Make a token with it in the portal, where a second factor is asked for.", op.danger, v.token.Name)
	case !slices.Contains(op.roles, v.user.Role):
		lacks = fmt.Sprintf("This needs one of the roles %s; %s, whose token this is, is %s.", strings.Join(op.roles, ", "), v.user.Email, v.user.Role)
	default:
		return a.alone(r.Context(), v, op)
	}
	if a.limits.allow("note "+v.token.ID, rate.Every(noteEvery), 1) { // a program that tries on would fill the log
		if err := v.Refuse(r.Context(), v.tenant.ID, r.Method+" "+r.URL.Path); err != nil {
			return err
		}
	}
	return problem(http.StatusForbidden, lacks)
}

// alone refuses a dangerous thing where an owner wants two people for it (safety.md
// R45): a program is not a second person.
func (a *API) alone(ctx context.Context, v *visit, op operation) error {
	if op.danger == "" {
		return nil
	}
	two, err := v.FourEyes(ctx)
	if err != nil || !two {
		return err
	}
	return problem(http.StatusForbidden, "On this installation a second person has to agree to this. Do it in the portal, where that person is asked.")
}
