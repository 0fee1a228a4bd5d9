package twin

import (
	"slices"
	"strings"

	"postern/internal/twin/cmdlet"
)

// ordered reports whether a noun's objects are rules that run in the order of
// their Priority, 0 first.
func ordered(noun string) bool { return strings.HasSuffix(noun, "Rule") }

// insert puts a new rule at its Priority, the end by default; later ones move down.
func (c *call) insert(o Object) error {
	objs := slices.Clone(c.t.objects(c.noun))
	at := len(objs)
	if p, ok := c.args["Priority"].(int); ok {
		if p < 0 || p > len(objs) {
			return c.badPriority(p, len(objs))
		}
		at = p
	}
	o["Priority"] = at
	objs = slices.Insert(objs, at, o)
	renumber(objs)
	c.t.put(c.noun, objs)
	return nil
}

// move puts a changed rule at another Priority.
func (c *call) move(old, o Object, to int) error {
	objs := slices.Clone(c.t.objects(c.noun))
	if to < 0 || to >= len(objs) {
		return c.badPriority(to, len(objs)-1)
	}
	objs = slices.DeleteFunc(objs, func(x Object) bool { return x.String("Guid") == old.String("Guid") })
	o["Priority"] = to
	objs = slices.Insert(objs, to, o)
	renumber(objs)
	c.t.put(c.noun, objs)
	return nil
}

func (c *call) badPriority(p, last int) error {
	return cmdlet.Refuse("Microsoft.Exchange.Management.MessagingPolicies.Rules.InvalidPriorityException", "The priority value '%d' isn't valid. Valid values are from 0 through %d.", p, last)
}

// renumber gives each rule its place as Priority. It changes copies.
func renumber(objs []Object) {
	for i, o := range objs {
		if o.Int("Priority") != i {
			o = o.clone()
			o["Priority"] = i
			objs[i] = o
		}
	}
}
