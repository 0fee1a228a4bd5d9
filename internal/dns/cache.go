package dns

import (
	"sync"
	"time"
)

// cache keeps answers until their time is over. It is bounded in entries and in
// octets; when full it drops what has expired among a few entries, and one of
// them in any case.
type cache struct {
	mu         sync.Mutex
	entries    map[question]entry
	octets     int
	maxEntries int
	maxOctets  int
}

type entry struct {
	answer
	until time.Time
}

const entryOctets = 256 // of an entry beside its records, about

func (e entry) size() int { return entryOctets + e.octets }

func (c *cache) get(q question, now time.Time) (answer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[q]
	if !ok {
		return answer{}, false
	}
	if !now.Before(e.until) {
		c.drop(q, e)
		return answer{}, false
	}
	return e.answer, true
}

func (c *cache) put(q question, a answer, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.entries[q]; ok {
		c.drop(q, old)
	}
	if a.ttl <= 0 {
		return
	}
	if c.entries == nil {
		c.entries = make(map[question]entry)
	}
	e := entry{a, now.Add(a.ttl)}
	for len(c.entries) > 0 && (len(c.entries) >= c.maxEntries || c.octets+e.size() > c.maxOctets) {
		c.makeRoom(now)
	}
	c.entries[q] = e
	c.octets += e.size()
}

// makeRoom looks at a few entries; Go ranges over a map from a random place.
func (c *cache) makeRoom(now time.Time) {
	const sample = 16
	seen, dropped := 0, false
	var victim question
	for q, e := range c.entries {
		if !now.Before(e.until) {
			c.drop(q, e)
			dropped = true
		} else {
			victim = q
		}
		if seen++; seen == sample {
			break
		}
	}
	if !dropped {
		c.drop(victim, c.entries[victim])
	}
}

func (c *cache) drop(q question, e entry) {
	delete(c.entries, q)
	c.octets -= e.size()
}
