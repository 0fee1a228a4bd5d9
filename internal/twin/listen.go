package twin

import (
	"fmt"
	"net"

	"postern/internal/twin/wire"
)

// Listen opens the MX at one more address, for domains with several. Closing what it
// returns takes that address down.
func (tw *Twin) Listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("twin: %w", err)
	}
	tw.mu.Lock()
	tw.more = append(tw.more, l)
	tw.mu.Unlock()
	go tw.server.Serve(l)
	return l, nil
}

// Disturb makes the MX answer by f where it says so: to RCPT with the recipient, and
// to the end of the data with "". nil ends it.
func (tw *Twin) Disturb(f func(env wire.Envelope, to string) (wire.Reply, bool)) {
	tw.mu.Lock()
	defer tw.mu.Unlock()
	tw.moody = f
}

// mood is what Disturb has to say to one recipient or message.
func (tw *Twin) mood(env *wire.Envelope, to string) (wire.Reply, bool) {
	tw.mu.Lock()
	f := tw.moody
	tw.mu.Unlock()
	if f == nil {
		return wire.Reply{}, false
	}
	return f(*env, to)
}
