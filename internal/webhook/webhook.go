package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"time"

	"postern/internal/guard"
	"postern/internal/mail"
)

// Kinds of events that endpoints may ask for.
const (
	Alarm     = "alarm"     // something a person should look at
	Held      = "held"      // a recipient's copy went to quarantine
	Released  = "released"  // a held copy was taken by its MTA
	Delivered = "delivered" // a copy was taken by its MTA, released or not
	Reported  = "reported"  // a person says that a verdict is wrong; Verdict is ours, Should theirs
	Asked     = "asked"     // a recipient asks administrators for a held copy
)

// Kinds is all of them.
var Kinds = []string{Alarm, Held, Released, Delivered, Reported, Asked}

// An Event is one notice. It has nothing of a message but its id and verdict.
type Event struct {
	ID      string       `json:"id"` // of the notice; given by Emit
	Event   string       `json:"event"`
	At      time.Time    `json:"at"` // now by default
	Tenant  string       `json:"tenant,omitempty"`
	Message mail.ID      `json:"message,omitempty"` // as in postern trace
	Rcpt    *int         `json:"recipient,omitempty"`
	Verdict mail.Verdict `json:"verdict,omitempty"`
	Score   int          `json:"score,omitempty"`
	Should  mail.Verdict `json:"should,omitempty"` // of a report
	Kind    string       `json:"kind,omitempty"`   // of an alarm
	Text    string       `json:"text,omitempty"`   // of an alarm
}

// An Endpoint is one receiver.
type Endpoint struct {
	URL     string
	Secret  []byte
	Events  []string // kinds; empty: all but delivered
	Private bool     // may be on this machine or in a private network, and without TLS
}

// Check says what is wrong with an endpoint.
func (e *Endpoint) Check() error {
	u, err := url.Parse(e.URL)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return fmt.Errorf("url %q is not an address such as https://hooks.example.com/postern", e.URL)
	case u.User != nil:
		return fmt.Errorf("url of %s has a password in it: the signature tells the receiver who we are", u.Hostname())
	case u.Scheme != "https" && (u.Scheme != "http" || !e.Private):
		return fmt.Errorf("url %q is not https: without TLS only allow_private receivers are told", u.Redacted())
	case len(e.Secret) < 16:
		return fmt.Errorf("the secret for %s is shorter than 16 characters: make one with openssl rand -hex 32", u.Hostname())
	}
	for _, k := range e.Events {
		if !slices.Contains(Kinds, k) {
			return fmt.Errorf("event %q is none of %v", k, Kinds)
		}
	}
	return nil
}

// wants reports whether the endpoint asked for a kind. Deliveries are many, so
// they are sent only where they are asked for.
func (e *Endpoint) wants(kind string) bool {
	if len(e.Events) == 0 {
		return kind != Delivered
	}
	return slices.Contains(e.Events, kind)
}

// Sender sends notices. Its fields are set before the first Emit.
type Sender struct {
	Endpoints []Endpoint
	Roots     *x509.CertPool // nil: the system's
	First     time.Duration  // pause after the first failed attempt; 0: 5 s, then three times as long each
	Queue     int            // notices that wait for one endpoint; 0: 1,000
	Log       *slog.Logger

	once    sync.Once
	queues  []chan notice
	working sync.WaitGroup
	ctx     context.Context
	stop    context.CancelFunc
	closed  sync.RWMutex // held for writing by Close
	ended   bool
}

type notice struct {
	id, kind string
	body     []byte
}

const (
	attempts    = 6                // within ten minutes with the default pause
	patience    = 10 * time.Second // for one attempt
	maxAnswer   = 64 << 10         // octets of an answer that are read, to keep the connection
	defaultWait = 1000
)

func (s *Sender) start() {
	s.once.Do(func() {
		s.ctx, s.stop = context.WithCancel(context.Background())
		if s.First == 0 {
			s.First = 5 * time.Second
		}
		if s.Queue == 0 {
			s.Queue = defaultWait
		}
		for i := range s.Endpoints {
			queue := make(chan notice, s.Queue)
			s.queues = append(s.queues, queue)
			s.working.Go(func() { s.serve(&s.Endpoints[i], queue) })
		}
	})
}

// Emit hands an event to every endpoint that asked for its kind, and returns at
// once. What does not fit into an endpoint's queue is dropped and logged. It may be
// called by many goroutines, and on a nil Sender.
func (s *Sender) Emit(e Event) {
	if s == nil || len(s.Endpoints) == 0 {
		return
	}
	s.closed.RLock()
	defer s.closed.RUnlock()
	if s.ended {
		return
	}
	s.start()
	e.ID = string(mail.NewID())
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.At = e.At.UTC()
	body, err := json.Marshal(e)
	if err != nil { // of a struct without a type that could fail
		return
	}
	for i := range s.Endpoints {
		if !s.Endpoints[i].wants(e.Event) {
			continue
		}
		select {
		case s.queues[i] <- notice{e.ID, e.Event, body}:
		default:
			s.Log.Warn("webhook dropped: its receiver is too slow", "host", s.Endpoints[i].host(), "event", e.Event)
		}
	}
}

// Close sends what waits until ctx ends, then gives the rest up.
func (s *Sender) Close(ctx context.Context) {
	if s == nil || len(s.Endpoints) == 0 {
		return
	}
	s.start()
	s.closed.Lock()
	if !s.ended {
		s.ended = true
		for _, q := range s.queues {
			close(q)
		}
	}
	s.closed.Unlock()
	stop := context.AfterFunc(ctx, s.stop)
	defer stop()
	s.working.Wait()
	s.stop()
}

func (e *Endpoint) host() string {
	u, err := url.Parse(e.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// client connects only where the guard allows, however often names are looked up,
// and follows no redirect: the receiver is the one that was configured.
func (s *Sender) client(e *Endpoint) *http.Client {
	g := guard.Guard{Loopback: e.Private, Private: e.Private}
	dialer := &net.Dialer{Timeout: patience, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return g.Check(at, false)
	}}
	return &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			TLSClientConfig:     &tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: patience,
			ForceAttemptHTTP2:   true,
			IdleConnTimeout:     time.Minute,
			MaxConnsPerHost:     2,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
