package dmarc

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"

	"postern/internal/mail"
)

// maxQueries bounds a tree walk (RFC 9989 §4.10).
const maxQueries = 8

// sharedSuffixes are domains of which everybody can have a part, whatever their
// own records say: treated as psd=y. Under the first, Microsoft gives every
// tenant a name.
var sharedSuffixes = map[string]bool{
	"onmicrosoft.com": true, "mail.onmicrosoft.com": true, "onmicrosoft.us": true, "mail.onmicrosoft.us": true,
	"onmicrosoft.de": true, "partner.onmschina.cn": true, "mail.partner.onmschina.cn": true,
}

var errTemporary = errors.New("DNS did not answer")

// node is one domain on the way up.
type node struct {
	domain string
	record Record
	found  bool
}

// walker asks for records, each name once for a message.
type walker struct {
	ctx    context.Context
	lookup func(context.Context, string) ([]string, error)
	mu     sync.Mutex
	known  map[string]*answer
}

type answer struct {
	once   sync.Once
	record Record
	found  bool
	err    error
}

// record is the one valid record of domain; several are as good as none
// (RFC 9989 §4.10.1).
func (w *walker) record(domain string) (Record, bool, error) {
	w.mu.Lock()
	a := w.known[domain]
	if a == nil {
		a = new(answer)
		w.known[domain] = a
	}
	w.mu.Unlock()
	a.once.Do(func() { a.record, a.found, a.err = w.ask(domain) })
	return a.record, a.found, a.err
}

func (w *walker) ask(domain string) (Record, bool, error) {
	texts, err := w.lookup(w.ctx, "_dmarc."+domain)
	if err != nil {
		if notFound(err) {
			return Record{}, false, nil
		}
		return Record{}, false, errTemporary
	}
	var found []Record
	for _, text := range texts {
		if r, ok := ParseRecord(text); ok {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		return Record{}, false, nil
	}
	return found[0], true, nil
}

func notFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// path are the domains that a walk from domain asks, at most eight: the domain
// itself, then its parents; a long name is first cut to seven labels
// (RFC 9989 §4.10).
func path(domain string) []string {
	out := []string{domain}
	labels := strings.Split(domain, ".")
	if len(labels) > maxQueries-1 {
		labels = labels[len(labels)-(maxQueries-1):]
	} else {
		labels = labels[1:]
	}
	for ; len(labels) > 0; labels = labels[1:] {
		out = append(out, strings.Join(labels, "."))
	}
	return out
}

// walk goes up from domain until a record says psd=y or psd=n.
func (w *walker) walk(domain string) ([]node, error) {
	var nodes []node
	for _, d := range path(domain) {
		r, found, err := w.record(d)
		if err != nil {
			return nil, err
		}
		if sharedSuffixes[d] {
			r.PSD, found = "y", true
		}
		nodes = append(nodes, node{d, r, found})
		if found && r.PSD != "u" {
			break
		}
	}
	return nodes, nil
}

// organization is the Organizational Domain that a walk shows (RFC 9989 §4.10.2).
func organization(nodes []node) string {
	org := nodes[0].domain
	for i, n := range nodes {
		switch {
		case !n.found:
		case n.record.PSD == "n":
			return n.domain
		case n.record.PSD == "y" && i > 0:
			return below(nodes[0].domain, n.domain)
		default:
			org = n.domain
		}
	}
	return org
}

// below is the domain one label longer than suffix on the way from domain.
func below(domain, suffix string) string {
	head := strings.TrimSuffix(domain, "."+suffix)
	return head[strings.LastIndexByte(head, '.')+1:] + "." + suffix
}

// fold is a domain as records and identifiers are compared; "" if it is none.
func fold(domain string) string {
	d, err := mail.FoldDomain(domain)
	if err != nil {
		return ""
	}
	return d
}

// related reports whether two domains could have one Organizational Domain: they
// must share their last label.
func related(a, b string) bool {
	return a[strings.LastIndexByte(a, '.')+1:] == b[strings.LastIndexByte(b, '.')+1:]
}
