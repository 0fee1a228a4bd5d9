package admin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"postern/internal/exchange"
	"postern/internal/exchange/signin"
	"postern/internal/mail"
	"postern/internal/store"
)

// SignIns are the sign-ins of persons at Microsoft, by tenant. They live in this
// process's memory only: a thief of disk or backup finds none, and a restart ends
// them (doc/decisions/0016).
type SignIns struct {
	mu  sync.Mutex
	all map[string]signedIn
}

type signedIn struct {
	at      time.Time
	session *signin.Session
}

// ErrSignInAgain means that a person has to sign in at Microsoft once more.
var ErrSignInAgain = mail.Refuse("the person has to sign in again")

// briefly is how long the command line, which has no process that lives on, keeps a
// person's access token, sealed and without what renews it.
const briefly = time.Hour

func (s *SignIns) put(tenant string, at time.Time, session *signin.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]signedIn{}
	}
	s.all[tenant] = signedIn{at, session}
}

// of is the sign-in that was made at a moment, nil if there is none here. s may be
// nil.
func (s *SignIns) of(tenant string, at time.Time) *signin.Session {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in, ok := s.all[tenant]; ok && in.at.Equal(at) {
		return in.session
	}
	return nil
}

func (s *SignIns) forget(tenant string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in, ok := s.all[tenant]; ok {
		in.session.End()
		delete(s.all, tenant)
	}
}

// session is the sign-in of a connection.
func (x *Exchange) session(ctx context.Context, tenant string, conn Connection) (*signin.Session, error) {
	person := conn.Kind == signin.Person
	if person {
		if s := x.SignIns.of(tenant, conn.ConnectedAt); s != nil {
			return s, nil
		}
	}
	octets, err := x.sealed(ctx, tenant, sessionSetting)
	switch {
	case person && err == nil && !x.now().Before(conn.Until): // also what earlier versions stored
		err = x.Store.PutSetting(ctx, tenant, sessionSetting, nil)
		return nil, errors.Join(signInAgain(conn), err)
	case person && errors.Is(err, store.ErrNotFound):
		return nil, signInAgain(conn)
	case err != nil:
		return nil, err
	}
	s, err := signin.Restore(octets, nil)
	if err != nil {
		return nil, fmt.Errorf("the stored sign-in cannot be used, connect again: %w", err)
	}
	if !person {
		s.Saved = func() {
			now, err := x.Connection(context.WithoutCancel(ctx), tenant)
			if err != nil || !now.ConnectedAt.Equal(conn.ConnectedAt) {
				return // disconnected meanwhile
			}
			if renewed, err := s.Export(); err == nil {
				_ = x.putSealed(context.WithoutCancel(ctx), tenant, sessionSetting, renewed) // else it is renewed again sooner
			}
		}
	}
	return s, nil
}

func signInAgain(conn Connection) error {
	return exchange.NewProblem("sign-in-again", mail.Say("The sign-in of %s has ended: a person's sign-in is kept in memory only, not beyond the process that took it.", conn.Account),
		mail.Say("Sign in again with a new code. What is set up in Exchange is not touched by this."), ErrSignInAgain)
}

// token gives access tokens only as long as the tenant is connected as it was: a
// disconnect counts for the very next call, in every process.
func (x *Exchange) token(tenant string, conn Connection, s *signin.Session) func(context.Context, bool) (string, error) {
	return func(ctx context.Context, fresh bool) (string, error) {
		now, err := x.Connection(ctx, tenant)
		if errors.Is(err, ErrNotConnected) || err == nil && !now.ConnectedAt.Equal(conn.ConnectedAt) {
			s.End()
			return "", signin.ErrEnded
		}
		if err != nil {
			return "", err
		}
		return s.Token(ctx, fresh)
	}
}

// NeedsSignIn reports whether a connected tenant's person has to sign in again
// before anything can be done from here.
func (x *Exchange) NeedsSignIn(ctx context.Context, tenant string, conn Connection) bool {
	_, err := x.session(ctx, tenant, conn)
	return errors.Is(err, ErrSignInAgain)
}

// Forget ends every sign-in, as the end of the process does.
func (s *SignIns) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for tenant, in := range s.all {
		in.session.End()
		delete(s.all, tenant)
	}
}
