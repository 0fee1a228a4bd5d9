package dns

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/singleflight"

	"postern/internal/metric"
)

const (
	defaultTimeout  = 2 * time.Second  // for one question to one server
	defaultRounds   = 2                // through all servers
	defaultBudget   = 10 * time.Second // for one look-up, aliases included
	maxAliases      = 8                // CNAMEs followed; more is a loop
	maxInFlight     = 256              // questions asked at the same time, each of which holds a socket
	udpSize         = 1232             // octets announced by EDNS0: passes every path unfragmented (DNS flag day 2020)
	maxTTL          = time.Hour        // how long we believe an answer, whatever it says
	maxNegative     = 5 * time.Minute  // how long we believe that there is nothing (RFC 2308 §5)
	failureTTL      = time.Second      // how long a failure is not asked again (RFC 2308 §7)
	maxCacheEntries = 50_000
	maxCacheOctets  = 64 << 20
)

// Resolver answers look-ups from its cache or from recursive servers. Its
// methods have the signatures of net.Resolver, and their errors are always
// *net.DNSError: IsNotFound for a name that does not exist or has no such record,
// IsTimeout and IsTemporary for what may work later. Names in answers end with a
// dot, as net.Resolver gives them. It is safe for concurrent use.
type Resolver struct {
	Servers []string      // host:port, tried in this order
	Timeout time.Duration // for one question to one server, 2 s by default
	Budget  time.Duration // for one look-up in all, 10 s by default
	Now     func() time.Time
	Metric  *metric.Set // may be nil

	hosts   *hostsFile // nil when a server was named
	cache   cache
	flight  singleflight.Group
	sockets chan struct{}
	good    atomic.Uint32 // index of the server that answered last
	start   sync.Once
}

// New returns a Resolver that asks server ("host:port"). With "" it asks the
// servers of /etc/resolv.conf and knows the names in /etc/hosts, as the rest of
// the machine does.
func New(server string) *Resolver {
	if server != "" {
		return &Resolver{Servers: []string{server}}
	}
	r := &Resolver{hosts: &hostsFile{path: "/etc/hosts"}}
	conf, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil || len(conf.Servers) == 0 {
		r.Servers = []string{"127.0.0.1:53"} // what resolv.conf(5) says of a missing file
		return r
	}
	for _, s := range conf.Servers {
		r.Servers = append(r.Servers, net.JoinHostPort(s, conf.Port))
	}
	return r
}

func (r *Resolver) init() {
	r.start.Do(func() {
		r.sockets = make(chan struct{}, maxInFlight)
		r.cache.maxEntries, r.cache.maxOctets = maxCacheEntries, maxCacheOctets
		if r.Timeout == 0 {
			r.Timeout = defaultTimeout
		}
		if r.Budget == 0 {
			r.Budget = defaultBudget
		}
		if r.Now == nil {
			r.Now = time.Now
		}
	})
}

// lookup returns the records of one type at name, following aliases, and the
// name they were found at.
func (r *Resolver) lookup(ctx context.Context, name string, qtype uint16) ([]dns.RR, string, error) {
	r.init()
	asked := name
	name = dns.Fqdn(strings.ToLower(name))
	if !validName(name) {
		return nil, "", notFound(asked, "not a valid domain name")
	}
	for range maxAliases {
		a, err := r.answer(ctx, question{name, qtype})
		if err != nil {
			err := *err
			err.Name = asked
			return nil, "", &err
		}
		if len(a.records) > 0 || a.canonical == name {
			if len(a.records) == 0 {
				return nil, a.canonical, notFound(asked, "no such record")
			}
			return a.records, a.canonical, nil
		}
		name = a.canonical // the server left the rest of the chain to us
	}
	return nil, "", &net.DNSError{Err: "too many aliases", Name: asked, IsTemporary: true}
}

// answer takes one question's answer from the cache, or asks. Callers with the
// same question share one answer; the asking goes on when one of them gives up.
func (r *Resolver) answer(ctx context.Context, q question) (answer, *net.DNSError) {
	if a, ok := r.cache.get(q, r.Now()); ok {
		r.count("hit")
		return a, a.err
	}
	ch := r.flight.DoChan(q.String(), func() (any, error) {
		if a, ok := r.cache.get(q, r.Now()); ok { // asked and answered since we looked
			return a, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Budget)
		defer cancel()
		a := r.ask(ctx, q)
		r.cache.put(q, a, r.Now())
		return a, nil
	})
	select {
	case <-ctx.Done():
		r.count("error")
		return answer{}, &net.DNSError{Err: ctx.Err().Error(), Name: q.name, IsTimeout: true, IsTemporary: true}
	case res := <-ch:
		a := res.Val.(answer)
		if a.err != nil && !a.err.IsNotFound {
			r.count("error")
		} else {
			r.count("ok")
		}
		return a, a.err
	}
}

func (r *Resolver) count(result string) {
	if r.Metric != nil {
		r.Metric.Lookups.WithLabelValues(result).Inc()
	}
}

func notFound(name, why string) *net.DNSError {
	return &net.DNSError{Err: why, Name: name, IsNotFound: true}
}

// validName keeps what cannot be a name off the wire (RFC 1035 §2.3.4).
func validName(fqdn string) bool {
	_, ok := dns.IsDomainName(fqdn)
	return ok && fqdn != "." && !strings.Contains(fqdn, "..") && !strings.ContainsAny(fqdn, " \\\t\r\n\x00")
}
