package portal

import (
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
)

// A hop is one server on a message's way, as it says itself in its Received field.
type hop struct {
	From, By string
	With     string    // "ESMTPS"
	At       time.Time // zero if it cannot be read
	Took     time.Duration
	Kind     string // of Took: "" for what is usual, "warn" for minutes, "bad" for a time that runs backwards
}

const slowHop = 2 * time.Minute

// hopsOf reads the way of a message, the first server first.
func hopsOf(h mail.Header) []hop {
	fields := h.All("Received")
	slices.Reverse(fields)
	var hops []hop
	for _, field := range fields {
		body, at := field, ""
		if i := strings.LastIndexByte(field, ';'); i >= 0 {
			body, at = field[:i], strings.TrimSpace(field[i+1:])
		}
		one := hop{From: wordAfter(body, "from"), By: wordAfter(body, "by"), With: protocolOf(body)}
		if date, err := netmail.ParseDate(at); err == nil {
			one.At = date
		}
		if len(hops) > 0 && !one.At.IsZero() && !hops[len(hops)-1].At.IsZero() {
			one.Took = one.At.Sub(hops[len(hops)-1].At)
		}
		switch {
		case one.Took < -slowHop:
			one.Kind = "bad"
		case one.Took > slowHop:
			one.Kind = "warn"
		}
		hops = append(hops, one)
	}
	return hops
}

// wordAfter is the first word that follows another.
func wordAfter(body, name string) string {
	words := strings.Fields(body)
	for i := range words[:max(len(words)-1, 0)] {
		if strings.EqualFold(words[i], name) {
			return words[i+1]
		}
	}
	return ""
}

// protocolOf is what stands between "with" and the next clause (RFC 5321 §4.4).
func protocolOf(body string) string {
	_, after, ok := strings.Cut(" "+strings.Join(strings.Fields(body), " "), " with ")
	if !ok {
		return ""
	}
	for _, next := range []string{" id ", " for ", " via ", "(", ";"} {
		after, _, _ = strings.Cut(after, next)
	}
	return strings.TrimSpace(after)
}

// lasting is a time between two servers, for people.
func lasting(d time.Duration) string { return d.Abs().Round(time.Second).String() }
