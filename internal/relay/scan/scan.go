package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"postern/internal/mail"
)

// About is what scanners are told of a message besides its content. It is a
// value; what comes from the tenant crosses into the sandbox once per worker.
type About struct {
	Envelope  mail.Envelope `json:"-"`
	Auth      mail.Auth     `json:"-"`
	Domains   []string      `json:"domains,omitempty"`   // the tenant's own, as mail.FoldDomain gives them
	Protected []string      `json:"protected,omitempty"` // domains of others that look-alikes are compared with
	People    []string      `json:"people,omitempty"`    // display names to protect from impersonation
	Private   []mail.Person `json:"private,omitempty"`   // those of them who also write from addresses outside
	Mailboxes []string      `json:"mailboxes,omitempty"` // display names of the tenant's mailboxes, where known
	Hashes    []string      `json:"hashes,omitempty"`    // SHA-256 of parts that are known to be bad, lower case hex

	folded func() string // set by Runner: what Folded gives, made once for all scanners
}

// Protect adds somebody to protect from impersonation.
func (a *About) Protect(p mail.Person) {
	a.People = append(a.People, p.Name)
	if len(p.Addresses) > 0 {
		a.Private = append(a.Private, p)
	}
}

// maxFolded is how many octets of a message's text are folded. What fraud has to
// say stands at the beginning.
const maxFolded = 128 << 10

// Folded is subject and text of msg as Fold gives them, " . " between them. Of a
// very long text it is the beginning.
func (a About) Folded(msg *mail.Message) string {
	if a.folded != nil {
		return a.folded()
	}
	return fold(msg)
}

func fold(msg *mail.Message) string {
	return Fold(msg.Subject + " . " + msg.Text[:min(len(msg.Text), maxFolded)])
}

// A Scanner is one check, in a package of its own below this one.
//
// Scan is called from many goroutines, must return soon after ctx is done and
// must not change msg or keep it. Its error means "could not look"; a bad
// message is a Finding, never an error.
type Scanner interface {
	Name() string
	Scan(ctx context.Context, msg *mail.Message, about About) ([]mail.Finding, error)
}

// An Engine is a check made by a program outside ours.
//
// Check reads the message's octets from open as often as it needs to. origin is
// the true sender's client, its IP invalid if unknown. Errors mean "could not
// look".
type Engine interface {
	Name() string
	Check(ctx context.Context, env *mail.Envelope, origin mail.Origin, size int64, open func() (io.ReadCloser, error)) ([]mail.Finding, error)
}

const (
	// DefaultBudget is how long all scanners of one message may take together.
	DefaultBudget = 60 * time.Second

	// blind is what a check that could not look counts: enough to hold the
	// message by default (product.md M14).
	blind = 50

	// grace is how long a scanner may take to notice that the budget is spent.
	grace = 500 * time.Millisecond
)

// ErrBudget is the cause of a scan that did not finish in time.
var ErrBudget = errors.New("the time for looking was used up")

// Runner runs scanners side by side.
type Runner struct {
	Scanners []Scanner
	Budget   time.Duration // for all together; 0 means DefaultBudget
	Log      *slog.Logger  // nil: silent
}

// Run returns the findings of every scanner in the order of Scanners, so that
// the same message always gives the same list. A scanner that returned an error,
// panicked or is not back when the budget is spent leaves a finding that it
// could not look; its goroutine is then left behind and must end by its ctx.
func (r *Runner) Run(ctx context.Context, msg *mail.Message, about About) []mail.Finding {
	budget := r.Budget
	if budget <= 0 {
		budget = DefaultBudget
	}
	ctx, cancel := context.WithTimeoutCause(ctx, budget, ErrBudget)
	defer cancel()

	about.folded = sync.OnceValue(func() string { return fold(msg) })
	results := make([]chan result, len(r.Scanners))
	for i, s := range r.Scanners {
		results[i] = make(chan result, 1)
		go func() { results[i] <- one(ctx, s, msg, about) }()
	}
	timer := time.NewTimer(budget + grace)
	defer timer.Stop()

	var found []mail.Finding
	for i, s := range r.Scanners {
		res := await(results[i], timer)
		found = append(found, res.found...)
		if res.err != nil {
			if r.Log != nil {
				r.Log.Warn("scanner could not look", "scanner", s.Name(), "err", res.err)
			}
			found = append(found, Blind(s.Name(), res.err))
		}
	}
	return found
}

// await is the scanner's result, or ErrBudget once timer has fired. A result
// that is there counts even then.
func await(r chan result, timer *time.Timer) result {
	select {
	case res := <-r:
		return res
	default:
	}
	select {
	case res := <-r:
		return res
	case <-timer.C:
		timer.Reset(0) // the others had the same time
		return result{err: ErrBudget}
	}
}

type result struct {
	found []mail.Finding
	err   error
}

func one(ctx context.Context, s Scanner, msg *mail.Message, about About) (res result) {
	defer func() {
		if p := recover(); p != nil {
			res.err = fmt.Errorf("panic: %v at %s", p, topFrame(debug.Stack()))
		}
	}()
	found, err := s.Scan(ctx, msg, about)
	return result{found, err}
}

// Blind is the finding that a check could not look at a message.
func Blind(name string, err error) mail.Finding {
	why := "an error"
	if errors.Is(err, ErrBudget) || errors.Is(err, context.DeadlineExceeded) {
		why = "its time was used up"
	}
	return mail.Finding{
		Rule:   "engine." + name + ".error",
		Class:  mail.Unjudged,
		Score:  blind,
		Detail: fmt.Sprintf("The check %q could not look at this message (%s), so nothing is known of what it would have found.", name, why),
	}
}
