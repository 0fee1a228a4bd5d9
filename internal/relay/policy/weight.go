package policy

import (
	"slices"

	"postern/internal/mail"
)

// Classes are the verdicts that have points, from the worst on.
func Classes() []mail.Verdict { return slices.Clone(verdicts[:classes]) }

// classOf is the place of a verdict in the order, clean if it has no points.
func classOf(v mail.Verdict) int {
	if i := slices.Index(verdicts[:classes], v); i >= 0 {
		return i
	}
	return clean
}

// Listing says whether an entry of the lists speaks for or against a message.
type Listing uint8

const (
	Unlisted Listing = iota
	Allowed
	Blocked
	OwnAllowed // by the recipient's own entry, which counts where the recipient might release it too
)

// A Weight is what a decision depends on besides thresholds and actions. It can
// be kept and measured again by other Scales.
type Weight struct {
	Points [classes]int32 // in the order of Classes
	Listed Listing
	Forced bool // to be held whatever was found
}

// Weigh is the weight of in under the lists in rules.
func Weigh(rules mail.Rules, in Input) Weight {
	w, _, _ := weigh(rules, in)
	return w
}

// weigh also returns the entry that speaks, nil if none, and whether it is the
// recipient's own.
func weigh(rules mail.Rules, in Input) (w Weight, entry *mail.ListEntry, own bool) {
	w = Weight{Points: add(in.Findings), Forced: in.Forced != ""}
	allow, block := match(rules.Lists, in)
	switch {
	case block != nil && !outranks(allow, block):
		w.Listed, entry = Blocked, block
	case outranks(allow, block):
		w.Listed, entry = Allowed, allow
	default:
		w.Listed, entry = personal(rules, in)
		own = true
	}
	return w, entry, own
}

// Of are the points for a verdict; 0 for clean.
func (w *Weight) Of(v mail.Verdict) int {
	if c := classOf(v); c != clean {
		return int(w.Points[c])
	}
	return 0
}

// A Scale is the thresholds and actions that count for one recipient.
type Scale struct {
	Thresholds [classes]int32
	Actions    [classes + 1]mail.Action // clean mail's at the end
	Own        [classes]bool            // the recipient may release it
}

// Outcome measures w by s.
func (w *Weight) Outcome(s *Scale) (mail.Verdict, mail.Action) {
	c, action := w.measure(s)
	return verdicts[c], action
}

// Class is Outcome for those who count many: the verdict's place in Verdicts, and
// whether the copy is delivered.
func (w *Weight) Class(s *Scale) (class int, delivered bool) {
	c, action := w.measure(s)
	return c, action == mail.Deliver
}

// Verdicts are the names of what Class returns.
func Verdicts() [classes + 1]mail.Verdict { return verdicts }

func (w *Weight) measure(s *Scale) (int, mail.Action) {
	c := s.worst(&w.Points)
	switch {
	case w.Listed == Blocked:
		c = min(c, spam) // what is worse stays worse: no entry makes phishing look harmless
	case w.Listed == Allowed:
		c = s.allowed(&w.Points, c)
	case w.Listed == OwnAllowed && s.own(&w.Points, c):
		c = clean
	}
	action := s.Actions[c]
	if w.Listed == Blocked && action == mail.Deliver {
		action = mail.Hold // a tenant that lets spam through still means its own block entry
	}
	if w.Forced {
		if c == clean || c == bulk {
			c = suspicious
		}
		if action == mail.Deliver {
			action = mail.Hold
		}
	}
	return c, action
}

// worst is the class that points come to.
func (s *Scale) worst(points *[classes]int32) int {
	for c := range classes {
		if !s.reached(points, c) {
			continue
		}
		if s.Actions[c] == mail.Deliver && s.reached(points, unjudged) && s.Actions[unjudged] != mail.Deliver {
			return unjudged
		}
		return c
	}
	return clean
}

// reached also asks for a point, so that a threshold of 0 does not condemn all
// mail.
func (s *Scale) reached(points *[classes]int32, c int) bool {
	return points[c] > 0 && points[c] >= s.Thresholds[c]
}

// allowed is the class of a message that an allow entry speaks for. Malware stays
// malware, and what could not be judged is not known to be free of it.
func (s *Scale) allowed(points *[classes]int32, was int) int {
	switch {
	case was == malware:
		return was
	case s.reached(points, unjudged):
		return unjudged
	case was == bulk:
		return was
	}
	return clean
}
