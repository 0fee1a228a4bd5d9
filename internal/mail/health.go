package mail

// Lamp is how well something is, from the best to the worst.
type Lamp string

const (
	Dark  Lamp = "off"  // not known, or not used: no reason to worry
	Green Lamp = "good" // as it should be
	Amber Lamp = "warn" // works, but wants a person soon
	Red   Lamp = "bad"  // protection does not work, or will stop any moment
)

// Worse is the worse of two lamps.
func (l Lamp) Worse(other Lamp) Lamp {
	rank := map[Lamp]int{Dark: 0, Green: 1, Amber: 2, Red: 3}
	if rank[other] > rank[l] {
		return other
	}
	return l
}

// Health is how well one part is, and what to do about it.
type Health struct {
	Name  string   `json:"name"` // stable: "clamd"
	Lamp  Lamp     `json:"lamp"`
	Title Sentence `json:"title"` // what is looked at
	Text  Sentence `json:"text"`  // what was seen
	Do    Sentence `json:"do"`    // what to do; empty when nothing is
	Link  string   `json:"-"`     // page of the tenant that helps, "exchange/verify"; "" if none
}
