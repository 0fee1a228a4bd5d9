package adminapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxAnswer     = 64 << 20         // octets of one page; more is an error, our objects are a few kilobytes
	maxPages      = 1000             // of one reading
	maxRedirects  = 5                // front door to regional host is one
	callTimeout   = 16 * time.Minute // a cmdlet may run 15 minutes (limits.json)
	defaultTries  = 5
	longestPause  = 2 * time.Minute
	lowRemaining  = 20 // calls left in the rate window at which we slow down
	systemMailbox = "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@"
)

// A Client runs cmdlets in one tenant. It is safe for concurrent use. The fields
// up to Token must be set; they must not change after the first call.
type Client struct {
	Cloud   Cloud
	Tenant  string   // GUID or verified domain
	Allowed []string // cmdlets that may be called; every other is refused here
	// Token returns an access token for Exchange Online; fresh means that the last
	// one was refused and must not be returned again.
	Token func(ctx context.Context, fresh bool) (string, error)

	User  string            // user principal name of a delegated sign-in; "" for app-only
	HTTP  http.RoundTripper // default http.DefaultTransport
	Audit func(Call)        // told of every call after it ended; default nobody
	Warn  func(cmdlet, text string)
	Tries int // of one call; default 5
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error

	once       sync.Once
	http       *http.Client
	connection string
	mu         sync.Mutex
	rate       Rate
}

// Rate is what Exchange last said of its call limit; Limit 0 if it said nothing.
type Rate struct {
	Limit, Remaining int
	Reset            time.Time
}

// ErrNotAllowed means that the cmdlet is not in Client.Allowed. Nothing was sent.
var ErrNotAllowed = errors.New("cmdlet is not on the allow-list")

// Invoke runs one cmdlet and returns the objects it gave, of all pages, without
// the "@" keys that only name types. The error is ErrNotAllowed, an *Error, or
// one of the token source or of ctx.
func (c *Client) Invoke(ctx context.Context, cmdlet string, params map[string]any) ([]map[string]any, error) {
	if !slices.Contains(c.Allowed, cmdlet) {
		return nil, fmt.Errorf("%s: %w", cmdlet, ErrNotAllowed)
	}
	c.once.Do(c.init)
	if params == nil {
		params = map[string]any{} // null is refused
	}
	body, err := json.Marshal(map[string]any{"CmdletInput": map[string]any{"CmdletName": cmdlet, "Parameters": params}})
	if err != nil {
		return nil, fmt.Errorf("%s: parameters: %w", cmdlet, err)
	}
	start := c.now()
	call := Call{At: start, Cmdlet: cmdlet, Parameters: Mask(params), Change: changeOf(ctx)}
	objects, err := c.pages(ctx, cmdlet, body, &call)
	call.Took = c.now().Sub(start)
	call.Err = err
	if c.Audit != nil {
		c.Audit(call)
	}
	return objects, err
}

// Rate is the last word of Exchange on its call limit.
func (c *Client) Rate() Rate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rate
}

func (c *Client) init() {
	jar, _ := cookiejar.New(nil) // error is always nil
	c.http = &http.Client{
		Transport:     c.HTTP,
		Jar:           jar, // server affinity: a page link is only good where it was made
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.connection = newGUID()
}

func (c *Client) pages(ctx context.Context, cmdlet string, body []byte, call *Call) ([]map[string]any, error) {
	target := c.Cloud.Exchange + "/adminapi/beta/" + url.PathEscape(c.Tenant) + "/InvokeCommand"
	var all []map[string]any
	for range maxPages {
		page, err := c.retried(ctx, cmdlet, target, body, call)
		if err != nil {
			return nil, err
		}
		for _, w := range page.Warnings {
			call.Warnings = append(call.Warnings, w)
			if c.Warn != nil {
				c.Warn(cmdlet, w)
			}
		}
		all = append(all, page.objects()...)
		if page.Next == "" {
			return all, nil
		}
		if u, err := url.Parse(page.Next); err != nil || !c.Cloud.Owns(u) {
			return nil, &Error{Cmdlet: cmdlet, Text: "the link to the next page leads out of this cloud; not followed"}
		}
		target = page.Next
	}
	return nil, &Error{Cmdlet: cmdlet, Text: "the answer has no end"}
}

// retried sends one request until it has an answer that trying again cannot
// better. Requests that may have changed something are sent again only after 429.
func (c *Client) retried(ctx context.Context, cmdlet, target string, body []byte, call *Call) (*page, error) {
	tries := c.Tries
	if tries <= 0 {
		tries = defaultTries
	}
	fresh := false
	for try := 1; ; try++ {
		p, err := c.send(ctx, cmdlet, target, body, fresh, call)
		var e *Error
		if err == nil || !errors.As(err, &e) || ctx.Err() != nil {
			return p, err
		}
		unauthorized := e.Status == http.StatusUnauthorized && !fresh
		again := unauthorized || e.Throttled() || e.Temporary() && reads(cmdlet)
		if !again || try >= tries {
			return nil, err
		}
		fresh = unauthorized
		if unauthorized {
			continue
		}
		if err := c.sleep(ctx, pause(e, try)); err != nil {
			return nil, err
		}
	}
}

func reads(cmdlet string) bool { return strings.HasPrefix(cmdlet, "Get-") }

// pause is what the server asked for, or 1, 2, 4 ... seconds, with a little of
// chance so that several callers do not come back together.
func pause(e *Error, try int) time.Duration {
	d := e.RetryAfter
	if d == 0 {
		d = time.Second << min(try-1, 6)
	}
	var b [2]byte
	_, _ = rand.Read(b[:]) // never fails
	d += d * time.Duration(int(b[0])<<8|int(b[1])) / (1 << 18)
	return min(d, longestPause)
}

// send does one HTTP exchange, following the front door's redirects.
func (c *Client) send(ctx context.Context, cmdlet, target string, body []byte, fresh bool, call *Call) (*page, error) {
	token, err := c.Token(ctx, fresh)
	if err != nil {
		return nil, err
	}
	if err := c.slowDown(ctx); err != nil {
		return nil, err
	}
	for range maxRedirects {
		call.Requests++
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
		if err != nil {
			return nil, &Error{Cmdlet: cmdlet, Err: err}
		}
		c.header(req.Header, cmdlet, token)
		resp, err := c.http.Do(req)
		if err != nil {
			return nil, &Error{Cmdlet: cmdlet, Err: err}
		}
		answer, err := readAll(resp)
		c.noteRate(resp.Header)
		call.Status, call.RequestID = resp.StatusCode, resp.Header.Get("request-id")
		if err != nil {
			return nil, &Error{Cmdlet: cmdlet, Status: 0, RequestID: call.RequestID, Err: err}
		}
		if !redirected(resp.StatusCode) {
			return c.answer(cmdlet, resp, answer)
		}
		next, err := resp.Location()
		if err != nil || !c.Cloud.Owns(next) {
			return nil, &Error{Cmdlet: cmdlet, Status: resp.StatusCode, Text: "redirected out of this cloud; not followed"}
		}
		target = next.String()
	}
	return nil, &Error{Cmdlet: cmdlet, Text: "redirected too often"}
}

func redirected(status int) bool {
	return status == http.StatusFound || status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect
}

func (c *Client) answer(cmdlet string, resp *http.Response, body []byte) (*page, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, readError(cmdlet, resp, body, c.now())
	}
	p := &page{}
	if len(bytes.TrimSpace(body)) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(body, p); err != nil {
		return nil, &Error{Cmdlet: cmdlet, Status: 0, RequestID: resp.Header.Get("request-id"), Err: fmt.Errorf("unreadable answer: %w", err)}
	}
	return p, nil
}

func readAll(resp *http.Response) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(b) > maxAnswer {
		err = errors.New("answer is too large")
	}
	return b, err
}

// header sets what Microsoft's own module sends (wire.json); only the first three
// are needed, the rest helps the front door to route.
func (c *Client) header(h http.Header, cmdlet, token string) {
	h.Set("Authorization", "Bearer "+token)
	h.Set("Content-Type", "application/json")
	h.Set("Accept", "application/json")
	h.Set("X-CmdletName", cmdlet)
	h.Set("X-ResponseFormat", "json")
	h.Set("X-SerializationLevel", "Partial")
	h.Set("X-ClientApplication", "Postern")
	h.Set("X-AnchorMailbox", c.anchor())
	h.Set("Prefer", "odata.maxpagesize=1000")
	h.Set("parameter-based-routing", "true")
	h.Set("connection-id", c.connection)
	h.Set("client-request-id", newGUID())
}

func (c *Client) anchor() string {
	if c.User != "" {
		return "UPN:" + c.User
	}
	return systemMailbox + c.Tenant
}

func (c *Client) noteRate(h http.Header) {
	limit, err := strconv.Atoi(h.Get("Rate-Limit-Limit"))
	if err != nil {
		return
	}
	remaining, err := strconv.Atoi(h.Get("Rate-Limit-Remaining"))
	if err != nil {
		return
	}
	reset, _ := time.Parse(time.RFC3339, h.Get("Rate-Limit-Reset")) // zero when absent: no waiting
	c.mu.Lock()
	c.rate = Rate{limit, remaining, reset}
	c.mu.Unlock()
}

// slowDown waits for the next rate window when this one is nearly used up, so
// that a person's own PowerShell in the same tenant is not locked out by us.
func (c *Client) slowDown(ctx context.Context) error {
	r := c.Rate()
	if r.Limit == 0 || r.Remaining > min(lowRemaining, r.Limit/10) {
		return nil
	}
	wait := r.Reset.Sub(c.now())
	if wait <= 0 {
		return nil
	}
	return c.sleep(ctx, min(wait, longestPause))
}

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Client) sleep(ctx context.Context, d time.Duration) error {
	if c.Sleep != nil {
		return c.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
