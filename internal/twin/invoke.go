package twin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"postern/internal/twin/cmdlet"
)

// A Result is what a cmdlet answers.
type Result struct {
	Value    []Object
	Warnings []string
}

// Invoke runs one cmdlet as caller, with parameters as the admin API's JSON or a
// script holds them: bool, number, string, lists of them, nil, or a table with
// Add and Remove. Every change to a tenant goes through here. The error is a
// *cmdlet.Error, or the context's.
func (t *Tenant) Invoke(ctx context.Context, caller Caller, name string, params map[string]any) ([]map[string]any, error) {
	r, err := t.Run(ctx, caller, name, params)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, 0, len(r.Value))
	for _, o := range r.Value {
		out = append(out, o)
	}
	return out, nil
}

// Run is Invoke with the warnings.
func (t *Tenant) Run(ctx context.Context, caller Caller, name string, params map[string]any) (Result, error) {
	canonical := t.twin.table.Name(name)
	if canonical == "" || !caller.may(canonical) || !t.licensed(canonical) {
		return Result{}, cmdlet.Unknown(name)
	}
	if err := t.licensedParameters(canonical, params); err != nil {
		return Result{}, err
	}
	args, err := t.twin.table.Bind(canonical, params)
	if err != nil {
		return Result{}, err
	}
	c := &call{t: t, ctx: ctx, caller: caller, name: canonical, args: args}
	c.verb, c.noun = cmdlet.Split(canonical)
	if canonical == "Validate-OutboundConnector" { // opens connections, so not under the lock
		value, err := c.validateOutboundConnector()
		return Result{value, c.warnings}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := c.hydrated(); err != nil {
		return Result{}, err
	}
	value, err := c.dispatch()
	if err != nil {
		return Result{}, err
	}
	for i, o := range value {
		value[i] = o.clone() // the caller may change what he got
	}
	return Result{value, c.warnings}, nil
}

// A call is one cmdlet at work. The tenant's lock is held while it runs.
type call struct {
	t          *Tenant
	ctx        context.Context
	caller     Caller
	name       string // "New-InboundConnector"
	verb, noun string
	args       cmdlet.Args
	warnings   []string
}

func (c *call) warn(format string, args ...any) {
	c.warnings = append(c.warnings, fmt.Sprintf(format, args...))
}

// dispatch finds who does the work: a noun of its own kind, a rule in an order, or
// a plain named object.
func (c *call) dispatch() ([]Object, error) {
	switch c.noun {
	case "TenantAllowBlockListSpoofItems":
		return c.spoofItems()
	case "TenantAllowBlockListItems":
		return c.listItems()
	case "OrganizationCustomization":
		return c.enableCustomization()
	case "MessageTrace", "MessageTraceV2":
		return c.messageTrace()
	case "QuarantineMessage":
		return c.quarantineMessage()
	case "ManagementRole", "ManagementRoleAssignment", "RoleGroup", "RoleGroupMember", "ServicePrincipal":
		return c.roles()
	case "Recipient":
		return c.get("Mailbox")
	}
	if c.t.twin.templates[c.noun] == nil {
		return nil, &cmdlet.Error{Status: 500, Code: "InternalServerError", Type: cmdlet.TaskType, Message: "The twin knows the parameters of " + c.name + " but does not simulate it."}
	}
	switch c.verb {
	case "Get":
		return c.get(c.noun)
	case "New":
		return c.create()
	case "Set":
		return c.set()
	case "Remove":
		return c.remove()
	case "Enable", "Disable":
		return c.enable(c.verb == "Enable")
	}
	return nil, cmdlet.Unknown(c.name)
}

// get lists a noun's objects as a replica shows them: Lag behind the directory.
func (c *call) get(noun string) ([]Object, error) {
	objs := c.t.shelves[noun].asOf(c.t.twin.now().Add(-c.t.twin.opt.Lag))
	if id := c.args.String("Identity"); id != "" && !singleton(noun) {
		i := slices.IndexFunc(objs, func(o Object) bool { return o.is(id) })
		if i < 0 {
			return nil, cmdlet.NotFound(id, server)
		}
		return []Object{objs[i]}, nil
	}
	out := []Object{}
	for _, o := range objs {
		if c.wanted(o) {
			out = append(out, o)
		}
	}
	return out, nil
}

// wanted applies the filters that Get- cmdlets have.
func (c *call) wanted(o Object) bool {
	if s := c.args.String("State"); s != "" && !strings.EqualFold(s, o.String("State")) {
		return false
	}
	if c.args.Has("IsTransportRuleScoped") && c.args.Bool("IsTransportRuleScoped", false) != o.Bool("IsTransportRuleScoped") {
		return false
	}
	if kinds := c.args.List("RecipientTypeDetails"); len(kinds) > 0 && !slices.Contains(kinds, o.String("RecipientTypeDetails")) {
		return false
	}
	return true
}

// target is the object that -Identity names in the directory as it is now.
func (c *call) target() (Object, error) {
	if singleton(c.noun) {
		return c.t.objects(c.noun)[0], nil
	}
	id := c.args.String("Identity")
	if o := c.t.find(c.noun, id); o != nil {
		return o, nil
	}
	return nil, cmdlet.NotFound(id, server)
}

// singleton reports whether a tenant has exactly one object of a noun.
func singleton(noun string) bool {
	switch noun {
	case "OrganizationConfig", "TransportConfig", "ArcConfig", "ExternalInOutlook":
		return true
	}
	return false
}
