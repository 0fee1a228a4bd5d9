package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// ready asks the running relay whether it takes mail.
func (c *console) ready(conf *Config) error {
	err := fmt.Errorf("neither metrics.listen nor portal.listen is configured: one of them answers whether Postern is ready")
	for _, addr := range []string{conf.Metrics.Listen, conf.Portal.Listen} {
		if addr != "" {
			err = askReady(c.ctx, addr)
			break
		}
	}
	if err != nil {
		return err
	}
	return c.print(map[string]any{"ready": true}, func(w io.Writer) { fmt.Fprintln(w, "Postern takes mail.") })
}

// askReady asks the web listener at addr.
func askReady(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+here(addr)+"/ready", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("nothing answers at %s: Postern is not running: %w", addr, err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(text)))
	}
	return nil
}

// here is how a program on this machine reaches an address that is listened on.
func here(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
