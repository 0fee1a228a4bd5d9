package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"postern/internal/portal"
	"postern/internal/relay/judge"
	"postern/internal/relay/parse"
	"postern/internal/relay/parse/preview"
	"postern/internal/replay"
)

// portalPage is the portal, with health checks for load balancers beside it.
func (s *server) portalPage() (http.Handler, error) {
	shelf := &replay.Shelf{Store: s.o.store, Log: s.log}
	doors := newExchange(s.o, nil) // its runs are shared: one change of an Exchange at a time
	if s.hooks != nil {
		doors.Notify = s.hooks.Emit
	}
	doors.NewPlace = s.tellSignIn
	p := &portal.Portal{
		Store:      s.o.store,
		Exchange:   doors,
		Shelf:      shelf,
		Again:      &replay.Agains{Store: s.o.store, Log: s.log},
		Held:       s.relay,
		TryMTA:     s.relay.Sender.Test,
		Read:       readHeld,
		Ready:      s.notReady,
		Health:     s.parts,
		SendReport: s.sendReportNow,
		Look: func(ctx context.Context, tenant, what string) error {
			_, err := s.o.observe(ctx, doors, tenant, what)
			return err
		},
		Probe:    portal.Probing{From: s.o.conf.Exchange.Probe.Source, To: s.o.conf.Exchange.Probe.to},
		Hostname: s.o.conf.Hostname,
		URL:      s.o.conf.Portal.URL,
		Prefix:   s.o.conf.Relay.HeaderPrefix,
		Version:  version,
		TellNow:  s.tryNotice,
		Keep:     s.o.conf.Quarantine.Retention,
		Log:      s.log,
	}
	var err error
	if s.own, err = s.recipients(p); err != nil {
		return nil, err
	}
	if err := s.goOn(p.Again); err != nil {
		return nil, err
	}
	pages, err := p.Handler()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	s.health(mux)
	mux.Handle("/", pages)
	programs, err := s.api(p)
	if err != nil {
		return nil, err
	}
	mux.Handle("/api/", programs)
	return mux, nil
}

// notReady is why no mail is taken now, nil if it is.
func (s *server) notReady() error {
	if !s.ready.Load() {
		return errNotReady
	}
	return s.relay.Guard.Room()
}

// welcome prints the token for the first owner as long as nobody can sign in.
func (s *server) welcome(ctx context.Context, w io.Writer) {
	if s.portalAddr() == "" {
		return
	}
	token, err := s.o.admin().Bootstrap(ctx)
	if err != nil {
		s.log.Error("token for the first owner", "err", err)
	}
	if token != "" {
		fmt.Fprintf(w, "Nobody can sign in to the portal yet. Open http://%s/setup within 15 minutes and enter this one-time token: %s\n", s.portalAddr(), token)
	}
}

// portalAddr is where the portal listens, "" if nowhere.
func (s *server) portalAddr() string {
	if s.o.conf.Portal.Listen == "" || len(s.web) == 0 {
		return ""
	}
	return s.web[0].Addr().String()
}

// Limits of one reading of a held message.
const (
	readTime   = 10 * time.Second
	readMemory = 512 << 20 // octets
	readText   = 64 << 10  // octets of text that a page shows
	readLinks  = 200
	readAnswer = 4 << 20
)

// readHeld lets a child process without network, files and keys find out what a
// held message says. Hostile content meets its parser there, not here.
func readHeld(ctx context.Context, octets []byte) (*portal.Reading, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to read a message: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "read-worker")
	cmd.Stdin, cmd.Env = bytes.NewReader(octets), []string{}
	var out limitedBuffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("the message could not be read safely: %w", err)
	}
	var r portal.Reading
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return nil, fmt.Errorf("what was read of the message: %w", err)
	}
	return &r, nil
}

// limitedBuffer takes no more than a reading may be.
type limitedBuffer struct{ bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > readAnswer {
		return 0, errors.New("too much was read")
	}
	return b.Buffer.Write(p)
}

// readCmd is the child of readHeld. People do not call it.
type readCmd struct{}

func (readCmd) Run(c *console) error {
	judge.Confine(readMemory) // what the kernel lacks is told by the judge's workers already
	octets, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	m := parse.Parse(octets, parse.Limits{Deadline: time.Now().Add(readTime / 2)})
	r := portal.Reading{Text: m.Text, Links: m.Links, Preview: preview.Of(m)}
	if len(r.Text) > readText {
		r.Text, r.Cut = r.Text[:readText], true
	}
	if len(r.Links) > readLinks {
		r.Links, r.Cut = r.Links[:readLinks], true
	}
	for i := range r.Links {
		r.Links[i].URL, r.Links[i].Text = clip(r.Links[i].URL, 1000), clip(r.Links[i].Text, 200)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false) // it would be six times as long
	return out.Encode(r)
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// metricsPage serves figures for Prometheus, and health for load balancers.
func (s *server) metricsPage() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.figures, promhttp.HandlerOpts{}))
	s.health(mux)
	return mux
}

// health: /health says that the process works and its storage keeps what is
// written; /ready says that it takes mail.
func (s *server) health(mux *http.ServeMux) {
	answer := func(w http.ResponseWriter, err error) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(oneLine(err) + "\n"))
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	}
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) { answer(w, s.o.store.Failed()) })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) { answer(w, s.notReady()) })
}
