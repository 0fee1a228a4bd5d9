package twin

import (
	"slices"
	"strings"
	"time"
)

// A shelf holds the objects of one noun and what they were before, because
// Exchange's replicas show a change some time after it was made.
type shelf struct {
	past []edition // oldest first; never empty after the first put
}

type edition struct {
	at   time.Time
	objs []Object
}

// historyKept bounds a shelf; older editions than these no reader can see in practice.
const historyKept int = 64

func (s *shelf) put(at time.Time, objs []Object) {
	s.past = append(s.past, edition{at, objs})
	if len(s.past) > historyKept {
		s.past = slices.Delete(s.past, 0, len(s.past)-historyKept)
		s.past[0].at = time.Time{}
	}
}

// now is the latest edition.
func (s *shelf) now() []Object {
	if s == nil || len(s.past) == 0 {
		return nil
	}
	return s.past[len(s.past)-1].objs
}

// asOf is the edition that was the latest at a time.
func (s *shelf) asOf(t time.Time) []Object {
	if s == nil {
		return nil
	}
	for i := len(s.past) - 1; i >= 0; i-- {
		if !s.past[i].at.After(t) {
			return s.past[i].objs
		}
	}
	return nil
}

// settle forgets how the objects came about: they have been there for ever.
func (s *shelf) settle() { s.past = []edition{{objs: s.now()}} }

// objects are a noun's objects as the directory has them now. The caller holds t.mu.
func (t *Tenant) objects(noun string) []Object { return t.shelves[noun].now() }

// find is the object an identity names, or nil. The caller holds t.mu.
func (t *Tenant) find(noun, identity string) Object {
	for _, o := range t.objects(noun) {
		if o.is(identity) {
			return o
		}
	}
	return nil
}

// put makes objs the noun's objects. The caller holds t.mu.
func (t *Tenant) put(noun string, objs []Object) {
	s := t.shelves[noun]
	if s == nil {
		s = &shelf{}
		t.shelves[noun] = s
	}
	s.put(t.twin.now(), objs)
}

// replace puts o in the place of old.
func (t *Tenant) replace(noun string, old, o Object) {
	objs := slices.Clone(t.objects(noun))
	for i := range objs {
		if objs[i].String("Guid") == old.String("Guid") {
			objs[i] = o
		}
	}
	t.put(noun, objs)
}

// Objects are a noun's objects as mail flow acts on them now: changes younger than
// the twin's RuleLag are not in effect yet.
func (t *Tenant) Objects(noun string) []Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.shelves[noun].asOf(t.twin.now().Add(-t.twin.opt.RuleLag))
}

// Object is the one that identity names among Objects, or nil.
func (t *Tenant) Object(noun, identity string) Object {
	for _, o := range t.Objects(noun) {
		if o.is(identity) {
			return o
		}
	}
	return nil
}

// accepted reports whether domain is one of the tenant's, and its DomainType.
func (t *Tenant) accepted(domain string) (kind string, ok bool) {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	for _, d := range t.Objects("AcceptedDomain") {
		name := strings.ToLower(d.String("DomainName"))
		if name == domain || d.Bool("MatchSubDomains") && strings.HasSuffix(domain, "."+name) {
			return d.String("DomainType"), true
		}
	}
	return "", false
}
