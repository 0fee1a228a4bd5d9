package signin

import (
	"context"
	"errors"
	"regexp"
	"strings"

	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"

	"postern/internal/mail"
)

// An Error is a failed sign-in told to a person.
type Error struct {
	Code  string // "AADSTS65001", or a word of ours
	Kind  string // "consent", "conditional-access", "expired-secret", "wrong-tenant" ...
	Cause mail.Sentence
	Mend  mail.Sentence
	Err   error // what it was made of; may be nil
}

func (e *Error) Error() string {
	s := e.Told().String()
	if strings.HasPrefix(e.Code, "AADSTS") {
		s += " (" + e.Code + ")"
	}
	return s
}

// Told is cause and mend.
func (e *Error) Told() mail.Sentence { return mail.Together(e.Cause, e.Mend) }

func (e *Error) Unwrap() error { return e.Err }

func problem(kind string, cause, mend mail.Sentence) *Error {
	return &Error{Code: kind, Kind: kind, Cause: cause, Mend: mend}
}

var aadsts = regexp.MustCompile(`AADSTS\d+`)

// explain turns an error of the library into an *Error; nil and the end of ctx
// stay as they are.
func explain(err error) error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	text := err.Error()
	var call msal.CallErr
	if errors.As(err, &call) {
		text = call.Error() + " " + call.Verbose()
	}
	x := explainText(text)
	x.Err = err
	return x
}

// explainText finds the code in a text of Microsoft's and tells what it means.
func explainText(text string) *Error {
	if strings.Contains(text, "authorization_declined") { // the word is surer than the number that comes with it
		return &Error{Code: "authorization_declined", Kind: "declined", Cause: mail.Say("The person declined the sign-in."), Mend: mail.Say("Connect again and choose “Accept”.")}
	}
	code := aadsts.FindString(text)
	if k, ok := codes()[code]; ok {
		return &Error{Code: code, Kind: k.kind, Cause: mail.Say(k.cause), Mend: mail.Say(k.mend)}
	}
	if code != "" {
		return &Error{Code: code, Kind: "sign-in", Cause: mail.Say("Microsoft refused the sign-in with a reason that Postern does not know."), Mend: mail.Say("Look the code up at https://login.microsoftonline.com/error?code=%s.", strings.TrimPrefix(code, "AADSTS"))}
	}
	for _, w := range []struct {
		word string
		known
	}{
		{"access_denied", known{"declined", "The request was declined, or the account may not grant it.", "Connect again as an administrator and choose “Accept”."}},
		{"expired_token", known{"expired", "The device code was not used in time.", "Connect again and enter the new code within 15 minutes."}},
		{"permission_denied", known{"consent", "The account may not grant consent for the organization.", "Let a Privileged Role Administrator or Global Administrator open the consent page."}},
		{"interaction_required", known{"sign-in-again", "Microsoft wants to see the person again.", "Connect again."}},
		{"no token found", known{"sign-in-again", "The sign-in has ended.", "Connect again."}},
		{"invalid_client", known{"bad-secret", "The app registration's credential was not accepted.", "Make a new client secret or certificate and connect again."}},
		{"invalid_grant", known{"sign-in-again", "The sign-in is not valid any more.", "Connect again."}},
		{"connection refused", known{"unreachable", "Microsoft's sign-in service was not reached.", "Check the network, proxy and firewall; Postern needs outgoing https."}},
		{"no such host", known{"unreachable", "Microsoft's sign-in service was not found in the DNS.", "Check name resolution and the configured cloud."}},
		{"timeout", known{"unreachable", "Microsoft's sign-in service did not answer in time.", "Try again; check the network, proxy and firewall."}},
	} {
		if strings.Contains(text, w.word) {
			return &Error{Code: w.word, Kind: w.kind, Cause: mail.Say(w.cause), Mend: mail.Say(w.mend)}
		}
	}
	return &Error{Code: "sign-in", Kind: "sign-in", Cause: mail.Say("The sign-in failed."), Mend: mail.Say("Try again; if it stays, look into the sign-in log of Microsoft Entra.")}
}
