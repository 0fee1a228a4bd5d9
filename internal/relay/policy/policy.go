package policy

import (
	"cmp"
	"fmt"
	"slices"

	"postern/internal/mail"
)

// Input is what is known of one message and one of its recipients.
type Input struct {
	Findings     []mail.Finding
	Auth         mail.Auth
	EnvelopeFrom string // reverse-path; "" for the null path
	HeaderFrom   string // addr-spec of the From field; "" if none or ambiguous
	Rcpt         string // forward-path
	Forced       string // a sentence: why this message is to be held whatever is found; "" usually
}

// Classes by their place in the order, from the worst on.
const (
	malware = iota
	phish
	suspicious
	spam
	unjudged
	bulk
	classes // how many there are
	clean   = classes
)

// verdicts are the classes' names, and clean after them.
var verdicts = [classes + 1]mail.Verdict{mail.Malware, mail.Phish, mail.Suspicious, mail.Spam, mail.Unjudged, mail.Bulk, mail.Clean}

// Decide weighs in by rules, with the thresholds and actions that count for its
// recipient. The same arguments always give the same decision; Reasons has at
// least one sentence.
func Decide(rules mail.Rules, in Input) mail.Decision {
	w, entry, own := weigh(rules, in)
	scale := ScaleFor(rules, in.Rcpt)
	var d mail.Decision
	was := scale.worst(&w.Points)
	d.Verdict, d.Action = w.Outcome(&scale)
	listed, verdict := "", verdicts[was]
	switch {
	case own && w.Listed != Unlisted:
		if listed = scale.ownReason(&w, was, entry); listed != "" {
			verdict = d.Verdict
		}
	case w.Listed == Blocked && was != malware:
		verdict, listed = verdicts[min(was, spam)], blockReason(*entry)
	case w.Listed == Allowed:
		now := scale.allowed(&w.Points, was)
		verdict, listed = verdicts[now], allowReason(was, now, *entry)
	}
	d.Score = min(max(w.score(verdict), -100), 1000)
	d.Reasons = reasons(in, d.Verdict, listed)
	return d
}

// score is the number shown for a verdict, before anything was forced.
func (w *Weight) score(v mail.Verdict) int {
	switch {
	case w.Listed == Blocked && v == mail.Spam:
		return max(w.Of(v), 100)
	case v == mail.Clean:
		return int(max(w.Points[spam], w.Points[phish], w.Points[suspicious]))
	}
	return w.Of(v)
}

// add are the points for each class.
func add(found []mail.Finding) (sums [classes]int32) {
	var loose, phishy int32
	for _, f := range found {
		score := int32(f.Score)
		switch f.Class {
		case mail.Malware, mail.Unjudged, mail.Suspicious:
			sums[classOf(f.Class)] += max(score, 0)
		case mail.Phish:
			sums[phish] += score
			phishy += max(score, 0)
		case mail.Spam, mail.Bulk:
			sums[classOf(f.Class)] += score
		default:
			loose += score
		}
	}
	if phishy > 0 {
		sums[phish] += loose
	}
	sums[spam] += loose + phishy
	return sums
}

// reasons are the sentences for a decision: the forced one, the list entry, then
// the findings that argue for the verdict, then the others, each group with the
// weightiest first.
func reasons(in Input, v mail.Verdict, listed string) []string {
	var out []string
	for _, s := range []string{in.Forced, listed} {
		if s != "" {
			out = append(out, s)
		}
	}
	found := slices.Clone(in.Findings)
	slices.SortStableFunc(found, func(a, b mail.Finding) int {
		if c := cmp.Compare(rank(b, v), rank(a, v)); c != 0 {
			return c
		}
		return cmp.Compare(abs(b.Score), abs(a.Score))
	})
	against := false
	for _, f := range found {
		if f.Detail == "" || f.Score == 0 {
			continue
		}
		against = against || f.Score > 0 && f.Class != mail.Bulk
		if len(out) < maxReasons && !slices.Contains(out, f.Detail) {
			out = append(out, f.Detail)
		}
	}
	if v == mail.Clean || v == mail.Bulk {
		lead := cleanReason(in.Auth, against)
		if v == mail.Bulk || listed != "" {
			return append(out, lead)
		}
		return append([]string{lead}, out...)
	}
	return out
}

// maxReasons is as many sentences as anybody reads.
const maxReasons = 20

// rank puts first the findings that argued for the verdict, then all other
// points against the message, then those for it.
func rank(f mail.Finding, v mail.Verdict) int {
	switch {
	case f.Class == v && f.Score > 0:
		return 2
	case f.Score > 0:
		return 1
	}
	return 0
}

func abs(n int) int { return max(n, -n) }

func cleanReason(a mail.Auth, against bool) string {
	head := "Nothing suspicious was found"
	if against {
		head = "What was found is too little to hold the message"
	}
	who := a.DMARC.Domain
	switch {
	case a.Origin.Internal:
		return fmt.Sprintf("%s; it was sent by a mailbox of the organization itself.", head)
	case a.DMARC.Result == mail.ResultPass && who != "":
		return fmt.Sprintf("%s; the sender domain %s is authenticated by DMARC.", head, who)
	case who != "" && (a.DMARC.AlignedDKIM || a.DMARC.AlignedSPF):
		return fmt.Sprintf("%s; the sender domain %s is authenticated by %s.", head, who, aligned(a.DMARC))
	case who != "":
		return fmt.Sprintf("%s; the sender domain %s is not authenticated.", head, who)
	}
	return fmt.Sprintf("%s; the sender is not authenticated.", head)
}

func aligned(d mail.DMARC) string {
	if d.AlignedDKIM {
		return "DKIM"
	}
	return "SPF"
}
