package main

import (
	_ "embed"
	"html/template"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"postern/internal/mail"
	"postern/internal/store"
)

//go:embed status.html
var statusHTML string

var statusTemplate = template.Must(template.New("status").Parse(statusHTML))

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
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(oneLine(err) + "\n"))
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	}
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) { answer(w, s.o.store.Failed()) })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		err := s.relay.Guard.Room()
		if !s.ready.Load() {
			err = errNotReady
		}
		answer(w, err)
	})
}

// status is what the page shows.
type status struct {
	Version  string
	Hostname string
	Queue    map[mail.State]int
	Recent   []statusRow
	Alarms   []store.Alarm
}

type statusRow struct {
	traceView
	Why string
}

// statusPage is the portal's place until the portal is there: figures and the last
// messages' way, without their subjects and content.
func (s *server) statusPage() http.Handler {
	mux := http.NewServeMux()
	s.health(mux)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		page, err := s.status(r)
		if err != nil {
			s.log.Error("status page", "err", err)
			http.Error(w, "The store could not be read; the log says why.", http.StatusInternalServerError)
			return
		}
		if err := statusTemplate.Execute(w, page); err != nil {
			s.log.Error("status page", "err", err)
		}
	})
	mux.HandleFunc("GET /status.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(statusCSS)
	})
	return mux
}

//go:embed status.css
var statusCSS []byte

func (s *server) status(r *http.Request) (*status, error) {
	p := &status{Version: version, Hostname: s.o.conf.Hostname}
	var err error
	if p.Queue, err = s.o.store.QueueDepth(r.Context()); err != nil {
		return nil, err
	}
	if p.Alarms, err = s.o.store.Alarms(r.Context(), ""); err != nil {
		return nil, err
	}
	rows, err := s.o.store.Trace(r.Context(), store.TraceFilter{Since: time.Now().Add(-24 * time.Hour), Limit: 50})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		v := viewTrace(row)
		p.Recent = append(p.Recent, statusRow{v, firstOf(v.Reasons)})
	}
	return p, nil
}

// portalAddr is where the status page listens, "" if nowhere.
func (s *server) portalAddr() string {
	if s.o.conf.Portal.Listen == "" || len(s.web) == 0 {
		return ""
	}
	return s.web[0].Addr().String()
}
