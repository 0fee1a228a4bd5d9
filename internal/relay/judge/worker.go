package judge

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// setup is what the parent tells a new child.
type setup struct {
	Confine bool  `json:"confine"`
	Memory  int64 `json:"memory"` // octets the child may use
}

type hello struct {
	Warnings []string `json:"warnings,omitempty"` // what the kernel lacks to confine the child
}

// tenantFrame tells a worker of a tenant; jobs name it by N, which is 1 or more.
type tenantFrame struct {
	N     int         `json:"n"`
	About *scan.About `json:"about"`
}

// jobFrame is a Job on the wire; the octets follow.
type jobFrame struct {
	ID       mail.ID           `json:"id"`
	Envelope mail.Envelope     `json:"envelope"`
	Via      mail.Architecture `json:"via"`
	Tenant   int               `json:"tenant,omitempty"` // 0: none
}

// Worker is the child's main loop, the whole of the verb judge-worker. build
// makes the Func, with the Resolver through which it may ask the parent; it runs
// before the child is confined, so it may still read files. Worker returns nil
// when the parent closes in, even while a message is being judged; the process
// should then end at once.
func Worker(in io.Reader, out io.Writer, build func(Resolver) Func) error {
	r := bufio.NewReaderSize(pollable(in), 64<<10)
	w := &frameWriter{w: out}
	k, body, err := readFrame(r, maxFrame)
	if err != nil || k != kindSetup {
		return fmt.Errorf("read setup: %w", orFrame(err))
	}
	var s setup
	if err := json.Unmarshal(body, &s); err != nil {
		return fmt.Errorf("read setup: %w", err)
	}
	dns := newRemote(w)
	judge := build(dns)
	var h hello
	if s.Confine {
		tune(s.Memory)
		h.Warnings = confine(s.Memory)
	}
	if err := w.send(kindHello, h); err != nil {
		return err
	}
	return loop(r, w, dns, judge)
}

// pollable is in as a file on which the runtime waits without a thread, if it
// can be one. With one thread of Go code a blocked one would keep the others.
func pollable(in io.Reader) io.Reader {
	f, ok := in.(*os.File)
	if !ok || syscall.SetNonblock(int(f.Fd()), true) != nil {
		return in
	}
	return os.NewFile(f.Fd(), f.Name())
}

const gcPercent = 200 // of a live heap of a few MiB: a hundred messages need two collections

// tune sets up a process that lives for short jobs, of which there are as many
// side by side as there are processors: waking a second thread costs more than
// it gains. The heap is given back before it comes near the limit.
func tune(memory int64) {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)     // of a live heap of a few MiB
	debug.SetMaxStack(64 << 20) // octets; a parser that recurses deeper is lost anyway
	if memory > 0 {
		debug.SetMemoryLimit(memory / 4 * 3)
	}
}

// large is the size in octets of a message for which memory is collected early, and
// given back when it has been judged: its parts live as long as it does.
const large = 1 << 20

func afterLarge() {
	debug.SetGCPercent(gcPercent)
	debug.FreeOSMemory()
}

func loop(r *bufio.Reader, w *frameWriter, dns *remote, judge Func) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := make(chan error, 1)
	tenants := make(map[int]*scan.About)
	for {
		k, body, err := readFrame(r, 1<<32-1)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		switch k {
		case kindAnswer:
			if err := dns.answered(body); err != nil {
				return err
			}
		case kindTenant:
			var t tenantFrame
			if err := json.Unmarshal(body, &t); err != nil {
				return fmt.Errorf("read tenant: %w", err)
			}
			tenants[t.N] = t.About
		case kindJob:
			var j jobFrame
			if err := json.Unmarshal(body, &j); err != nil {
				return fmt.Errorf("read job: %w", err)
			}
			k, octets, err := readFrame(r, 1<<32-1)
			if err != nil || k != kindOctets {
				return fmt.Errorf("read octets: %w", orFrame(err))
			}
			dns.next()
			go func() {
				if len(octets) > large {
					debug.SetGCPercent(40)
					defer afterLarge()
				}
				job := Job{ID: j.ID, Envelope: j.Envelope, Via: j.Via, Tenant: tenants[j.Tenant], Size: int64(len(octets))}
				result := judge(ctx, &job, octets)
				bound(result)
				if err := w.send(kindResult, result); err != nil {
					failed <- err
				}
			}()
		default:
			return fmt.Errorf("%w: kind %q", errFrame, byte(k))
		}
		select {
		case err := <-failed:
			return err
		default:
		}
	}
}

func orFrame(err error) error {
	if err == nil {
		return errFrame
	}
	return err
}
