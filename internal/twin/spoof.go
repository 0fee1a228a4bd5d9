package twin

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"postern/internal/twin/cmdlet"
)

// maxSpoofItems is how many pairs the Tenant Allow/Block List holds for spoofed senders.
const maxSpoofItems int = 1024

// spoofItems is all verbs of TenantAllowBlockListSpoofItems.
func (c *call) spoofItems() ([]Object, error) {
	switch c.verb {
	case "Get":
		out := []Object{}
		for _, o := range c.t.shelves[c.noun].asOf(c.t.twin.now().Add(-c.t.twin.opt.Lag)) {
			if matches(c.args.String("Action"), o.String("Action")) && matches(c.args.String("SpoofType"), o.String("SpoofType")) {
				out = append(out, o)
			}
		}
		return out, nil
	case "New":
		return c.newSpoofItem()
	}
	return c.changeItems()
}

func matches(want, have string) bool { return want == "" || strings.EqualFold(want, have) }

func (c *call) newSpoofItem() ([]Object, error) {
	user, infra, kind := strings.TrimSpace(c.args.String("SpoofedUser")), strings.TrimSpace(c.args.String("SendingInfrastructure")), c.args.String("SpoofType")
	if err := checkSpoofPair(user, infra); err != nil {
		return nil, err
	}
	objs := c.t.objects(c.noun)
	if len(objs) >= maxSpoofItems {
		return nil, cmdlet.Refuse(cmdlet.TaskType, "The maximum number of spoofed sender entries (%d) has been reached.", maxSpoofItems)
	}
	for _, o := range objs {
		if strings.EqualFold(o.String("SpoofedUser"), user) && strings.EqualFold(o.String("SendingInfrastructure"), infra) && o.String("SpoofType") == kind {
			return nil, cmdlet.Refuse(cmdlet.ExistsType, "The pair '%s, %s' of type %s already exists.", user, infra, kind)
		}
	}
	o := Object{"Identity": newGUID(), "SpoofedUser": user, "SendingInfrastructure": infra, "SpoofType": kind, "Action": c.args.String("Action")}
	o["Guid"] = o["Identity"]
	c.t.put(c.noun, append(slices.Clip(objs), o))
	return []Object{o}, nil
}

var addressForm = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)

// checkSpoofPair: the infrastructure is a PTR or DKIM domain, or ip/24 where there
// is no PTR; the portal's bare address is not what the cmdlet takes.
func checkSpoofPair(user, infra string) error {
	if user == "*" && infra == "*" {
		return cmdlet.Refuse(cmdlet.ArgumentType, "The pair '*, *' isn't allowed.")
	}
	if user != "*" && !domainForm.MatchString(user) && !addressForm.MatchString(user) {
		return cmdlet.Refuse(cmdlet.ArgumentType, "The spoofed user '%s' must be an email address, a domain or *.", user)
	}
	if infra == "*" {
		return nil
	}
	if p, err := netip.ParsePrefix(infra); err == nil && p.Bits() == 24 && p.Addr().Is4() {
		return nil
	}
	if _, err := netip.ParseAddr(infra); err == nil || strings.Contains(infra, "/") || !domainForm.MatchString(infra) {
		return cmdlet.Refuse(cmdlet.ArgumentType, "The sending infrastructure '%s' must be a domain, or an IP address with the suffix /24.", infra)
	}
	return nil
}

// changeItems is Set- and Remove- by -Ids.
func (c *call) changeItems() ([]Object, error) {
	ids := c.args.List("Ids")
	objs := slices.Clone(c.t.objects(c.noun))
	for _, id := range ids {
		i := slices.IndexFunc(objs, func(o Object) bool {
			return strings.EqualFold(o.String("Identity"), id) || c.noun == "TenantAllowBlockListItems" && strings.EqualFold(o.String("Value"), id)
		})
		if i < 0 {
			return nil, cmdlet.NotFound(id, server)
		}
		if c.verb == "Remove" {
			objs = slices.Delete(objs, i, i+1)
			continue
		}
		o := objs[i].clone()
		for name, v := range c.args {
			if name != "Ids" && name != "Entries" && !notProperty(name) {
				o[name] = v
			}
		}
		objs[i] = o
	}
	c.t.put(c.noun, objs)
	return []Object{}, nil
}

// listItems is all verbs of TenantAllowBlockListItems: senders, URLs, files, addresses.
func (c *call) listItems() ([]Object, error) {
	switch c.verb {
	case "Get":
		out := []Object{}
		for _, o := range c.t.objects(c.noun) {
			if matches(c.args.String("ListType"), o.String("ListType")) && matches(c.args.String("Entry"), o.String("Value")) {
				out = append(out, o)
			}
		}
		return out, nil
	case "New":
		objs, out := slices.Clip(c.t.objects(c.noun)), []Object{}
		for _, e := range c.args.List("Entries") {
			o := c.t.fresh(c.noun, newGUID())
			c.apply(o)
			delete(o, "Entries")
			o["Value"], o["Identity"] = e, o["Guid"]
			if c.args.Bool("Allow", false) {
				o["Action"] = "Allow"
			}
			objs, out = append(objs, o), append(out, o)
		}
		c.t.put(c.noun, objs)
		return out, nil
	}
	if !c.args.Has("Ids") {
		c.args["Ids"] = c.args["Entries"]
	}
	return c.changeItems()
}
