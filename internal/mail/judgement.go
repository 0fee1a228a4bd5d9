package mail

import "time"

// A Judgement is all that judging learned of one message. Verdict and action are
// not in it: they are each recipient's, computed by policy from this value.
type Judgement struct {
	MessageID string        `json:"message_id"` // Message-ID field without <>
	Subject   string        `json:"subject"`
	From      string        `json:"from"` // addr-spec of the From field, "" if none or ambiguous
	Findings  []Finding     `json:"findings"`
	Auth      Auth          `json:"auth"`
	Parts     []PartInfo    `json:"parts"`
	Links     []string      `json:"links,omitempty"` // hosts that its links lead to, each once, at most MaxHosts
	Took      time.Duration `json:"took"`
}

// MaxHosts is how many different hosts of links the ledger keeps of one message.
const MaxHosts = 50

// PartInfo is what the ledger keeps of a Part.
type PartInfo struct {
	Path      string `json:"path"`
	Type      string `json:"type"`
	Sniffed   string `json:"sniffed,omitempty"`
	Name      string `json:"name,omitempty"`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256"`
	Encrypted bool   `json:"encrypted,omitempty"`
}

// A Decision is policy's outcome for one recipient.
type Decision struct {
	Verdict Verdict  `json:"verdict"`
	Action  Action   `json:"action"`
	Score   int      `json:"score"`
	Reasons []string `json:"reasons"` // sentences, the weightiest first
}
