package exchange

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"postern/internal/exchange/adminapi"
	"postern/internal/mail"
)

// A Commander runs one cmdlet of Exchange Online and returns the objects it gave.
// Errors of Exchange are *adminapi.Error. adminapi.Client is one.
type Commander interface {
	Invoke(ctx context.Context, cmdlet string, params map[string]any) ([]map[string]any, error)
}

// Current is what a tenant has, as read.
type Current struct {
	Organization map[string]any
	Accepted     []map[string]any // accepted domains
	Remote       map[string]any   // default remote domain
	Filter       map[string]any   // default connection filter policy
	Spoof        []map[string]any // pairs of the tenant allow/block list
	Arc          map[string]any   // nil if not read
	Inbound      []map[string]any
	Outbound     []map[string]any
	Rules        []map[string]any // by priority

	protection map[string]map[string]any // policies and their rules, by key
}

// Read reads all of a tenant that a plan depends on. names are outbound connectors
// that a list may leave out, because they are for mail flow rules only. The error
// is a *Problem.
func Read(ctx context.Context, c Commander, arc bool, names ...string) (*Current, error) {
	cur := &Current{}
	one := func(dst *map[string]any, cmdlet string, params map[string]any) error {
		list, err := c.Invoke(ctx, cmdlet, params)
		if err != nil {
			return explain(err, cmdlet)
		}
		if len(list) == 0 {
			return NewProblem("missing", mail.Say("%s gave nothing, although every organization has one.", cmdlet), mail.Say("Try again in a few minutes; if it stays, ask Microsoft's support."), nil)
		}
		*dst = list[0]
		return nil
	}
	many := func(dst *[]map[string]any, cmdlet string) error {
		list, err := c.Invoke(ctx, cmdlet, map[string]any{})
		if err != nil {
			return explain(err, cmdlet)
		}
		*dst = list
		return nil
	}
	identity := map[string]any{"Identity": defaultObject}
	for _, step := range []func() error{
		func() error { return one(&cur.Organization, "Get-OrganizationConfig", nil) },
		func() error { return many(&cur.Accepted, "Get-AcceptedDomain") },
		func() error { return one(&cur.Remote, "Get-RemoteDomain", identity) },
		func() error { return one(&cur.Filter, "Get-HostedConnectionFilterPolicy", identity) },
		func() error { return many(&cur.Spoof, "Get-TenantAllowBlockListSpoofItems") },
		func() error { return many(&cur.Inbound, "Get-InboundConnector") },
		func() error { return many(&cur.Outbound, "Get-OutboundConnector") },
		func() error { return many(&cur.Rules, "Get-TransportRule") },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if arc {
		list, err := c.Invoke(ctx, "Get-ArcConfig", map[string]any{})
		if err != nil {
			return nil, explain(err, "Get-ArcConfig")
		}
		if len(list) == 0 {
			list = []map[string]any{{}} // no sealer was ever trusted
		}
		cur.Arc = sealers(list[0])
	}
	slices.SortStableFunc(cur.Rules, func(a, b map[string]any) int { return intOf(a["Priority"]) - intOf(b["Priority"]) })
	return cur, cur.addOutbound(ctx, c, names)
}

func (c *Current) addOutbound(ctx context.Context, cmd Commander, names []string) error {
	for _, name := range names {
		if c.Object(OutboundConnector, name) != nil {
			continue
		}
		list, err := cmd.Invoke(ctx, "Get-OutboundConnector", map[string]any{"Identity": name})
		var e *adminapi.Error
		if errors.As(err, &e) && e.NotFound() {
			continue
		}
		if err != nil {
			return explain(err, "Get-OutboundConnector")
		}
		c.Outbound = append(c.Outbound, list...)
	}
	return nil
}

// Object is the object of that kind and name, nil if there is none.
func (c *Current) Object(k Kind, name string) map[string]any {
	switch k {
	case RemoteDomain:
		return c.Remote
	case ConnectionFilter:
		return c.Filter
	case ArcConfig:
		return c.Arc
	case Organization:
		return c.Organization
	case SpoofItem:
		for _, o := range c.Spoof {
			if strings.EqualFold(spoofName(text(o["SpoofedUser"]), text(o["SendingInfrastructure"]), text(o["SpoofType"])), name) {
				return o
			}
		}
		return nil
	}
	if o, ok := c.protection[objectKey(k, name)]; ok {
		return o
	}
	return byName(c.list(k), name)
}

func (c *Current) list(k Kind) []map[string]any {
	switch k {
	case InboundConnector:
		return c.Inbound
	case OutboundConnector:
		return c.Outbound
	case TransportRule:
		return c.Rules
	}
	return nil
}

func byName(list []map[string]any, name string) map[string]any {
	for _, o := range list {
		if strings.EqualFold(nameOf(o), name) {
			return o
		}
	}
	return nil
}

func nameOf(o map[string]any) string {
	if n := text(o["Name"]); n != "" {
		return n
	}
	return text(o["Identity"])
}

func enabled(rule map[string]any) bool { return strings.EqualFold(text(rule["State"]), "Enabled") }

func intOf(v any) int {
	n, _ := strconv.Atoi(text(v)) // 0 for what is no number, as Exchange's first
	return n
}

// fetch reads one object again.
func fetch(ctx context.Context, c Commander, k Kind, name string) (map[string]any, error) {
	params := map[string]any{"Identity": name}
	if k == SpoofItem || k == ArcConfig || k == Organization {
		params = map[string]any{}
	}
	list, err := c.Invoke(ctx, "Get-"+string(k), params)
	var e *adminapi.Error
	if errors.As(err, &e) && e.NotFound() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if k == SpoofItem {
		return (&Current{Spoof: list}).Object(SpoofItem, name), nil
	}
	if len(list) == 0 {
		return nil, nil
	}
	if k == ArcConfig {
		return sealers(list[0]), nil
	}
	return list[0], nil
}

// sealers turns the list of trusted sealers, which Exchange shows as one text with
// commas (cmdlets.json, Set-ArcConfig), into a list.
func sealers(arc map[string]any) map[string]any {
	out := Values(arc).clone()
	var list []string
	for _, s := range listOf(arc["ArcTrustedSealers"]) {
		for part := range strings.SplitSeq(s, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
	}
	if out == nil {
		out = Values{}
	}
	out["ArcTrustedSealers"] = list
	return out
}
