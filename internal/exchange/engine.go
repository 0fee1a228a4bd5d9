package exchange

import (
	"context"
	"errors"
	"time"

	"postern/internal/exchange/adminapi"
	"postern/internal/mail"
)

// An Engine works on one tenant. Commander and Journal must be set.
type Engine struct {
	Commander Commander
	Journal   Journal
	Probes    Probes
	// Progress is told of every step as it begins and ends; default nobody.
	Progress func(Event)
	// RoundTrip is the test before mail is redirected: it should send a message
	// through the relay to the tenant and see it arrive. Its error stops Apply with
	// the rule still switched off. Default: no test.
	RoundTrip func(ctx context.Context) error
	// Drain waits until the relay holds no mail of the tenant that has yet to return.
	// Rollback calls it when no new mail comes in any more. Default: no waiting.
	Drain func(ctx context.Context) error

	// Lock is asked before anything is changed: no two may change one tenant at a
	// time, in whatever process. It refuses with a *Problem; free gives the lock back.
	// Default: no lock.
	Lock func(ctx context.Context, what string) (free func(), err error)

	Now      func() time.Time
	Sleep    func(ctx context.Context, d time.Duration) error
	Patience time.Duration // that a change may take until a reading shows it; default 2 minutes
}

// An Event is a step of progress.
type Event struct {
	At     time.Time     `json:"at"`
	Action string        `json:"action"` // id, "" for the run as a whole
	State  string        `json:"state"`  // "start", "done", "failed", "wait", "note"
	Text   mail.Sentence `json:"text"`   // for a person
	Step   int           `json:"step"`   // 1 ...
	Total  int           `json:"total"`
}

const defaultPatience = 2 * time.Minute

// Cmdlets are those that the set-up of the relay needs; the allow-list of an
// adminapi.Client that is used for nothing else.
func Cmdlets() []string {
	return []string{
		"Get-OrganizationConfig", "Enable-OrganizationCustomization", "Get-AcceptedDomain",
		"Get-RemoteDomain", "Set-RemoteDomain", "Get-HostedConnectionFilterPolicy", "Set-HostedConnectionFilterPolicy",
		"Get-TenantAllowBlockListSpoofItems", "New-TenantAllowBlockListSpoofItems", "Set-TenantAllowBlockListSpoofItems", "Remove-TenantAllowBlockListSpoofItems",
		"Get-ArcConfig", "Set-ArcConfig",
		"Get-InboundConnector", "New-InboundConnector", "Set-InboundConnector", "Remove-InboundConnector",
		"Get-OutboundConnector", "New-OutboundConnector", "Set-OutboundConnector", "Remove-OutboundConnector", "Validate-OutboundConnector",
		"Get-TransportRule", "New-TransportRule", "Set-TransportRule", "Enable-TransportRule", "Disable-TransportRule", "Remove-TransportRule",
		"Get-MessageTraceV2", "Get-ATPProtectionPolicyRule",
	}
}

// begin checks what a caller wants, and reads what was done before.
func (e *Engine) begin(ctx context.Context, spec Spec) (Spec, *State, error) {
	s, err := spec.clean()
	if err != nil {
		return s, nil, err
	}
	state, err := loadState(ctx, e.Journal)
	return s, state, err
}

// Plan compares what spec wants with what was saved and what is there. It changes
// nothing. The error is a *Problem, or that of the journal or of ctx.
func (e *Engine) Plan(ctx context.Context, spec Spec) (*Plan, error) {
	s, state, err := e.begin(ctx, spec)
	if err != nil {
		return nil, err
	}
	return e.plan(ctx, s, state)
}

// PlanOnly is Plan for some objects.
func (e *Engine) PlanOnly(ctx context.Context, spec Spec, names []string) (*Plan, error) {
	p, err := e.Plan(ctx, spec)
	if p != nil {
		p.only(names)
	}
	return p, err
}

func (e *Engine) plan(ctx context.Context, s Spec, state *State) (*Plan, error) {
	cur, err := e.read(ctx, s, state)
	if err != nil {
		return nil, err
	}
	p := difference(s, state, cur)
	p.Checks = append(preflight(ctx, s, cur, state, e.Probes), e.licence(ctx)...)
	if p.Actions == nil {
		p.Actions = []Action{}
	}
	return p, p.needsKey()
}

// licence tells what the organization's licence leaves out; nothing of the relay
// needs more than Exchange Online itself.
func (e *Engine) licence(ctx context.Context) []Check {
	licensed, err := e.licensed(ctx)
	if err != nil || licensed {
		return nil // not known, or nothing to tell
	}
	return []Check{{ID: "licence", Severity: Info, Text: mail.Say("The organization does not have Defender for Office 365 Plan 1, or the account may not see it: Safe Links, Safe Attachments and impersonation protection are not offered for switching off.")}}
}

// needsKey refuses a plan that would have to write a key that is not known.
func (p *Plan) needsKey() error {
	for _, a := range p.Actions {
		if _, hash := a.Parameters["SetHeaderValue"].(keyHashes); hash {
			return &Problem{Code: "key-unknown", Cause: mail.Say("The rule needs the relay key, which is stored only as a hash."), Mend: mail.Say("Rotate the relay key: the new one is written into the rule, and the old one stays valid meanwhile.")}
		}
	}
	return nil
}

func (e *Engine) read(ctx context.Context, s Spec, state *State) (*Current, error) {
	names := []string{s.sendConnector()}
	arc := s.Options.ArcSealer != ""
	for _, saved := range state.Objects {
		switch saved.Kind {
		case OutboundConnector:
			names = append(names, saved.Name)
		case ArcConfig:
			arc = true
		}
	}
	return Read(ctx, e.Commander, arc, names...)
}

// Verify reads the tenant and names every drift. It changes nothing.
func (e *Engine) Verify(ctx context.Context, spec Spec) (*Report, error) {
	s, state, err := e.begin(ctx, spec)
	if err != nil {
		return nil, err
	}
	cur, err := e.read(ctx, s, state)
	if err != nil {
		return nil, err
	}
	r := verify(s, state, cur)
	r.Checks = preflight(ctx, s, cur, state, e.Probes)
	return r, nil
}

// Status is what the journal knows: when the last run was, whether it was cut off,
// and how many objects can be rolled back. It calls nothing.
func (e *Engine) Status(ctx context.Context) (*State, error) { return loadState(ctx, e.Journal) }

// Interrupted reports that the last run neither ended nor failed: resume it by
// running it again.
func (s *State) Interrupted() bool { return s.Run != nil && s.Run.Ended.IsZero() }

func (e *Engine) lock(ctx context.Context, what string) (free func(), err error) {
	if e.Lock == nil {
		return func() {}, nil
	}
	return e.Lock(ctx, what)
}

func (e *Engine) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now().UTC()
}

func (e *Engine) sleep(ctx context.Context, d time.Duration) error {
	if e.Sleep != nil {
		return e.Sleep(ctx, d)
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

func (e *Engine) patience() time.Duration {
	if e.Patience > 0 {
		return e.Patience
	}
	return defaultPatience
}

func (e *Engine) tell(ev Event) {
	if e.Progress != nil {
		ev.At = e.now()
		e.Progress(ev)
	}
}

// refused is the Exchange error in err, nil if it is none.
func refused(err error) *adminapi.Error {
	var x *adminapi.Error
	if errors.As(err, &x) {
		return x
	}
	return nil
}
