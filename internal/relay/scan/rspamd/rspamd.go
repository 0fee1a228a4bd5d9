// Package rspamd asks an rspamd what it thinks of a message. It runs in the
// parent process: the sandbox of the scanners has no sockets.
package rspamd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
)

const maxReply = 1 << 20 // octets of an answer

// Engine is one rspamd. It may be used by many goroutines.
type Engine struct {
	URL      string       // of the normal or proxy worker: "http://127.0.0.1:11333"
	Password string       // of it, "" if it wants none
	Client   *http.Client // nil: one that connects to nothing but URL and follows no redirect
}

// client keeps connections open and follows no redirect: the answer comes from
// the host that was configured or not at all.
var client = &http.Client{
	Transport: &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: time.Minute},
	CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("rspamd answered with a redirect")
	},
}

// Name is part of scan.Engine.
func (e *Engine) Name() string { return "rspamd" }

// reply is what /checkv2 answers (rspamd manual, "Protocol").
type reply struct {
	Skipped  bool    `json:"is_skipped"`
	Action   string  `json:"action"`
	Score    float64 `json:"score"`
	Required float64 `json:"required_score"`
	Symbols  map[string]struct {
		Score       float64 `json:"score"`
		Description string  `json:"description"`
	} `json:"symbols"`
	Error string `json:"error"`
}

// Check is part of scan.Engine. origin is given as the sender's client, so that
// rspamd's lists are asked about the sender and not about Exchange.
func (e *Engine) Check(ctx context.Context, env *mail.Envelope, origin mail.Origin, size int64, open func() (io.ReadCloser, error)) ([]mail.Finding, error) {
	octets, err := open()
	if err != nil {
		return nil, err
	}
	defer octets.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(e.URL, "/")+"/checkv2", octets)
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	e.describe(req.Header, env, origin)
	c := e.Client
	if c == nil {
		c = client
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("rspamd answered %s", res.Status)
	}
	var r reply
	if err := json.NewDecoder(io.LimitReader(res.Body, maxReply)).Decode(&r); err != nil {
		return nil, fmt.Errorf("read rspamd's answer: %w", err)
	}
	return read(r)
}

// describe tells what is known of the session. Values are checked: they come
// from the sender.
func (e *Engine) describe(h http.Header, env *mail.Envelope, origin mail.Origin) {
	set := func(name, value string) {
		if value != "" && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			h.Add(name, value)
		}
	}
	if origin.IP.IsValid() {
		set("IP", origin.IP.Unmap().WithZone("").String())
	}
	set("Helo", origin.HELO)
	set("From", cmp.Or(origin.MailFrom, env.From))
	for i, r := range env.To {
		if i < 100 {
			set("Rcpt", r.Addr)
		}
	}
	set("Password", e.Password)
	h.Set("User-Agent", "postern")
}

// read weighs the answer. rspamd's own thresholds are its administrator's
// decision, so the action counts and the score only shades it.
func read(r reply) ([]mail.Finding, error) {
	if r.Error != "" {
		return nil, fmt.Errorf("rspamd: %.200s", r.Error)
	}
	if r.Skipped && r.Action == "no action" { // it also skips its rules for its own test string
		return nil, errors.New("rspamd skipped the message")
	}
	top, class := r.top()
	f := mail.Finding{Rule: "rspamd." + strings.ReplaceAll(r.Action, " ", "-"), Class: class}
	f.Detail = fmt.Sprintf("rspamd gives it %.1f of %.1f points (%s).", r.Score, r.Required, r.Action)
	if top != "" {
		f.Detail = fmt.Sprintf("rspamd gives it %.1f of %.1f points (%s), mostly for %s.", r.Score, r.Required, r.Action, top)
	}
	switch r.Action {
	case "reject":
		f.Score = 80
	case "add header", "rewrite subject", "quarantine":
		f.Score = 50
	case "greylist", "soft reject":
		f.Score = 15
	case "no action":
		f.Class, f.Score = "", int(math.Round(min(max(r.Score, -5), 10)))
		if f.Score == 0 {
			return nil, nil
		}
	case "discard":
		f.Score = 90
	default:
		return nil, fmt.Errorf("rspamd wants %.50q", r.Action)
	}
	return []mail.Finding{f}, nil
}

// top names the three weightiest symbols and the class that they speak for.
func (r reply) top() (text string, class mail.Verdict) {
	type symbol struct {
		name  string
		score float64
	}
	var all []symbol
	class = mail.Spam
	for name, s := range r.Symbols {
		if s.Score <= 0 {
			continue
		}
		all = append(all, symbol{name, s.Score})
		switch {
		case strings.Contains(name, "VIRUS"), strings.Contains(name, "MALWARE"), strings.HasPrefix(name, "CLAM"):
			class = mail.Malware
		case class != mail.Malware && s.Score >= 3 && (strings.Contains(name, "PHISH") || strings.Contains(name, "SPOOF")):
			class = mail.Phish
		}
	}
	slices.SortFunc(all, func(a, b symbol) int { return cmp.Or(cmp.Compare(b.score, a.score), strings.Compare(a.name, b.name)) })
	var names []string
	for _, s := range all[:min(len(all), 3)] {
		names = append(names, fmt.Sprintf("%s %.1f", s.name, s.score))
	}
	return strings.Join(names, ", "), class
}
