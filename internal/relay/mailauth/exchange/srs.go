package exchange

import (
	"regexp"
	"strings"

	"postern/internal/mail"
)

var (
	// userSRS is user+SRS=hash=time=domain=local@own.
	userSRS = regexp.MustCompile(`^.*\+SRS=[^=@]+=[^=@]+=([^=@]+)=(.+)@([^@]+)$`)
	// bounceSRS is bounces+SRS=hash=time@own, which does not hold the sender.
	bounceSRS = regexp.MustCompile(`^bounces\+SRS=[^=@]+=[^=@]+@([^@]+)$`)
)

// UndoSRS gives the reverse-path that the message had before Exchange rewrote it
// (Sender Rewriting Scheme). seen is the domain that Exchange itself checked SPF
// for, "" if unknown: it tells whether the address was rewritten here or came in
// like this. Of the short form only the domain can be known, and "@domain" is
// returned.
func UndoSRS(from, seen string) string {
	seen, _ = mail.FoldDomain(seen)
	if m := userSRS.FindStringSubmatch(from); m != nil {
		domain, err := mail.FoldDomain(m[1])
		if err != nil || seen != "" && seen != domain {
			return from
		}
		return m[2] + "@" + m[1]
	}
	if m := bounceSRS.FindStringSubmatch(from); m != nil && seen != "" && !strings.EqualFold(seen, m[1]) {
		return "@" + seen
	}
	return from
}
