package deliver

import (
	"cmp"
	"sync"
	"syscall"
	"time"
)

const (
	defaultIdle  = 15 * time.Second // shorter than any hop's own limit, which is a reply we could mistake
	maxIdle      = 1000             // connections kept in all
	maxIdleRoute = 20               // and for one route, as many as Queue runs at a time
	hot          = time.Second      // after a delivery a connection is trusted this long
)

// pool keeps connections between messages, the one used last on top.
type pool struct {
	mu     sync.Mutex
	idle   map[route][]*conn
	count  int
	limit  time.Duration
	sweep  *time.Timer // set while connections wait
	closed bool
}

func (p *pool) setUp(limit time.Duration) {
	p.limit = cmp.Or(limit, defaultIdle)
	p.idle = make(map[route][]*conn)
}

// take returns a living connection of r, nil if there is none. Those whose time
// is over go to leave.
func (p *pool) take(r route, now time.Time, leave func(*conn)) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		list := p.idle[r]
		if len(list) == 0 {
			return nil
		}
		c := list[len(list)-1]
		p.set(r, list[:len(list)-1])
		if now.Sub(c.idle) < p.limit && c.silent() {
			return c
		}
		leave(c)
	}
}

// set replaces the list of r; p.mu is held.
func (p *pool) set(r route, list []*conn) {
	p.count += len(list) - len(p.idle[r])
	if len(list) == 0 {
		delete(p.idle, r)
		return
	}
	p.idle[r] = list
}

// put keeps c and reports whether there was room.
func (p *pool) put(c *conn, now time.Time, leave func(*conn)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[c.route]
	if p.closed || p.count >= maxIdle || len(list) >= maxIdleRoute {
		return false
	}
	c.idle, c.hurry = now, 0
	p.set(c.route, append(list, c))
	if p.sweep == nil {
		p.sweep = time.AfterFunc(p.limit, func() { p.expire(time.Now(), leave) })
	}
	return true
}

// expire lets go of what has waited too long by the wall clock.
func (p *pool) expire(now time.Time, leave func(*conn)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep = nil
	if p.closed {
		return
	}
	for r, list := range p.idle {
		old := 0 // they were put in the order of time
		for old < len(list) && now.Sub(list[old].idle) >= p.limit {
			leave(list[old])
			old++
		}
		p.set(r, list[old:])
	}
	if p.count > 0 {
		p.sweep = time.AfterFunc(p.limit/2, func() { p.expire(time.Now(), leave) })
	}
}

// drop empties r.
func (p *pool) drop(r route) []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[r]
	p.set(r, nil)
	return list
}

func (p *pool) close() []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.sweep != nil {
		p.sweep.Stop()
	}
	var all []*conn
	for _, list := range p.idle {
		all = append(all, list...)
	}
	p.idle, p.count = make(map[route][]*conn), 0
	return all
}

// silent reports whether the hop has neither closed the connection nor said
// anything on it, as it does before closing (421).
func (c *conn) silent() bool {
	c.tcp.SetDeadline(time.Time{})
	raw, err := c.tcp.SyscallConn()
	if err != nil || c.br.Buffered() > 0 {
		return false
	}
	var got error
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, got = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true // never wait
	})
	return err == nil && (got == syscall.EAGAIN || got == syscall.EWOULDBLOCK)
}
