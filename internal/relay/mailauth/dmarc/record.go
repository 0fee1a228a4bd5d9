package dmarc

import (
	"strings"
)

// A Record is what a domain publishes at _dmarc (RFC 9989 §4.7). Unknown tags and
// unknown values are ignored.
type Record struct {
	Policy      string // p: "none", "quarantine" or "reject"
	Subdomains  string // sp, "" if none
	Nonexistent string // np, "" if none
	StrictDKIM  bool   // adkim=s
	StrictSPF   bool   // aspf=s
	Testing     bool   // t=y: the owner asks for one step less
	PSD         string // psd: "y", "n" or "u"
}

// ParseRecord reads one TXT record. ok is false if it is none of DMARC: the
// version must come first and exactly so (RFC 9989 §4.7, §4.10). A record without a usable
// p counts as p=none.
func ParseRecord(text string) (r Record, ok bool) {
	r = Record{Policy: "none", PSD: "u"}
	seen := map[string]bool{}
	for i, part := range strings.Split(text, ";") {
		name, value, has := strings.Cut(part, "=")
		name, value = strings.ToLower(strings.Trim(name, " \t")), strings.Trim(value, " \t")
		if i == 0 {
			if name != "v" || value != "DMARC1" {
				return r, false
			}
			continue
		}
		if !has || seen[name] {
			continue
		}
		seen[name] = true
		r.set(name, strings.ToLower(value))
	}
	return r, true
}

func (r *Record) set(name, value string) {
	policy := value == "none" || value == "quarantine" || value == "reject"
	switch {
	case name == "p" && policy:
		r.Policy = value
	case name == "sp" && policy:
		r.Subdomains = value
	case name == "np" && policy:
		r.Nonexistent = value
	case name == "adkim":
		r.StrictDKIM = value == "s"
	case name == "aspf":
		r.StrictSPF = value == "s"
	case name == "t":
		r.Testing = value == "y"
	case name == "psd" && (value == "y" || value == "n" || value == "u"):
		r.PSD = value
	}
}
