package judge

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Resolver answers DNS questions. *net.Resolver is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

// maxQuestions is how many DNS questions one message may cost. SPF, ten DKIM
// signatures, DMARC's tree walk and ARC come to fewer than 100. A compromised
// child cannot send out more of a message than fits into their names.
const maxQuestions = 200

// errQuestions means a message asked for more.
var errQuestions = &net.DNSError{Err: "too many questions for one message", IsTemporary: true}

type question struct {
	N    int    `json:"n"`
	Kind string `json:"kind"` // "txt", "mx", "ip", "ptr"
	Name string `json:"name"`
}

type answer struct {
	N         int      `json:"n"`
	Values    []string `json:"values,omitempty"`
	Prefs     []uint16 `json:"prefs,omitempty"` // of MX, beside Values
	Err       string   `json:"err,omitempty"`
	NotFound  bool     `json:"not_found,omitempty"`
	Temporary bool     `json:"temporary,omitempty"`
	Timeout   bool     `json:"timeout,omitempty"`
}

// reply answers q through r.
func reply(ctx context.Context, r Resolver, q question) answer {
	a := answer{N: q.N}
	var err error
	switch q.Kind {
	case "txt":
		a.Values, err = r.LookupTXT(ctx, q.Name)
	case "mx":
		var mx []*net.MX
		mx, err = r.LookupMX(ctx, q.Name)
		for _, m := range mx {
			a.Values, a.Prefs = append(a.Values, m.Host), append(a.Prefs, m.Pref)
		}
	case "ip":
		var ips []net.IPAddr
		ips, err = r.LookupIPAddr(ctx, q.Name)
		for _, ip := range ips {
			a.Values = append(a.Values, ip.String())
		}
	case "ptr":
		a.Values, err = r.LookupAddr(ctx, q.Name)
	default:
		err = errors.New("unknown kind of question")
	}
	a.setErr(err)
	return a
}

func (a *answer) setErr(err error) {
	if err == nil {
		return
	}
	a.Err = err.Error()
	var d *net.DNSError
	if errors.As(err, &d) {
		a.Err, a.NotFound, a.Temporary, a.Timeout = d.Err, d.IsNotFound, d.IsTemporary, d.IsTimeout
		return
	}
	a.Temporary = true
}

// remote is the Resolver inside the child: it asks the parent.
type remote struct {
	out *frameWriter

	mu      sync.Mutex
	n       int
	waiting map[int]chan answer
	asked   int // for the message at hand
	known   map[question]known
}

// known is an answer that is used again for a while: one sender's domain is asked
// for by SPF, DMARC and the next message alike.
type known struct {
	answer
	until time.Time
}

const (
	knownFor = 30 * time.Second // less than any time to live that matters; the parent's cache keeps the real ones
	maxKnown = 2000             // answers a worker remembers
)

func newRemote(out *frameWriter) *remote {
	return &remote{out: out, waiting: make(map[int]chan answer), known: make(map[question]known)}
}

// next begins another message.
func (r *remote) next() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = 0
}

// answered hands the parent's answer to whoever waits for it.
func (r *remote) answered(body []byte) error {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return err
	}
	r.mu.Lock()
	c := r.waiting[a.N]
	delete(r.waiting, a.N)
	r.mu.Unlock()
	if c != nil {
		c <- a
	}
	return nil
}

func (r *remote) ask(ctx context.Context, kind, name string) (answer, error) {
	if len(name) > 300 {
		return answer{}, &net.DNSError{Err: "name too long", Name: name[:300], IsNotFound: true}
	}
	q := question{Kind: kind, Name: name}
	c := make(chan answer, 1)
	r.mu.Lock()
	if k, ok := r.known[q]; ok && time.Now().Before(k.until) {
		r.mu.Unlock()
		return k.answer, k.err(name)
	}
	if r.asked++; r.asked > maxQuestions {
		r.mu.Unlock()
		return answer{}, errQuestions
	}
	r.n++
	n := r.n
	r.waiting[n] = c
	r.mu.Unlock()
	if err := r.out.send(kindAsk, question{N: n, Kind: kind, Name: name}); err != nil {
		return answer{}, &net.DNSError{Err: err.Error(), Name: name, IsTemporary: true}
	}
	select {
	case a := <-c:
		r.remember(q, a)
		return a, a.err(name)
	case <-ctx.Done():
		r.mu.Lock()
		delete(r.waiting, n)
		r.mu.Unlock()
		return answer{}, &net.DNSError{Err: ctx.Err().Error(), Name: name, IsTemporary: true, IsTimeout: true}
	}
}

func (r *remote) remember(q question, a answer) {
	if a.Err != "" && !a.NotFound {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= maxKnown {
		clear(r.known)
	}
	r.known[q] = known{a, time.Now().Add(knownFor)}
}

// err is the answer's error as net.Resolver would give it.
func (a answer) err(name string) error {
	if a.Err == "" {
		return nil
	}
	return &net.DNSError{Err: a.Err, Name: name, IsNotFound: a.NotFound, IsTemporary: a.Temporary, IsTimeout: a.Timeout}
}

// LookupTXT is part of Resolver.
func (r *remote) LookupTXT(ctx context.Context, name string) ([]string, error) {
	a, err := r.ask(ctx, "txt", name)
	return a.Values, err
}

// LookupMX is part of Resolver.
func (r *remote) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	a, err := r.ask(ctx, "mx", name)
	if err != nil {
		return nil, err
	}
	var out []*net.MX
	for i, h := range a.Values {
		if i < len(a.Prefs) {
			out = append(out, &net.MX{Host: h, Pref: a.Prefs[i]})
		}
	}
	return out, nil
}

// LookupIPAddr is part of Resolver.
func (r *remote) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	a, err := r.ask(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var out []net.IPAddr
	for _, v := range a.Values {
		if ip, err := netip.ParseAddr(strings.TrimSpace(v)); err == nil {
			out = append(out, net.IPAddr{IP: ip.AsSlice(), Zone: ip.Zone()})
		}
	}
	return out, nil
}

// LookupAddr is part of Resolver.
func (r *remote) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	a, err := r.ask(ctx, "ptr", addr)
	return a.Values, err
}
