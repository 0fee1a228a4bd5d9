package replay

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// A Shelf keeps the books of tenants whose policies are being looked at. Store and
// Log are required.
type Shelf struct {
	Store *store.Store
	Log   *slog.Logger
	Now   func() time.Time // time.Now by default
	Most  int              // messages read of one tenant; 250,000 by default

	mu    sync.Mutex
	books map[string]*place
	turn  sync.Mutex // one book is read at a time
}

type place struct {
	book        *Book // nil until the first is read
	reading     bool
	done, total int
	err         error
	used        time.Time
}

const (
	freshFor  = 10 * time.Minute // after which a book is read again when it is asked for
	idleFor   = 30 * time.Minute // after which it is put away
	mostBooks = 4
	readTime  = 15 * time.Minute
)

// A State is how far a tenant's book is.
type State struct {
	Book    *Book // nil while the first is being read, or after an error
	Reading bool
	Done    int // messages
	Total   int
	Err     error // of the last reading
}

// Percent is how much of the reading is done, 0 to 100.
func (s State) Percent() int {
	if s.Total == 0 {
		return 0
	}
	return min(100, s.Done*100/s.Total)
}

// Book returns a tenant's book as far as there is one, and begins to read it in the
// background where there is none, or none fresh enough for the rules' lists. It
// does not wait.
func (s *Shelf) Book(tenant string, rules mail.Rules) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.books == nil {
		s.books = map[string]*place{}
	}
	now := s.now()
	s.tidy(tenant, now)
	p := s.books[tenant]
	if p == nil {
		p = &place{}
		s.books[tenant] = p
	}
	p.used = now
	if !p.reading && (p.book == nil || now.Sub(p.book.Made) > freshFor || p.book.lists != listsOf(rules)) {
		p.reading, p.done, p.total, p.err = true, 0, 0, nil
		go s.read(tenant, rules, p)
	}
	return State{p.book, p.reading, p.done, p.total, p.err}
}

func (s *Shelf) read(tenant string, rules mail.Rules, p *place) {
	s.turn.Lock()
	defer s.turn.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	most := s.Most
	if most == 0 {
		most = mostRead
	}
	b, err := read(ctx, s.Store, tenant, rules, most, s.now(), func(done, total int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		p.done, p.total = done, total
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	p.reading, p.err = false, err
	if err != nil {
		s.Log.Error("stored mail could not be read for a replay", "tenant", tenant, "err", err)
		return
	}
	p.book = b
	time.AfterFunc(idleFor+time.Minute, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.tidy("", s.now())
	})
}

// tidy puts away what was not asked for lately, and the longest unused when there
// are too many. A book that is being read stays.
func (s *Shelf) tidy(but string, now time.Time) {
	for {
		oldest := ""
		for t, p := range s.books {
			if t == but || p.reading {
				continue
			}
			if now.Sub(p.used) > idleFor {
				delete(s.books, t)
			} else if oldest == "" || p.used.Before(s.books[oldest].used) {
				oldest = t
			}
		}
		if len(s.books) <= mostBooks || oldest == "" {
			return
		}
		delete(s.books, oldest)
	}
}

func (s *Shelf) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
