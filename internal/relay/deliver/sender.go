package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"postern/internal/mail"
	"postern/internal/metric"
)

// Sender sends messages to next hops. Only Resolver must be set. Its methods may
// be called from many goroutines; the fields must not change after the first.
type Sender struct {
	Hostname    string // our name in EHLO
	Resolver    Resolver
	Roots       *x509.CertPool                                              // CAs of the MTAs; nil for the system's
	Certificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error) // ours, for an MTA that asks who we are; may be nil
	MinTLS      uint16                                                      // tls.VersionTLS12 at least and by default
	Source      []netip.Addr                                                // local addresses to send from, in turn; the system's choice if empty

	AllowLoopback bool                      // labs and tests
	AllowPrivate  bool                      // MTA names may lead to private addresses; a literal address always may be one
	Own           func(netip.AddrPort) bool // is the relay itself, which is refused as a hop; may be nil

	Timeouts    Timeouts
	Idle        time.Duration // that an unused connection is kept; 15 s by default
	MaxMessages int           // over one connection; 200 by default

	Now    func() time.Time
	Log    *slog.Logger
	Metric *metric.Set // may be nil

	begin    sync.Once
	life     context.Context // until Close
	end      context.CancelFunc
	closing  sync.RWMutex   // held to start work, so that Close waits for all of it
	work     sync.WaitGroup // probes and farewells
	turn     atomic.Uint32  // of Source
	pool     pool
	health   health
	buffers  bufferPool
	sessions tls.ClientSessionCache
}

func (s *Sender) init() {
	s.begin.Do(func() {
		s.life, s.end = context.WithCancel(context.Background())
		if s.Now == nil {
			s.Now = time.Now
		}
		if s.Log == nil {
			s.Log = slog.New(slog.DiscardHandler)
		}
		s.pool.setUp(s.Idle)
		s.sessions = tls.NewLRUClientSessionCache(0)
	})
}

func (s *Sender) hostname() string {
	if s.Hostname == "" {
		return "localhost"
	}
	return s.Hostname
}

// Close closes the idle connections and waits for what goes on in the
// background. A Send under way is not interrupted; its ctx does that.
func (s *Sender) Close() {
	s.init()
	for _, c := range s.pool.close() {
		s.leave(c)
	}
	s.closing.Lock()
	s.end()
	s.closing.Unlock()
	s.work.Wait()
}

// background runs f so that Close waits for it; after Close it does not.
func (s *Sender) background(f func()) bool {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.life.Err() != nil {
		return false
	}
	s.work.Go(f)
	return true
}

// Send tries to deliver job now and returns one outcome for each recipient, in
// their order. The MTAs are tried in their order, those lately found dead last:
// the next takes over when one cannot be reached, is not secure enough, or
// answers 4xx; a 5xx for the message is final. When the connection breaks before
// the content was complete, it is tried again at once; after that the outcome is
// Unsure. The end of ctx makes the rest Deferred.
func (s *Sender) Send(ctx context.Context, job Job) []Outcome {
	s.init()
	began := time.Now()
	t := newTransfer(&job)
	order := s.health.order(job.MTAs, s.Now())
	for i, mta := range order {
		if t.settled() || ctx.Err() != nil {
			break
		}
		r := route{job.Tenant, mta}
		spare := i < len(order)-1
		if i > 0 || mta != job.MTAs[0] {
			s.revive(job, s.Now())
		}
		err := s.try(ctx, r, t, spare)
		if err != nil {
			t.hopFailed(mta, err)
		}
		if t.broken != nil {
			break
		}
	}
	out := t.outcomes(ctx)
	s.count(job.Tenant, out, time.Since(began))
	return out
}

// try runs the job's pending recipients at one MTA. The error says that the MTA
// could not be used.
func (s *Sender) try(ctx context.Context, r route, t *transfer, spare bool) *hopError {
	var err *hopError
	for fresh := 0; fresh < 2 && !t.settled(); { // an old connection does not count
		c := s.pool.take(r, s.Now(), s.leave)
		reused := c != nil
		if !reused {
			fresh++
			if c, err = s.connect(ctx, r, spare); err != nil {
				s.sick(ctx, r.mta, err)
				return err
			}
		}
		if spare {
			c.hurry = c.times.Handover
		}
		err = s.deliverOn(ctx, c, t)
		if err == nil {
			s.well(r.mta)
			if ctx.Err() != nil { // its deadline may be gone
				s.leave(c)
			} else {
				s.giveBack(c)
			}
			return nil
		}
		c.nc.Close()
		if errors.Is(err, errContent) {
			return err
		}
		if reused { // its fellows are likely to be as dead; a 421 was only for its age
			for _, other := range s.pool.drop(r) {
				other.nc.Close()
			}
			if err.reply != nil {
				continue
			}
		}
		if !err.lost() { // silence would only be waited for again
			break
		}
	}
	if err != nil && !t.settled() {
		s.sick(ctx, r.mta, err)
	}
	return err
}

// deliverOn runs as many transactions over c as the recipients need.
func (s *Sender) deliverOn(ctx context.Context, c *conn, t *transfer) *hopError {
	defer c.use(ctx)()
	most := maxRcpts
	if c.ext.rcptMax > 0 {
		most = min(most, c.ext.rcptMax)
	}
	for todo := t.pending(); len(todo) > 0; {
		n := min(len(todo), most)
		x := &transaction{c: c, t: t, batch: todo[:n], now: s.Now()}
		if err := s.transact(x); err != nil {
			return err
		}
		todo = append(x.again, todo[n:]...) // again is shorter than the batch
	}
	return nil
}

// giveBack keeps c for the next message, unless it has served enough.
func (s *Sender) giveBack(c *conn) {
	most := s.MaxMessages
	if most == 0 {
		most = 200
	}
	if c.messages >= most || !s.pool.put(c, s.Now(), s.leave) {
		s.leave(c)
	}
}

// leave ends a session in the background, so that no message waits for a QUIT.
func (s *Sender) leave(c *conn) {
	if !s.background(c.quit) {
		c.nc.Close()
	}
}

func (s *Sender) count(tenant string, out []Outcome, took time.Duration) {
	if s.Metric == nil {
		return
	}
	s.Metric.DeliverTime.Observe(took.Seconds())
	for _, o := range out {
		result := string(o.Kind)
		if o.Kind == Undeliverable {
			result = string(Refused)
		}
		s.Metric.Deliveries.WithLabelValues(tenant, result).Inc()
	}
}

// sick notes that an MTA could not be used, well that it could.
func (s *Sender) sick(ctx context.Context, mta mail.MTA, err *hopError) {
	if ctx.Err() != nil {
		return // we were interrupted: that says nothing about the MTA
	}
	if s.health.down(mta, s.Now()) {
		s.Log.Warn("next hop cannot be used", "mta", mta.Address(), "err", err.Error())
	}
}

func (s *Sender) well(mta mail.MTA) {
	if s.health.up(mta) {
		s.Log.Info("next hop can be used again", "mta", mta.Address())
	}
}

// revive looks, in the background, whether a preferred MTA that was found dead is
// back, so that no message has to wait to find out.
func (s *Sender) revive(job Job, now time.Time) {
	for _, mta := range job.MTAs {
		if !s.health.due(mta, now) {
			continue
		}
		r := route{job.Tenant, mta}
		s.background(func() {
			c, err := s.connect(s.life, r, true)
			if err != nil {
				s.sick(s.life, mta, err)
				return
			}
			s.well(mta)
			s.giveBack(c)
		})
	}
}
