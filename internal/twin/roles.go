package twin

import (
	"slices"
	"strings"

	"postern/internal/twin/cmdlet"
)

// roles is the part of role management that setting Postern up with least
// privilege needs: role groups, their members, service principals, and which
// management role holds a cmdlet.
func (c *call) roles() ([]Object, error) {
	switch c.name {
	case "Get-ManagementRole":
		return c.getManagementRole()
	case "New-ManagementRoleAssignment":
		name := c.args.String("Name")
		if name == "" {
			name = c.args.String("Role") + "-" + c.args.String("App")
		}
		o := c.t.add(c.noun, name, Object{"Role": c.args.String("Role"), "App": c.args.String("App"), "User": c.args.String("User")})
		return []Object{o}, nil
	case "New-ServicePrincipal":
		o := c.t.add(c.noun, c.args.String("AppId"), Object{"AppId": c.args.String("AppId"), "ObjectId": c.args.String("ObjectId"), "DisplayName": c.args.String("DisplayName")})
		return []Object{o}, nil
	case "Add-RoleGroupMember":
		return c.addMember()
	case "New-RoleGroup":
		return c.create()
	case "Remove-ServicePrincipal":
		return c.remove()
	}
	if c.verb == "Get" {
		return c.get(c.noun)
	}
	return nil, &cmdlet.Error{Status: 500, Code: "InternalServerError", Type: cmdlet.TaskType, Message: "The twin does not simulate " + c.name + "."}
}

// managementRoles are those that "least privilege" names.
var managementRoles = []string{"Transport Rules", "Remote and Accepted Domains", "Transport Hygiene", "Organization Transport Settings",
	"Tenant AllowBlockList Manager", "View-Only Configuration", "Organization Configuration", "View-Only Recipients"}

func (c *call) getManagementRole() ([]Object, error) {
	out := []Object{}
	for _, r := range managementRoles {
		if id := c.args.String("Identity"); id != "" && !strings.EqualFold(id, r) {
			continue
		}
		if name := c.args.String("Cmdlet"); name != "" {
			verb, noun := cmdlet.Split(c.t.twin.table.Name(name))
			if !holds(r, verb, noun) {
				continue
			}
		}
		out = append(out, Object{"Name": r, "Identity": r, "RoleType": strings.ReplaceAll(r, " ", "")})
	}
	return out, nil
}

func (c *call) addMember() ([]Object, error) {
	g := c.t.find("RoleGroup", c.args.String("Identity"))
	if g == nil {
		return nil, cmdlet.NotFound(c.args.String("Identity"), server)
	}
	o := g.clone()
	o["Members"] = append(slices.Clone(g.List("Members")), c.args.String("Member"))
	c.t.replace("RoleGroup", g, o)
	return []Object{}, nil
}
