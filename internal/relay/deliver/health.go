package deliver

import (
	"sync"
	"time"

	"postern/internal/mail"
)

const (
	firstAvoid = 15 * time.Second // how long an MTA found dead is tried last
	mostAvoid  = time.Minute      // the same when it was dead again and again
)

// health remembers which MTAs were found dead a short while ago, so that not
// every message waits for them.
type health struct {
	mu   sync.Mutex
	mtas map[mail.MTA]*illness
}

type illness struct {
	failures int
	until    time.Time // then it is looked after again
	probing  bool
}

// order is mtas with the dead ones last, otherwise as they stand. An MTA stays
// dead until it was seen alive: whether it is back, revive finds out.
func (h *health) order(mtas []mail.MTA, now time.Time) []mail.MTA {
	h.mu.Lock()
	defer h.mu.Unlock()
	alive := make([]mail.MTA, 0, len(mtas))
	var dead []mail.MTA
	for _, m := range mtas {
		if h.mtas[m] != nil {
			dead = append(dead, m)
		} else {
			alive = append(alive, m)
		}
	}
	return append(alive, dead...)
}

// due reports whether somebody should look after a dead MTA now, and lets only
// one do so.
func (h *health) due(m mail.MTA, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	ill := h.mtas[m]
	if ill == nil || ill.probing || now.Before(ill.until) {
		return false
	}
	ill.probing = true
	return true
}

// down notes a failure and reports whether the MTA was alive before.
func (h *health) down(m mail.MTA, now time.Time) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mtas == nil {
		h.mtas = make(map[mail.MTA]*illness)
	}
	ill := h.mtas[m]
	if ill == nil {
		ill = new(illness)
		h.mtas[m] = ill
		news = true
	}
	if news || !now.Before(ill.until) { // many messages fail at once: that is one failure
		ill.failures++
		ill.until = now.Add(min(firstAvoid<<min(ill.failures-1, 8), mostAvoid))
	}
	ill.probing = false
	return news
}

// up notes that the MTA works and reports whether it was dead before.
func (h *health) up(m mail.MTA) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	news = h.mtas[m] != nil
	delete(h.mtas, m)
	return news
}
