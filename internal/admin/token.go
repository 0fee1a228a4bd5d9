package admin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"postern/internal/mail"
	"postern/internal/store"
)

// How long API tokens last, and how many there may be.
const (
	TokenDays    = 90 // by default
	MaxTokenDays = 365
	maxTokens    = 200                 // of a tenant, or of the whole system, that have not ended
	keepTokens   = 90 * 24 * time.Hour // in the list after their end
	DangerDays   = 30                  // that a token with a dangerous scope lasts at most
	maxNetworks  = 20                  // that one token may come from
	tokenPrefix  = "pst_"
)

// ErrBearer means that a token opens nothing: it is malformed, unknown, revoked or
// expired, comes from an address that it was not made for, or its user may not sign
// in any more. Which of these is not told.
var ErrBearer = mail.Refuse("this API token is not valid: it is mistyped, expired or revoked, not for this address, or its owner may not sign in any more")

// A Scope is one sort of thing that a token may be good for.
type Scope struct {
	Name    string
	Explain string
	Roles   []string // that can make use of it
}

// Dangerous reports whether a scope opens something that a person is asked for a
// fresh second factor for (safety.md R45). A program has none, so the person gives it
// beforehand, one scope a danger, for a short time (doc/decisions/0018).
func Dangerous(scope string) bool { return strings.HasPrefix(scope, "danger:") }

// Scopes are all there are.
func Scopes() []Scope {
	staff := []string{"owner", "security-admin", "helpdesk", "auditor"}
	readers := []string{"owner", "security-admin", "auditor"}
	changers := []string{"owner", "security-admin"}
	return []Scope{
		{"mail:read", "see what became of mail, what is held and why; never its content", staff},
		{"mail:content", "read and download held mail, each time with a reason", changers},
		{"mail:release", "release held mail, and try waiting mail again", []string{"owner", "security-admin", "helpdesk"}},
		{"mail:delete", "delete held mail", changers},
		{"policy:read", "see allow and block lists and policies", readers},
		{"policy:write", "change allow and block lists and policies", changers},
		{"inbound:read", "see domains, their servers and relay keys", readers},
		{"inbound:write", "change domains, relay keys and alarms", changers},
		{"exchange:read", "see how Exchange is set up", readers},
		{"exchange:write", "connect, set up and roll back Exchange", changers},
		{"report:read", "see figures, status and alarms", staff},
		{"audit:read", "read the audit log", readers},
		{"users:read", "see users and their roles", []string{"owner"}},
		{"users:write", "invite users, change roles, disable users", []string{"owner"}},
		{"tenants:read", "see tenants", staff},
		{"tenants:write", "add tenants", changers},
		{"tokens:write", "list and revoke API tokens, and make narrower ones", changers},
		{"danger:key", "make, show and retire relay keys", changers},
		{"danger:delivery", "change where mail is delivered, and switch domains", changers},
		{"danger:exchange", "switch Exchange's own protection, and take back what was set up there", changers},
		{"danger:bypass", "deliver mail whatever its verdict, for a time", changers},
		{"danger:release", "release more than 50 held messages at a time", []string{"owner", "security-admin", "helpdesk"}},
		{"danger:records", "change how long held mail and the trace are kept", changers},
		{"danger:export", "export all that is known of a tenant", []string{"owner"}},
		{"danger:users", "give roles, invite users, take second factors away", []string{"owner"}},
		{"danger:provider", "change where people sign in, and which roles they get by it", []string{"owner"}},
		{"danger:remove", "remove a tenant for good", []string{"owner"}},
	}
}

// A TokenWish is what a new token is to be.
type TokenWish struct {
	Name   string
	Tenant string // "" for the whole system, which only an owner of it may ask for
	Scopes []string
	Days   int            // until it ends; 0 is TokenDays, or DangerDays for one with a dangerous scope
	From   []netip.Prefix // networks that it counts from; none: from everywhere
	Within *store.Token   // made with this token: neither wider nor longer than it
}

// ParseNetworks reads addresses and networks, with blanks, commas or lines between.
func ParseNetworks(text string) (list []netip.Prefix, err error) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		p, err := netip.ParsePrefix(word)
		if addr, aerr := netip.ParseAddr(word); aerr == nil {
			p, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, mail.Refuse("%q is neither an address nor a network: write it like 192.0.2.7 or 192.0.2.0/24", word)
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

// AddToken makes an API token of user, who must be an owner or a security
// administrator. The token is returned this once; the store keeps its hash.
func (a *Admin) AddToken(ctx context.Context, user store.User, w TokenWish) (token string, kept store.Token, err error) {
	if w.Days == 0 {
		w.Days = TokenDays
		if slices.ContainsFunc(w.Scopes, Dangerous) {
			w.Days = DangerDays
		}
	}
	w.Name = strings.TrimSpace(w.Name)
	if w.Within != nil && len(w.From) == 0 {
		w.From = w.Within.Networks
	}
	if err := a.checkWish(ctx, user, w); err != nil {
		return "", kept, err
	}
	now := a.now()
	var raw [32]byte
	rand.Read(raw[:])
	kept = store.Token{ID: strings.ToLower(rand.Text()[:10]), Tenant: w.Tenant, Name: w.Name, Email: user.Email, Scopes: slices.Compact(slices.Sorted(slices.Values(w.Scopes))),
		Networks: w.From, CreatedAt: now, ExpiresAt: now.Add(time.Duration(w.Days) * 24 * time.Hour)}
	if w.Within != nil && kept.ExpiresAt.After(w.Within.ExpiresAt) {
		kept.ExpiresAt = w.Within.ExpiresAt
	}
	token = tokenPrefix + kept.ID + "_" + base64.RawURLEncoding.EncodeToString(raw[:])
	kept.Hash = hashBearer(token)
	added, err := a.Store.AddToken(ctx, kept, maxTokens, now, now.Add(-keepTokens))
	if err != nil {
		return "", kept, err
	}
	if !added {
		return "", kept, mail.Refuse("there are %d API tokens in use already: revoke those that nobody needs first", maxTokens)
	}
	what := fmt.Sprintf("%s, until %s", strings.Join(kept.Scopes, " "), kept.ExpiresAt.UTC().Format("2006-01-02"))
	if len(kept.Networks) > 0 {
		what += fmt.Sprintf(", from %v", kept.Networks)
	}
	return token, kept, a.note(ctx, w.Tenant, "token.add", tokenLabel(kept), "", what)
}

func tokenLabel(t store.Token) string { return fmt.Sprintf("%s (%s) of %s", t.Name, t.ID, t.Email) }

var tokenName = regexp.MustCompile(`^[\pL\pN][\pL\pN ._-]{0,59}$`)

// checkWish refuses a token that is wider than who asks for it.
func (a *Admin) checkWish(ctx context.Context, user store.User, w TokenWish) error {
	if !slices.Contains([]string{"owner", "security-admin"}, user.Role) || !user.DisabledAt.IsZero() {
		return mail.Refuse("%s may not have API tokens: they are for owners and security administrators", user.Email)
	}
	switch {
	case !tokenName.MatchString(w.Name):
		return mail.Refuse("token name %q cannot be used: write what the token is for, in at most 60 letters, digits, blanks, dots and hyphens", w.Name)
	case w.Days < 1 || w.Days > MaxTokenDays:
		return mail.Refuse("a token cannot be good for %d days: choose 1 to %d", w.Days, MaxTokenDays)
	case w.Days > DangerDays && slices.ContainsFunc(w.Scopes, Dangerous):
		return mail.Refuse("a token with a scope danger:… is good for %d days at most: choose fewer, or leave that scope out", DangerDays)
	case len(w.From) > maxNetworks:
		return mail.Refuse("%d networks are too many: a token may come from %d", len(w.From), maxNetworks)
	case w.Within != nil && !narrower(w.From, w.Within.Networks):
		return mail.Refuse("the token that asks counts from fewer addresses than that: name networks within its own")
	case len(w.Scopes) == 0:
		return mail.Refuse("a token without a scope opens nothing: choose at least one")
	case w.Tenant == "" && (user.Tenant != "" || user.Role != "owner"):
		return mail.Refuse("a token for the whole system can only be made by an owner of the whole system: name a tenant")
	case user.Tenant != "" && user.Tenant != w.Tenant, w.Within != nil && w.Within.Tenant != "" && w.Within.Tenant != w.Tenant:
		return mail.Refuse("tenant %s is not known", w.Tenant)
	}
	if w.Tenant != "" {
		if _, err := a.Store.Tenant(ctx, w.Tenant); errors.Is(err, store.ErrNotFound) {
			return mail.Refuse("tenant %s is not known", w.Tenant)
		} else if err != nil {
			return err
		}
	}
	known := Scopes()
	for _, s := range w.Scopes {
		i := slices.IndexFunc(known, func(k Scope) bool { return k.Name == s })
		switch {
		case i < 0:
			return mail.Refuse("scope %q is not known: there are %s", s, strings.Join(scopeNames(known), ", "))
		case !slices.Contains(known[i].Roles, user.Role):
			return mail.Refuse("scope %s is more than the role %s may do: leave it out", s, user.Role)
		case w.Within != nil && Dangerous(s):
			return mail.Refuse("scope %s is given by a person only: make the token in the portal, where a second factor is asked for", s)
		case w.Within != nil && !slices.Contains(w.Within.Scopes, s):
			return mail.Refuse("scope %s is more than the token that asks has: leave it out, or make the token in the portal", s)
		}
	}
	return nil
}

// narrower reports whether all of networks lie within bounds; no bounds are all
// addresses.
func narrower(networks, bounds []netip.Prefix) bool {
	if len(bounds) == 0 {
		return true
	}
	return len(networks) > 0 && !slices.ContainsFunc(networks, func(n netip.Prefix) bool {
		return !slices.ContainsFunc(bounds, func(b netip.Prefix) bool { return b.Bits() <= n.Bits() && b.Contains(n.Addr()) })
	})
}

func scopeNames(list []Scope) []string {
	var names []string
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names
}

func hashBearer(token string) []byte {
	sum := sha256.Sum256([]byte("api token\x00" + token))
	return sum[:]
}

// tokenForm is a token as AddToken writes it: id, and 256 bits in base64.
var tokenForm = regexp.MustCompile(`^pst_[a-z2-7]{10}_[A-Za-z0-9_-]{43}$`)

// Bearer returns a token that counts now, and its user as he is now. The error is
// ErrBearer.
func (a *Admin) Bearer(ctx context.Context, token string, v Visitor) (store.Token, store.User, error) {
	var t store.Token
	var u store.User
	if !tokenForm.MatchString(token) {
		return t, u, ErrBearer
	}
	t, err := a.Store.Token(ctx, hashBearer(token))
	if errors.Is(err, store.ErrNotFound) {
		err = ErrBearer
	}
	if err != nil {
		return t, u, err
	}
	u, err = a.Store.User(ctx, t.Email)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrBearer
	}
	if err != nil {
		return t, u, err
	}
	now := a.now()
	gone := !t.RevokedAt.IsZero() || !now.Before(t.ExpiresAt) || !u.DisabledAt.IsZero()
	other := t.CreatedAt.Before(u.CreatedAt.Truncate(time.Millisecond)) || (u.Tenant != "" && u.Tenant != t.Tenant) // an account of the same address that came later
	elsewhere := len(t.Networks) > 0 && !slices.ContainsFunc(t.Networks, func(n netip.Prefix) bool { return n.Contains(v.Address) })
	if gone || other || elsewhere {
		return t, u, ErrBearer
	}
	if now.Sub(t.UsedAt) > touchEvery {
		err = a.Store.TouchToken(ctx, t.Tenant, t.ID, now, v.Address.String())
	}
	return t, u, err
}

// RevokeToken ends an API token of a tenant, or of the whole system if tenant is
// "". It counts no more from the next request on.
func (a *Admin) RevokeToken(ctx context.Context, tenant, id string) error {
	all, err := a.Store.Tokens(ctx, tenant)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(t store.Token) bool { return t.ID == id && t.Tenant == tenant })
	if i < 0 {
		return fmt.Errorf("token %s: %w", id, store.ErrNotFound)
	}
	if err := a.Store.RevokeToken(ctx, tenant, id, a.now()); err != nil {
		return err
	}
	return a.note(ctx, tenant, "token.revoke", tokenLabel(all[i]), "", "")
}

// MayRelease reports whether a role may release mail of a verdict: what was found
// to be malware or phishing is for security administrators (safety.md R18).
func MayRelease(role string, v mail.Verdict) bool {
	if v == mail.Malware || v == mail.Phish {
		return role == "owner" || role == "security-admin"
	}
	return true
}
