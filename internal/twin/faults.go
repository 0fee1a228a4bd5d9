package twin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Fault is something that goes wrong with one call of the admin API.
type Fault struct {
	Call   int    // the n-th InvokeCommand of the tenant, from 1; 0 for any
	Cmdlet string // or of this cmdlet; "" for any, "New-" for a verb
	Times  int    // how often; 0 means once

	Kind       FaultKind
	Done       bool          // the command is carried out all the same
	Status     int           // of FaultStatus
	RetryAfter time.Duration // of FaultThrottle and FaultStatus
	Location   string        // of FaultRedirect: base address of the regional host
}

// A FaultKind says what the caller meets.
type FaultKind string

const (
	FaultKill     FaultKind = "kill"     // the connection breaks
	FaultTimeout  FaultKind = "timeout"  // no answer until CmdletTimeout, then 504
	FaultThrottle FaultKind = "throttle" // 429
	FaultStatus   FaultKind = "status"   // an HTTP status, such as 503; with Done, success answered as failure
	FaultRedirect FaultKind = "redirect" // 302 to a regional host
	FaultNUL      FaultKind = "nul"      // 403 with NUL octets
	FaultExpired  FaultKind = "expired"  // 401, the token has expired
)

// Plan replaces the faults to come. The call counter starts again.
func (t *Tenant) Plan(faults ...Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.plan, t.calls = slices.Clone(faults), 0
}

// Calls is how many commands came since Plan.
func (t *Tenant) Calls() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calls
}

// fault counts a call and takes the fault that is due, if any.
func (t *Tenant) fault(name string) (Fault, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	for i, f := range t.plan {
		if f.Call != 0 && f.Call != t.calls || f.Cmdlet != "" && !strings.HasPrefix(strings.ToLower(name), strings.ToLower(f.Cmdlet)) {
			continue
		}
		if t.plan[i].Times--; t.plan[i].Times <= 0 {
			t.plan = slices.Delete(t.plan, i, i+1)
		}
		return f, true
	}
	return Fault{}, false
}

// interfere brings a planned fault about. stop means that the caller has his
// answer; otherwise the command is carried out and after, if not nil, answers in
// place of its result.
func (tw *Twin) interfere(w http.ResponseWriter, r *http.Request, t *Tenant, name string) (after func(http.ResponseWriter) bool, stop bool) {
	f, due := t.fault(name)
	if !due {
		return nil, false
	}
	act := func(w http.ResponseWriter) bool {
		switch f.Kind {
		case FaultKill:
			panic(http.ErrAbortHandler) // net/http closes the connection without an answer
		case FaultTimeout:
			pause(r.Context(), tw.cmdletTimeout())
			w.WriteHeader(http.StatusGatewayTimeout)
		case FaultThrottle:
			retryAfter(w, f.RetryAfter)
			http.Error(w, "You have reached the maximum number of concurrent requests per tenant. Please wait and try again.", http.StatusTooManyRequests)
		case FaultStatus:
			if f.RetryAfter > 0 {
				retryAfter(w, f.RetryAfter)
			}
			http.Error(w, "The service is unavailable.", f.Status)
		case FaultRedirect:
			http.Redirect(w, r, f.Location+r.URL.RequestURI(), http.StatusFound)
		case FaultNUL:
			forbidden(w, "role required")
		case FaultExpired:
			unauthorized(w, "expired_token", "The access token has expired.")
		}
		return true
	}
	if f.Done {
		return act, false
	}
	return nil, act(w)
}

func retryAfter(w http.ResponseWriter, d time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int((d+time.Second-1)/time.Second)))
}

// cmdletTimeout is when the REST front end gives up (documented: 15 minutes).
func (tw *Twin) cmdletTimeout() time.Duration {
	if tw.opt.CmdletTimeout > 0 {
		return tw.opt.CmdletTimeout
	}
	return 15 * time.Minute
}
