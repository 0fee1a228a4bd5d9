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

// order are the classes from the worst on.
var order = []mail.Verdict{mail.Malware, mail.Phish, mail.Suspicious, mail.Spam, mail.Unjudged, mail.Bulk}

// Threshold is the number of points at which a class is reached.
func Threshold(rules mail.Rules, v mail.Verdict) int {
	if t, ok := rules.Thresholds[v]; ok {
		return t
	}
	if v == mail.Bulk {
		return 30 // one honest mark of a mailing list is enough
	}
	return 50
}

// ActionFor is what a tenant does with a verdict.
func ActionFor(rules mail.Rules, v mail.Verdict) mail.Action {
	if a, ok := rules.Actions[v]; ok {
		return a
	}
	if v == mail.Clean || v == mail.Bulk {
		return mail.Deliver
	}
	return mail.Hold
}

// Decide weighs in by rules. The same arguments always give the same decision;
// Reasons has at least one sentence.
func Decide(rules mail.Rules, in Input) mail.Decision {
	sums := add(in.Findings)
	d := mail.Decision{Verdict: mail.Clean, Score: max(sums[mail.Spam], sums[mail.Phish], sums[mail.Suspicious])}
	d.Verdict = worst(rules, sums)
	var listed string
	allow, block := match(rules.Lists, in)
	switch {
	case block != nil && !outranks(allow, block) && d.Verdict != mail.Malware:
		d.Verdict = mail.Spam
		listed = blockReason(*block)
		sums[mail.Spam] = max(sums[mail.Spam], 100)
	case outranks(allow, block):
		d.Verdict, listed = allowed(rules, sums, d.Verdict, *allow)
	}
	if s, ok := sums[d.Verdict]; ok {
		d.Score = s
	}
	d.Score = min(max(d.Score, -100), 1000)
	d.Action = ActionFor(rules, d.Verdict)
	if listed != "" && d.Verdict == mail.Spam && d.Action == mail.Deliver && !outranks(allow, block) {
		d.Action = mail.Hold // a tenant that lets spam through still means its own block entry
	}
	if in.Forced != "" {
		force(&d)
	}
	d.Reasons = reasons(in, d.Verdict, listed)
	return d
}

// add are the points for each class.
func add(found []mail.Finding) map[mail.Verdict]int {
	sums := make(map[mail.Verdict]int, len(order))
	loose, phishy := 0, 0
	for _, f := range found {
		switch f.Class {
		case mail.Malware, mail.Unjudged, mail.Suspicious:
			sums[f.Class] += max(f.Score, 0)
		case mail.Phish:
			sums[mail.Phish] += f.Score
			phishy += max(f.Score, 0)
		case mail.Spam, mail.Bulk:
			sums[f.Class] += f.Score
		default:
			loose += f.Score
		}
	}
	if phishy > 0 {
		sums[mail.Phish] += loose
	}
	sums[mail.Spam] += loose + phishy
	return sums
}

// worst is the verdict that sums come to.
func worst(rules mail.Rules, sums map[mail.Verdict]int) mail.Verdict {
	for _, v := range order {
		if !reached(rules, sums, v) {
			continue
		}
		if ActionFor(rules, v) == mail.Deliver && reached(rules, sums, mail.Unjudged) && ActionFor(rules, mail.Unjudged) != mail.Deliver {
			return mail.Unjudged
		}
		return v
	}
	return mail.Clean
}

// reached also asks for a point, so that a threshold of 0 does not condemn all
// mail.
func reached(rules mail.Rules, sums map[mail.Verdict]int, v mail.Verdict) bool {
	return sums[v] > 0 && sums[v] >= Threshold(rules, v)
}

// force turns a delivery into a hold.
func force(d *mail.Decision) {
	if d.Verdict == mail.Clean || d.Verdict == mail.Bulk {
		d.Verdict = mail.Suspicious
	}
	if d.Action == mail.Deliver {
		d.Action = mail.Hold
	}
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
		return head + "; it was sent by a mailbox of the organization itself."
	case a.DMARC.Result == mail.ResultPass && who != "":
		return fmt.Sprintf("%s; the sender domain %s is authenticated by DMARC.", head, who)
	case who != "" && (a.DMARC.AlignedDKIM || a.DMARC.AlignedSPF):
		return fmt.Sprintf("%s; the sender domain %s is authenticated by %s.", head, who, aligned(a.DMARC))
	case who != "":
		return fmt.Sprintf("%s; the sender domain %s is not authenticated.", head, who)
	}
	return head + "; the sender is not authenticated."
}

func aligned(d mail.DMARC) string {
	if d.AlignedDKIM {
		return "DKIM"
	}
	return "SPF"
}
