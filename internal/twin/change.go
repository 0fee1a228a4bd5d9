package twin

import (
	"slices"
	"strings"

	"postern/internal/twin/cmdlet"
)

// create is New- of a named object.
func (c *call) create() ([]Object, error) {
	name := c.args.String("Name")
	if c.noun == "RemoteDomain" && name == "" {
		name = c.args.String("DomainName")
	}
	if err := c.checkName(name); err != nil {
		return nil, err
	}
	o := c.t.fresh(c.noun, name)
	c.apply(o)
	if err := c.check(o, nil); err != nil {
		return nil, err
	}
	if ordered(c.noun) {
		return []Object{o}, c.insert(o)
	}
	objs := c.t.objects(c.noun)
	c.t.put(c.noun, append(slices.Clip(objs), o))
	return []Object{o}, nil
}

// checkName refuses names that are taken or not allowed.
func (c *call) checkName(name string) error {
	if strings.TrimSpace(name) == "" {
		return cmdlet.Refuse(cmdlet.MissingType, "Cannot bind argument to parameter 'Name' because it is an empty string.")
	}
	if len(name) > 64 {
		return cmdlet.Refuse("Microsoft.Exchange.Data.DataValidationException", "The property Name is too long. The maximum length is 64 and the length of the value provided is %d.", len(name))
	}
	// "Microsoft stopped accepting such names": seen in a vendor's module, text unverified
	if strings.HasSuffix(c.noun, "boundConnector") && strings.ContainsAny(name, `/\`) {
		return cmdlet.Refuse(cmdlet.ArgumentType, "The name '%s' contains characters that aren't allowed: / or \\.", name)
	}
	sharing := c.t.objects(c.noun)
	if strings.HasSuffix(c.noun, "boundConnector") { // both kinds lie in one container of the directory, Transport Settings
		sharing = slices.Concat(c.t.objects("InboundConnector"), c.t.objects("OutboundConnector"))
	}
	for _, o := range sharing {
		if !strings.EqualFold(o.String("Name"), name) {
			continue
		}
		if c.noun == "TransportRule" { // wording unverified
			return cmdlet.Refuse("Microsoft.Exchange.Management.MessagingPolicies.Rules.RuleNameAlreadyExistsException", "The name \"%s\" is already in use. Specify a different name for the rule.", name)
		}
		return cmdlet.Refuse(cmdlet.ExistsType, "The object 'CN=%s,CN=Transport Settings,CN=Configuration,CN=%s,CN=ConfigurationUnits,DC=EURPR01A001,DC=PROD,DC=OUTLOOK,DC=COM' already exists.", name, c.t.Organization)
	}
	return nil
}

// set is Set- of an object.
func (c *call) set() ([]Object, error) {
	old, err := c.target()
	if err != nil {
		return nil, err
	}
	o := old.clone()
	if name := c.args.String("Name"); name != "" && !strings.EqualFold(name, old.String("Name")) {
		if err := c.checkName(name); err != nil {
			return nil, err
		}
	}
	c.apply(o)
	if err := c.check(o, old); err != nil {
		return nil, err
	}
	priority, move := c.args["Priority"].(int)
	move = move && ordered(c.noun) && priority != old.Int("Priority")
	if !move && sameObject(old, o) {
		c.warn("The command completed successfully but no settings of '%s' have been modified.", old.String("Identity"))
		return []Object{}, nil
	}
	c.touch(o)
	if move {
		return []Object{}, c.move(old, o, priority)
	}
	c.t.replace(c.noun, old, o)
	return []Object{}, nil
}

func (c *call) touch(o Object) {
	now := stamp(c.t.twin.now())
	o["WhenChanged"] = now
	if _, ok := o["WhenChangedUTC"]; ok {
		o["WhenChangedUTC"] = now
	}
	if _, ok := o["LastModifiedBy"]; ok {
		o["LastModifiedBy"] = c.caller.Name
	}
}

func sameObject(a, b Object) bool {
	if len(a) != len(b) {
		return false
	}
	for k := range a {
		if !same(a[k], b[k]) {
			return false
		}
	}
	return true
}

// remove is Remove- of an object.
func (c *call) remove() ([]Object, error) {
	o, err := c.target()
	if err != nil {
		return nil, err
	}
	if o.Bool("IsDefault") || c.noun == "RemoteDomain" && o.String("Name") == "Default" {
		return nil, cmdlet.Refuse("Microsoft.Exchange.Management.Tasks.OperationOnDefaultPolicyException", "The default object '%s' can't be removed.", o.String("Identity"))
	}
	if err := c.unused(o); err != nil {
		return nil, err
	}
	objs := slices.DeleteFunc(slices.Clone(c.t.objects(c.noun)), func(x Object) bool { return x.String("Guid") == o.String("Guid") })
	if ordered(c.noun) {
		renumber(objs)
	}
	c.t.put(c.noun, objs)
	return []Object{}, nil
}

// unused refuses to remove what another object points at.
func (c *call) unused(o Object) error {
	name := o.String("Name")
	if c.noun == "OutboundConnector" {
		for _, r := range c.t.objects("TransportRule") {
			if strings.EqualFold(r.String("RouteMessageOutboundConnector"), name) { // text unverified
				return cmdlet.Refuse("Microsoft.Exchange.Management.Transport.ConnectorInUseException", "The connector '%s' can't be removed because it's used by the mail flow rule '%s'.", name, r.String("Name"))
			}
		}
	}
	if !strings.HasSuffix(c.noun, "Policy") {
		return nil
	}
	for noun := range c.t.shelves {
		if !ordered(noun) {
			continue
		}
		for _, r := range c.t.objects(noun) {
			if strings.EqualFold(r.String(c.noun), name) {
				return cmdlet.Refuse("Microsoft.Exchange.Management.Tasks.PolicyInUseException", "The policy '%s' can't be removed because it's associated with the rule '%s'.", name, r.String("Name"))
			}
		}
	}
	return nil
}

// enable is Enable- and Disable- of a rule.
func (c *call) enable(on bool) ([]Object, error) {
	old, err := c.target()
	if err != nil {
		return nil, err
	}
	o := old.clone()
	o["State"] = "Disabled"
	if on {
		o["State"] = "Enabled"
	}
	if mode := c.args.String("Mode"); mode != "" {
		o["Mode"] = mode
	}
	if !sameObject(old, o) {
		c.touch(o)
		c.t.replace(c.noun, old, o)
	}
	return []Object{}, nil
}
