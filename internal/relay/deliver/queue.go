package deliver

// Signal is what one delivery says about its destination.
type Signal int

const (
	Fine Signal = iota // the destination takes mail, whatever it said of this message
	Busy               // it asks to be sent less (421, 4.7.x)
	Down               // no MTA of it can be used
)
