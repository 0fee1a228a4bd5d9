package portal

import (
	"postern/internal/admin"
	"postern/internal/provider"
)

// signInSentences are those of admin and provider that pages say as they are.
func signInSentences() []string {
	keys := []string{"This is your only second factor: set up another one first."}
	for _, err := range []error{admin.ErrPasskey, admin.ErrCodeLocked, admin.ErrCloned, admin.ErrCeremony, admin.ErrNoSite, admin.ErrNoAccount, admin.ErrUnverified, admin.ErrNoRole, admin.ErrOutside, admin.ErrDisabled, admin.ErrLinked,
		provider.ErrDown, provider.ErrState, provider.ErrDenied, provider.ErrExchange, provider.ErrIssuer, provider.ErrAudience, provider.ErrExpired, provider.ErrNonce, provider.ErrSignature, provider.ErrNotAgain} {
		keys = append(keys, sentence(err))
	}
	for _, title := range weighty {
		keys = append(keys, title)
	}
	return append(keys, "Act on more than fifty messages at once", sentence(admin.ErrOwnRequest), sentence(admin.ErrTooLate),
		"A second owner has to exist and to have signed in once: otherwise nobody could agree.")
}
