package admin

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"postern/internal/mail"
	"postern/internal/store"
)

// PutPerson adds somebody to protect from impersonation, or with was, the name of
// one who is there, changes that one.
func (a *Admin) PutPerson(ctx context.Context, tenant, was string, p mail.Person) (store.RulesChange, error) {
	p.Name = strings.Join(strings.Fields(p.Name), " ")
	if n := len(strings.Fields(p.Name)); n < 2 || len(p.Name) > 100 {
		return store.RulesChange{}, mail.Refuse("give the name as mail programs show it, with at least two words: one word alone is too many people's")
	}
	var own []string
	for _, text := range p.Addresses {
		if strings.TrimSpace(text) == "" {
			continue
		}
		addr, err := readAddress(text)
		if err != nil {
			return store.RulesChange{}, err
		}
		own = append(own, addr)
	}
	if len(own) > 10 {
		return store.RulesChange{}, mail.Refuse("more than 10 addresses of one person are too many")
	}
	p.Addresses = own
	return a.changeRules(ctx, tenant, "people.put", p.Name, "protection of "+p.Name, func(r *mail.Rules) error {
		r.People = slices.Clone(r.People)
		i, other := personAt(*r, was), personAt(*r, p.Name)
		switch {
		case was != "" && i < 0:
			return mail.Refuse("%q is not among the people protected", was)
		case other >= 0 && other != i:
			return mail.Refuse("%s is protected already", p.Name)
		case i >= 0:
			r.People[i] = p
		case len(r.People) >= mostPeople:
			return mail.Refuse("%d people are protected already: choose those in whose name money is asked for", mostPeople)
		default:
			r.People = append(r.People, p)
		}
		return nil
	}, func(r mail.Rules) any {
		if i := personAt(r, p.Name); i >= 0 {
			return r.People[i]
		}
		if i := personAt(r, was); i >= 0 {
			return r.People[i]
		}
		return nil
	})
}

// RemovePerson ends the protection of somebody's name.
func (a *Admin) RemovePerson(ctx context.Context, tenant, name string) (store.RulesChange, error) {
	return a.changeRules(ctx, tenant, "people.remove", name, "end of the protection of "+name, func(r *mail.Rules) error {
		i := personAt(*r, name)
		if i < 0 {
			return mail.Refuse("%q is not among the people protected", name)
		}
		r.People = slices.Delete(slices.Clone(r.People), i, i+1)
		return nil
	}, func(r mail.Rules) any {
		if i := personAt(r, name); i >= 0 {
			return r.People[i]
		}
		return nil
	})
}

func personAt(rules mail.Rules, name string) int {
	return slices.IndexFunc(rules.People, func(p mail.Person) bool { return strings.EqualFold(p.Name, name) })
}

// SetProtected keeps the domains of others that look-alikes are compared with.
func (a *Admin) SetProtected(ctx context.Context, tenant string, domains []string) (store.RulesChange, error) {
	var list []string
	for _, d := range domains {
		if d = strings.TrimSpace(d); d == "" {
			continue
		}
		folded, err := mail.FoldDomain(d)
		if suffix, _ := publicsuffix.PublicSuffix(folded); err != nil || suffix == folded || !strings.Contains(folded, ".") {
			return store.RulesChange{}, mail.Refuse("%q is not a domain that somebody owns", d)
		}
		if !slices.Contains(list, folded) {
			list = append(list, folded)
		}
	}
	if len(list) > mostPeople {
		return store.RulesChange{}, mail.Refuse("%d domains are too many: there may be %d", len(list), mostPeople)
	}
	return a.changeRules(ctx, tenant, "people.domains", "", "the protected domains", func(r *mail.Rules) error {
		r.Protected = list
		return nil
	}, func(r mail.Rules) any { return r.Protected })
}
