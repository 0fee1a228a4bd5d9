package mail

// A Finding is one claim a scanner makes about a message.
type Finding struct {
	Rule   string  `json:"rule"`            // stable for ever, kept in the ledger: "lookalike.domain"
	Class  Verdict `json:"class,omitempty"` // the verdict it argues for; "" only counts in the sum
	Score  int     `json:"score"`           // points, -100 (surely good) to 100 (surely bad)
	Detail string  `json:"detail"`          // an English sentence: what, and why it matters; may quote the message, so escape it; package reason says it in other languages
	Where  string  `json:"where,omitempty"` // Part.Path, or the header field's name; "" for the whole message
}

// A Verdict says what a message is.
type Verdict string

const (
	Clean      Verdict = "clean"
	Bulk       Verdict = "bulk" // wanted by some: newsletters and the like
	Spam       Verdict = "spam"
	Suspicious Verdict = "suspicious" // ambiguous, encrypted, over a limit: could not be cleared
	Phish      Verdict = "phish"
	Malware    Verdict = "malware"
	Unjudged   Verdict = "unjudged" // judging failed or was not possible
)

// An Action says what is done for one recipient.
type Action string

const (
	Deliver Action = "deliver"
	Hold    Action = "hold"
	Drop    Action = "drop"  // by a rule only, and recorded
	Defer   Action = "defer" // try to judge again later
)

// A State is where one recipient's copy stands in the ledger. Delivered, Held,
// Dropped and Returned end it, though a held copy may still be released.
type State string

const (
	Accepted   State = "accepted"
	Judged     State = "judged"
	Delivering State = "delivering"
	Delivered  State = "delivered"
	Held       State = "held"
	Dropped    State = "dropped"
	Returned   State = "returned" // the MTA refused it for good and its own system will tell the sender
)

// Terminal reports whether nothing more is to do for a recipient in this state.
func (s State) Terminal() bool {
	return s == Delivered || s == Held || s == Dropped || s == Returned
}
