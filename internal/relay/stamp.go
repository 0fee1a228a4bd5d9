package relay

import (
	"fmt"
	"net"
	"strings"
	"time"

	"postern/internal/mail"
)

// stamp is what we put before the content of a message that goes back to its
// tenant: our trace field, the mark that Exchange's rules trust, our hop mark and
// our verdict. Nothing below it is changed.
func (r *Relay) stamp(id mail.ID, tenant mail.Tenant, env *mail.Envelope, messageID string, d mail.Decision) []byte {
	h := r.Gate.Headers
	var b strings.Builder
	b.WriteString(r.received(id, env))
	fmt.Fprintf(&b, "%s: yes %s\r\n", h.Processed, tenant.Token)
	fmt.Fprintf(&b, "%s: %s\r\n", h.Hop, r.Gate.Marker.Mark(tenant.ID, messageID, env.Pass))
	fmt.Fprintf(&b, "%s: %s; score=%d\r\n", h.Verdict, d.Verdict, d.Score)
	return []byte(b.String())
}

// received is our trace field (RFC 5321 §4.4). With several recipients it names
// none of them (§7.2).
func (r *Relay) received(id mail.ID, env *mail.Envelope) string {
	if env.Via == mail.Own {
		return r.ownReceived(id, env)
	}
	with := "ESMTP"
	if env.SMTPUTF8 {
		with = "UTF8SMTP"
	}
	if env.TLS.Version != "" {
		with += "S"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Received: from %s ([%s])\r\n\tby %s with %s", plain(env.HELO), literal(env), plain(r.Hostname), with)
	if env.TLS.Version != "" {
		fmt.Fprintf(&b, "\r\n\t(%s %s)", plain(env.TLS.Version), plain(env.TLS.Cipher))
	}
	fmt.Fprintf(&b, " id %s", id)
	if len(env.To) == 1 && ascii(env.To[0].Addr) {
		fmt.Fprintf(&b, "\r\n\tfor <%s>", env.To[0].Addr)
	}
	fmt.Fprintf(&b, ";\r\n\t%s\r\n", env.Received.UTC().Format(time.RFC1123Z))
	return b.String()
}

// literal is the client's address as RFC 5321 §4.1.3 writes it.
func literal(env *mail.Envelope) string {
	addr := env.Client.Unmap().WithZone("")
	if !addr.IsValid() {
		return net.IPv4zero.String()
	}
	if addr.Is6() {
		return "IPv6:" + addr.String()
	}
	return addr.String()
}

// plain makes a text of a stranger fit a trace field: letters, digits and the
// marks of host names, at most 255.
func plain(s string) string {
	s = strings.Map(func(c rune) rune {
		if c > ' ' && c < 0x7f && !strings.ContainsRune(`()<>\;,"@`, c) {
			return c
		}
		return '?'
	}, s)
	if s == "" {
		return "unknown"
	}
	return s[:min(len(s), 255)]
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
