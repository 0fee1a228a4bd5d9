package dns

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// Zone is an authoritative server for everything, on a loopback port, with the
// records it was given. A name it does not have does not exist. Its methods may
// be called while it serves.
type Zone struct {
	mu      sync.Mutex
	records map[question][]dns.RR
	names   map[string]bool // that exist, empty non-terminals too (RFC 4592 §2.2.2)
	rcodes  map[string]int  // names answered with an error
	silent  map[string]bool // names not answered at all
	asked   map[question]int

	udp, tcp *dns.Server
	addr     string
}

const (
	zoneTTL = 60                                                                  // seconds, for records that name none
	zoneSOA = ". 60 IN SOA ns.invalid. hostmaster.invalid. 1 7200 900 1209600 60" // goes with every "no" (RFC 2308 §3)
)

// NewZone starts a Zone on 127.0.0.1 with records in master file form (RFC 1035
// §5.1), one a line, such as
//
//	example.com.      MX  10 mx.example.com.
//	mx.example.com.   A   192.0.2.1
//
// Names without a final dot are meant to have one. The error tells the line that
// is no record, or that no port could be had. Close ends it.
func NewZone(records string) (*Zone, error) {
	z := &Zone{
		records: make(map[question][]dns.RR), names: make(map[string]bool), rcodes: make(map[string]int),
		silent: make(map[string]bool), asked: make(map[question]int),
	}
	if err := z.Add(records); err != nil {
		return nil, err
	}
	if err := z.listen(); err != nil {
		return nil, err
	}
	return z, nil
}

// Addr is where the zone answers, as New takes it.
func (z *Zone) Addr() string { return z.addr }

// Close stops answering.
func (z *Zone) Close() error { return errors.Join(z.udp.Shutdown(), z.tcp.Shutdown()) }

// Add adds records in master file form.
func (z *Zone) Add(records string) error {
	p := dns.NewZoneParser(strings.NewReader(records), ".", "")
	p.SetDefaultTTL(zoneTTL)
	z.mu.Lock()
	defer z.mu.Unlock()
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		name := strings.ToLower(rr.Header().Name)
		q := question{name, rr.Header().Rrtype}
		z.records[q] = append(z.records[q], rr)
		for off, end := 0, false; !end; off, end = dns.NextLabel(name, off) {
			z.names[name[off:]] = true
		}
	}
	if err := p.Err(); err != nil {
		return fmt.Errorf("zone: %w", err)
	}
	return nil
}

// Remove takes every record at name away; the name itself then has none.
func (z *Zone) Remove(name string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	name = dns.CanonicalName(name)
	for q := range z.records {
		if q.name == name {
			delete(z.records, q)
		}
	}
}

// Fail makes every question for name get rcode, such as 2 for SERVFAIL, instead
// of an answer; 0 mends it.
func (z *Zone) Fail(name string, rcode int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.rcodes[dns.CanonicalName(name)] = rcode
}

// Silence makes questions for name get no answer at all, or mends that.
func (z *Zone) Silence(name string, silent bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.silent[dns.CanonicalName(name)] = silent
}

// Asked counts the questions for name of a type ("MX") that have come.
func (z *Zone) Asked(name, qtype string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[question{dns.CanonicalName(name), dns.StringToType[qtype]}]
}

// listen takes one port for both transports.
func (z *Zone) listen() error {
	const tries = 20 // the TCP port of that number may be somebody's
	var err error
	for range tries {
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return fmt.Errorf("zone: %w", err)
		}
		var pc net.PacketConn
		if pc, err = net.ListenPacket("udp", l.Addr().String()); err != nil {
			l.Close()
			continue
		}
		z.addr = l.Addr().String()
		z.udp = &dns.Server{PacketConn: pc, Handler: z}
		z.tcp = &dns.Server{Listener: l, Handler: z}
		for _, s := range []*dns.Server{z.udp, z.tcp} {
			up := make(chan struct{})
			s.NotifyStartedFunc = func() { close(up) }
			go s.ActivateAndServe() // until Close
			<-up
		}
		return nil
	}
	return fmt.Errorf("zone: no port for both UDP and TCP: %w", err)
}

// ServeDNS answers one question.
func (z *Zone) ServeDNS(w dns.ResponseWriter, m *dns.Msg) {
	if len(m.Question) != 1 {
		return
	}
	reply := z.reply(m)
	if reply == nil {
		return
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if opt := m.IsEdns0(); opt != nil {
			reply.SetEdns0(opt.UDPSize(), false)
			size = int(opt.UDPSize())
		}
		reply.Truncate(size)
	}
	w.WriteMsg(reply) // whoever asked may be gone
}

func (z *Zone) reply(m *dns.Msg) *dns.Msg {
	z.mu.Lock()
	defer z.mu.Unlock()
	q := question{strings.ToLower(m.Question[0].Name), m.Question[0].Qtype}
	z.asked[q]++
	if z.silent[q.name] {
		return nil
	}
	reply := new(dns.Msg)
	reply.SetReply(m)
	reply.Authoritative, reply.RecursionAvailable = true, true
	if rcode := z.rcodes[q.name]; rcode != 0 {
		reply.Rcode = rcode
		return reply
	}
	for hops := 0; ; hops++ {
		if hops == maxAliases { // as a recursive server says of a loop
			reply.Answer, reply.Rcode = nil, dns.RcodeServerFailure
			return reply
		}
		found := z.find(q)
		reply.Answer = append(reply.Answer, found...)
		if len(found) > 0 {
			return reply
		}
		alias := z.find(question{q.name, dns.TypeCNAME})
		if len(alias) == 0 {
			break
		}
		reply.Answer = append(reply.Answer, alias[0])
		q.name = strings.ToLower(alias[0].(*dns.CNAME).Target)
		if rcode := z.rcodes[q.name]; rcode != 0 {
			reply.Rcode = rcode
			return reply
		}
	}
	if !z.exists(q.name) {
		reply.Rcode = dns.RcodeNameError
	}
	soa, _ := dns.NewRR(zoneSOA)
	reply.Ns = []dns.RR{soa}
	return reply
}

// find looks for q, then for a wildcard above it (RFC 4592).
func (z *Zone) find(q question) []dns.RR {
	if z.names[q.name] {
		return z.records[q]
	}
	var found []dns.RR
	for _, rr := range z.records[question{wildcard(q.name), q.qtype}] {
		rr := dns.Copy(rr)
		rr.Header().Name = q.name
		found = append(found, rr)
	}
	return found
}

func (z *Zone) exists(name string) bool { return z.names[name] || z.names[wildcard(name)] }

// wildcard is the name with its first label replaced by "*".
func wildcard(name string) string {
	off, end := dns.NextLabel(name, 0)
	if end {
		return "*."
	}
	return "*." + name[off:]
}
