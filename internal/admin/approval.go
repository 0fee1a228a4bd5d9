package admin

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

const (
	fourEyesSetting = "four-eyes"
	approvalFor     = time.Hour // from asking to doing
)

// Errors of asking a second person.
var (
	ErrOwnRequest = mail.Refuse("you asked for this yourself: another person has to agree")
	ErrTooLate    = mail.Refuse("this request has ended, or somebody has decided already")
)

// A Request is a weighty thing that one person wants done.
type Request struct {
	Tenant string // "" for the whole system
	Route  string // "POST /t/{tenant}/inbound/key/rotate"
	Path   string // with its values
	Title  string // what would be done, in English
	Fields [][2]string
}

// FourEyes reports whether weighty things need a second person (safety.md R45).
func (a *Admin) FourEyes(ctx context.Context) (bool, error) {
	kept, err := a.Store.Setting(ctx, "", fourEyesSetting)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return string(kept) == "on", err
}

// SetFourEyes says whether weighty things need a second person. It wants two owners
// who can sign in, or nothing weighty could be done any more.
func (a *Admin) SetFourEyes(ctx context.Context, on bool) error {
	var value []byte
	if on {
		users, err := a.Store.Users(ctx, "")
		if err != nil {
			return err
		}
		n := 0
		for _, u := range users {
			if u.Role == "owner" && u.Tenant == "" && u.DisabledAt.IsZero() && !u.SignedInAt.IsZero() {
				n++
			}
		}
		if n < 2 {
			return mail.Refuse("a second owner has to exist and to have signed in once: otherwise nobody could agree")
		}
		value = []byte("on")
	}
	if err := a.Store.PutSetting(ctx, "", fourEyesSetting, value); err != nil {
		return err
	}
	return a.note(ctx, "", "four-eyes.set", "", "", fmt.Sprint(on))
}

// digest names exactly this request of this person.
func (a *Admin) digest(q Request) ([]byte, []byte, error) {
	body, err := json.Marshal(q.Fields)
	if err != nil {
		return nil, nil, err
	}
	all, err := json.Marshal([]string{a.Actor, q.Tenant, q.Route, q.Path, string(body)})
	sum := sha256.Sum256(all)
	return sum[:], body, err
}

// Agreed reports whether a second person agreed to this very request of the actor,
// and uses that up.
func (a *Admin) Agreed(ctx context.Context, q Request) (bool, error) {
	sum, _, err := a.digest(q)
	if err != nil {
		return false, err
	}
	return a.Store.UseApproval(ctx, sum, a.now())
}

// AskSecond puts a request before a second person; one that waits already is not
// put there again.
func (a *Admin) AskSecond(ctx context.Context, q Request) error {
	sum, body, err := a.digest(q)
	if err != nil {
		return err
	}
	waiting, err := a.Store.Approvals(ctx, q.Tenant)
	if err != nil {
		return err
	}
	for _, w := range waiting {
		if w.State == "waiting" && string(w.Digest) == string(sum) && a.now().Before(w.Until) {
			return nil
		}
	}
	id := string(mail.NewID())
	x := store.Approval{Tenant: q.Tenant, ID: id, Route: q.Route, Path: q.Path, Title: q.Title, Digest: sum, AskedBy: a.Actor, AskedAt: a.now(),
		Until: a.now().Add(approvalFor), State: "waiting", Body: a.systemCipher("approval").Seal(nil, nil, body, []byte(id))}
	if err := a.Store.AddApproval(ctx, x); err != nil {
		return err
	}
	return a.note(ctx, q.Tenant, "approval.ask", q.Path, "", q.Title)
}

// Asked reads the form of a request.
func (a *Admin) Asked(x store.Approval) (fields [][2]string, err error) {
	body, err := a.systemCipher("approval").Open(nil, nil, x.Body, []byte(x.ID))
	if err == nil {
		err = json.Unmarshal(body, &fields)
	}
	if err != nil {
		return nil, fmt.Errorf("approval %s cannot be read: %w", x.ID, err)
	}
	return fields, nil
}

// Decide agrees to a request or refuses it, as another person than who asked. The
// error is ErrOwnRequest or ErrTooLate.
func (a *Admin) Decide(ctx context.Context, x store.Approval, agree bool) error {
	if x.AskedBy == a.Actor {
		return ErrOwnRequest
	}
	state := "refused"
	if agree {
		state = "agreed"
	}
	err := a.Store.Decide(ctx, x, "waiting", state, a.Actor, a.now())
	if errors.Is(err, store.ErrNotFound) {
		return ErrTooLate
	}
	if err != nil {
		return err
	}
	return a.note(ctx, x.Tenant, "approval."+state, x.Path, x.AskedBy, x.Title)
}
