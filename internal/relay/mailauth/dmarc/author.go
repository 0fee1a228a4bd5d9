package dmarc

import (
	"errors"
	"io"
	"mime"
	"net/mail"
	"regexp"
	"strings"

	nouns "postern/internal/mail"
)

// maxFrom is the longest From field that is read, in octets: no list of authors is
// longer, and the parser is not made for more.
const maxFrom = 8 << 10

var (
	errFields  = errors.New("there is not exactly one From field")
	errAddress = errors.New("the From field cannot be read as one sender")
	errAuthors = errors.New("the From field names senders of several domains")
)

// Author is the domain of the From field, folded (RFC 9989 §4.10.1, §11.5). The
// error says why there is not exactly one. Where readers could see different
// senders in the field, it is an error too.
func Author(header nouns.Header) (string, error) {
	value, count := "", 0
	for _, f := range header {
		if looksLikeFrom(f.Raw) {
			value = f.Value()
			count++
		}
	}
	if count != 1 {
		return "", errFields
	}
	if len(value) > maxFrom {
		return "", errAddress
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return "", errAddress
	}
	domains, err := addresses(value)
	if err != nil {
		return "", err
	}
	for _, d := range domains[1:] {
		if d != domains[0] {
			return "", errAuthors
		}
	}
	return domains[0], nil
}

// looksLikeFrom takes for a From field what the most forgiving reader takes for
// one: blanks, folds and controls before the colon do not matter.
func looksLikeFrom(raw []byte) bool {
	const want = "from"
	n := 0
	for _, c := range raw {
		switch {
		case c == ':':
			return n == len(want)
		case c <= ' ' || c >= 0x7f:
		case n < len(want) && c|0x20 == want[n]:
			n++
		default:
			return false
		}
	}
	return false
}

// decoder leaves text of charsets it does not know as it is: only addresses count.
var decoder = &mime.WordDecoder{CharsetReader: func(_ string, in io.Reader) (io.Reader, error) { return in, nil }}

// addresses are the folded domains of an address list, at least one.
func addresses(value string) ([]string, error) {
	parser := mail.AddressParser{WordDecoder: decoder}
	list, err := parser.ParseList(value)
	if err != nil {
		return sloppy(value)
	}
	var domains []string
	for _, a := range list {
		local, domain := nouns.SplitAddress(a.Address)
		folded, err := foldAuthor(domain)
		if err != nil || local == "" {
			return nil, errAddress
		}
		domains = append(domains, folded)
	}
	if len(domains) == 0 {
		return nil, errAddress
	}
	return domains, nil
}

// angle is a display name of any look and one plain address behind it.
var angle = regexp.MustCompile(`^([^<>@]*)<([A-Za-z0-9!#$%&'*+/=?^_{|}~.-]+)@([^<>@\s"\\(),:;]+)>$`)

// sloppy takes names that many programs write without the quotes they need. It is
// safe because the field has one "@" and one pair of angle brackets in all, decoded
// or not.
func sloppy(value string) ([]string, error) {
	m := angle.FindStringSubmatch(value)
	if m == nil {
		return nil, errAddress
	}
	if name, err := decoder.DecodeHeader(m[1]); err != nil || strings.ContainsAny(name, "@<>") {
		return nil, errAddress // an encoded address in front, which some readers take for the sender
	}
	folded, err := foldAuthor(m[3])
	return []string{folded}, err
}

// foldAuthor refuses a domain that is not the same when folded again, such as one
// of octets that are no UTF-8: readers could not agree on it either.
func foldAuthor(domain string) (string, error) {
	folded, err := nouns.FoldDomain(domain)
	if err != nil {
		return "", errAddress
	}
	if again, err := nouns.FoldDomain(folded); err != nil || again != folded {
		return "", errAddress
	}
	return folded, nil
}
