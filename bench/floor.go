package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"postern/internal/mail"
	"postern/internal/relay/ingress"
)

// startFloor runs this program again as the least relay that keeps its word.
func startFloor(w *world, dir string) (*running, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	pid, err := spawn(dir, self, "floor", "127.0.0.1:"+port, w.cert, w.key, fmt.Sprintf("127.0.0.1:%d", w.sink.port()), filepath.Join(dir, "wal"))
	if err != nil {
		return nil, err
	}
	r := &running{addr: "127.0.0.1:" + port, roots: tree{pid}}
	return r, reach(r.addr, dir)
}

// floor takes a message, appends it to a log that is synced for all who wait at the
// moment, sends it on, and answers 250.
func floor(listen, cert, key, next, log string) error {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return err
	}
	file, err := os.Create(log)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	w, hop := &wal{file: file}, &hop{addr: next}
	s := &ingress.Server{Hostname: "relay.test", TLS: &tls.Config{Certificates: []tls.Certificate{pair}}, Limits: ingress.Limits{PerAddress: 1000},
		Accept: func(_ context.Context, env *mail.Envelope, body io.Reader) (mail.ID, error) {
			var b bytes.Buffer
			if _, err := b.ReadFrom(body); err != nil {
				return "", err
			}
			if err := w.append(b.Bytes()); err != nil {
				return "", err
			}
			return mail.NewID(), hop.send(env, b.Bytes())
		}}
	return s.Serve(context.Background(), l)
}

// wal is a log; whoever finds it idle writes and syncs for all that came meanwhile.
type wal struct {
	file *os.File

	mu      sync.Mutex
	pending []byte
	waiting []chan error
	busy    bool
}

func (w *wal) append(p []byte) error {
	mine := make(chan error, 1)
	w.mu.Lock()
	w.pending = append(w.pending, p...)
	w.waiting = append(w.waiting, mine)
	if w.busy {
		w.mu.Unlock()
		return <-mine
	}
	w.busy = true
	for len(w.waiting) > 0 {
		p, waiting := w.pending, w.waiting
		w.pending, w.waiting = nil, nil
		w.mu.Unlock()
		_, err := w.file.Write(p)
		if err == nil {
			err = syscall.Fdatasync(int(w.file.Fd()))
		}
		for _, c := range waiting {
			c <- err
		}
		w.mu.Lock()
	}
	w.busy = false
	w.mu.Unlock()
	return <-mine
}

// hop keeps sessions with the next hop.
type hop struct {
	addr string
	idle sync.Pool
}

func (h *hop) send(env *mail.Envelope, content []byte) error {
	c, _ := h.idle.Get().(*client)
	if c == nil {
		var err error
		if c, err = dialPlain(h.addr); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.w, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nBDAT %d LAST\r\n", env.From, env.To[0].Addr, len(content))
	c.w.Write(content)
	if err := c.expect('2', 3); err != nil {
		c.conn.Close()
		return err
	}
	h.idle.Put(c)
	return nil
}
