package dns

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
)

type question struct {
	name  string // lower case, ends with a dot
	qtype uint16
}

func (q question) String() string { return q.name + dns.TypeToString[q.qtype] }

// answer is what one question brought, good or bad, ready for the cache.
type answer struct {
	records   []dns.RR // of the type asked for, owned by canonical
	canonical string   // end of the alias chain as far as the server told it
	err       *net.DNSError
	ttl       time.Duration
	octets    int
}

// ask puts q to the servers, the one that answered last first, until one gives a
// usable reply. A server that fails, refuses or is silent is passed over, all of
// them twice, as long as ctx lasts.
func (r *Resolver) ask(ctx context.Context, q question) answer {
	select {
	case r.sockets <- struct{}{}:
		defer func() { <-r.sockets }()
	case <-ctx.Done():
		return failed(q, "", ctx.Err())
	}
	if len(r.Servers) == 0 {
		return failed(q, "", errors.New("no DNS server is configured"))
	}
	var bad answer
	first := int(r.good.Load())
	for i := range defaultRounds * len(r.Servers) {
		at := (first + i) % len(r.Servers)
		reply, err := r.exchange(ctx, q, r.Servers[at])
		if err != nil {
			bad = failed(q, r.Servers[at], err)
		} else if a, ok := read(q, reply, r.Servers[at]); ok {
			r.good.Store(uint32(at))
			return a
		} else {
			bad = a
		}
		if ctx.Err() != nil {
			break
		}
	}
	return bad
}

// exchange asks one server over UDP, and over TCP if the reply was cut. A server
// that does not understand EDNS0 is asked without it (RFC 6891 §7).
func (r *Resolver) exchange(ctx context.Context, q question, server string) (*dns.Msg, error) {
	m := new(dns.Msg)
	m.SetQuestion(q.name, q.qtype)
	m.SetEdns0(udpSize, false)
	reply, err := r.once(ctx, m, "udp", server)
	if err == nil && (reply.Rcode == dns.RcodeFormatError || reply.Rcode == dns.RcodeNotImplemented) {
		m.Extra = nil
		reply, err = r.once(ctx, m, "udp", server)
	}
	if err == nil && reply.Truncated {
		reply, err = r.once(ctx, m, "tcp", server)
	}
	return reply, err
}

// once sends m from a fresh socket, whose port the kernel picks at random, and
// waits for the reply to it. Packets that are not that reply may be forged: they
// are ignored (RFC 5452 §9).
func (r *Resolver) once(ctx context.Context, m *dns.Msg, network, server string) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	m.Id = dns.Id()
	var dialer net.Dialer
	nc, err := dialer.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	deadline, _ := ctx.Deadline()
	nc.SetDeadline(deadline)
	co := &dns.Conn{Conn: nc, UDPSize: udpSize}
	if err := co.WriteMsg(m); err != nil {
		return nil, err
	}
	for {
		reply, err := co.ReadMsg()
		var netErr net.Error
		if err != nil && (errors.As(err, &netErr) || network == "tcp") {
			return nil, err
		}
		if err == nil && reply.Response && reply.Id == m.Id && sameQuestion(reply, m) {
			return reply, nil
		}
		if network == "tcp" {
			return nil, errors.New("reply does not fit the question")
		}
	}
}

func sameQuestion(reply, m *dns.Msg) bool {
	if len(reply.Question) == 0 { // some servers leave it out of an error
		return reply.Rcode != dns.RcodeSuccess
	}
	a, b := reply.Question[0], m.Question[0]
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}

// read turns a reply into an answer. ok is false if another server may know
// better.
func read(q question, reply *dns.Msg, server string) (a answer, ok bool) {
	switch reply.Rcode {
	case dns.RcodeSuccess:
	case dns.RcodeNameError:
		a := answer{err: notFound(q.name, "no such host"), ttl: negativeTTL(reply), canonical: q.name}
		a.err.Server = server
		return a, true
	default:
		return failed(q, server, errors.New("server answered "+dns.RcodeToString[reply.Rcode])), false
	}
	a = answer{canonical: q.name, ttl: maxTTL, octets: reply.Len()}
	for hops := 0; ; hops++ { // the chain may stand in any order
		if hops > maxAliases {
			return failed(q, server, errors.New("too many aliases")), false
		}
		target := ""
		for _, rr := range reply.Answer {
			if alias, ok := rr.(*dns.CNAME); ok && q.qtype != dns.TypeCNAME && strings.EqualFold(alias.Hdr.Name, a.canonical) {
				target = strings.ToLower(alias.Target)
				a.ttl = min(a.ttl, seconds(alias.Hdr.Ttl))
				break
			}
		}
		if target == "" {
			break
		}
		a.canonical = target
	}
	for _, rr := range reply.Answer {
		h := rr.Header()
		if h.Rrtype == q.qtype && h.Class == dns.ClassINET && strings.EqualFold(h.Name, a.canonical) {
			a.records = append(a.records, rr)
			a.ttl = min(a.ttl, seconds(h.Ttl))
		}
	}
	if len(a.records) > 0 {
		return a, true
	}
	if a.canonical != q.name && !hasSOA(reply) {
		return a, true // half a chain: the caller asks on
	}
	a.err, a.ttl = notFound(q.name, "no such record"), min(a.ttl, negativeTTL(reply))
	a.err.Server = server
	return a, true
}

func hasSOA(m *dns.Msg) bool {
	for _, rr := range m.Ns {
		if rr.Header().Rrtype == dns.TypeSOA {
			return true
		}
	}
	return false
}

// negativeTTL is how long "no" may be kept: the lesser of the SOA's own TTL and
// its minimum field; not at all without an SOA (RFC 2308 §5), which we read as
// the shortest time.
func negativeTTL(m *dns.Msg) time.Duration {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(seconds(soa.Hdr.Ttl), seconds(soa.Minttl), maxNegative)
		}
	}
	return failureTTL
}

// seconds reads a TTL; one with the top bit set is 0 (RFC 2181 §8).
func seconds(ttl uint32) time.Duration {
	if ttl > 1<<31-1 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}

func failed(q question, server string, err error) answer {
	e := &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: q.name, Server: server, IsTemporary: true}
	var netErr net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout() {
		e.IsTimeout, e.Err = true, "the server did not answer in time"
	}
	return answer{err: e, ttl: failureTTL, canonical: q.name}
}
