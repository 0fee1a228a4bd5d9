package twin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"postern/internal/twin/ps"
)

// A Script is a PowerShell script and the session it runs in.
type Script struct {
	Source    string
	Params    map[string]any    // of its param block
	Files     map[string][]byte // its folder; the script reads and writes it
	Connected bool              // a session to Exchange Online is open already
	Rest      func(ctx context.Context, method, url string, headers map[string]string, body string) (string, error)
}

// ErrKilled ends a script at a planned FaultKill.
var ErrKilled = errors.New("the session was killed by plan")

// RunScript runs a script whose cmdlets act on this tenant as caller. Faults planned
// with Plan apply to its calls as to the admin API's. The error is the one the
// script ended with.
func (t *Tenant) RunScript(ctx context.Context, caller Caller, s *Script) (ps.Result, error) {
	parsed, err := ps.Parse(s.Source)
	if err != nil {
		return ps.Result{Exit: 1}, fmt.Errorf("script: %w", err)
	}
	if s.Files == nil {
		s.Files = map[string][]byte{}
	}
	ctx, kill := context.WithCancelCause(ctx)
	defer kill(nil)
	session := &session{t: t, caller: caller, connected: s.Connected, kill: kill}
	res, err := parsed.Run(ctx, &ps.Host{Command: session.command, Files: s.Files, Now: t.twin.now, Rest: s.Rest}, s.Params)
	if errors.Is(context.Cause(ctx), ErrKilled) {
		err = ErrKilled
	}
	return res, err
}

// A session is a script's connection.
type session struct {
	t         *Tenant
	caller    Caller
	connected bool
	kill      context.CancelCauseFunc
}

// command runs one cmdlet of a script.
func (s *session) command(ctx context.Context, name string, params map[string]any) (out []any, warnings []string, known bool, err error) {
	switch strings.ToLower(name) {
	case "connect-exchangeonline":
		return nil, nil, true, s.connect(params)
	case "get-connectioninformation":
		if s.connected {
			out = []any{map[string]any{"State": "Connected", "TenantID": s.t.ID, "Organization": s.t.Organization, "UserPrincipalName": s.caller.Name}}
		}
		return out, nil, true, nil
	case "get-command":
		if n, _ := params["Name"].(string); s.connected && s.t.twin.table.Name(n) != "" && s.caller.may(s.t.twin.table.Name(n)) && s.t.licensed(s.t.twin.table.Name(n)) {
			out = []any{map[string]any{"Name": s.t.twin.table.Name(n)}}
		}
		return out, nil, true, nil
	}
	if s.t.twin.table.Name(name) == "" {
		return nil, nil, false, nil
	}
	if !s.connected {
		return nil, nil, true, fmt.Errorf("The term '%s' is not recognized as the name of a cmdlet, function, script file, or operable program.", name)
	}
	f, due := s.t.fault(name)
	if due && !f.Done {
		return nil, nil, true, s.meet(ctx, f)
	}
	r, err := s.t.Run(ctx, s.caller, name, params)
	if due {
		return nil, nil, true, s.meet(ctx, f)
	}
	for _, o := range r.Value {
		out = append(out, scriptValue(o))
	}
	return out, r.Warnings, true, err
}

func (s *session) connect(params map[string]any) error {
	org, _ := params["Organization"].(string)
	if org == "" {
		org, _ = params["DelegatedOrganization"].(string)
	}
	if org != "" && !s.t.Directory.Named(org) {
		return fmt.Errorf("AADSTS90002: Tenant '%s' not found.", org)
	}
	s.connected = true
	return nil
}

// meet is what a script sees of a planned fault.
func (s *session) meet(ctx context.Context, f Fault) error {
	if f.Kind == FaultKill {
		s.kill(ErrKilled)
		return ctx.Err()
	}
	return fmt.Errorf("The request failed: %s %d.", f.Kind, f.Status)
}

// scriptValue makes of an object what a script's host gives.
func scriptValue(o Object) map[string]any {
	m := make(map[string]any, len(o))
	for k, v := range o {
		if subs, ok := v.([]Object); ok {
			list := make([]any, len(subs))
			for i, sub := range subs {
				list[i] = scriptValue(sub)
			}
			v = list
		}
		m[k] = v
	}
	return m
}
