package admin

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"postern/internal/mail"
	"postern/internal/store"
)

// A Factor is a second factor that is being set up: a secret that an app on the
// phone turns into six digits every 30 seconds (RFC 6238).
type Factor struct {
	Secret string // base32, to type in
	URL    string // otpauth:, for a QR code
}

const (
	factorPeriod  = 30 // seconds (RFC 6238 §4.1)
	recoveryCodes = 10
	maxCodeFails  = 8 // wrong codes in a row; a million tries of five each quarter of an hour would find one (safety.md §8)
)

// ErrCodeLocked means that codes of the app count no more, since too many were wrong.
var ErrCodeLocked = mail.Refuse("too many codes were wrong one after the other, so codes of the app count no more: use a passkey or a recovery code, or ask an owner to take your second factor away, and change your password: somebody may know it")

// ErrCode means that a code is wrong, too old, or was used before.
var ErrCode = mail.Refuse("this code is not right, or it was used before: wait for the next one and enter it")

// NewFactor begins to set up a second factor for email. It counts only after
// SetFactor.
func (a *Admin) NewFactor(email, issuer string) (Factor, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: email, Period: factorPeriod, SecretSize: 20})
	if err != nil {
		return Factor{}, fmt.Errorf("make a second factor: %w", err)
	}
	return Factor{key.Secret(), key.URL()}, nil
}

// SetFactor makes secret the second factor of email once a code of it was given,
// and returns recovery codes, which are shown this once. Other sessions of the
// user end. The error is ErrCode for a wrong code.
func (a *Admin) SetFactor(ctx context.Context, email, secret, code string, keep []byte) (recovery []string, err error) {
	step, ok := a.step(secret, code)
	if !ok {
		return nil, ErrCode
	}
	recovery, hashes := newRecovery()
	sealed := a.sealFactor(email, secret)
	var tenant string
	err = a.Store.EditUser(ctx, email, func(u *store.User) error {
		u.Factor, u.FactorStep, u.FactorFails, u.Recovery = sealed, step, 0, hashes
		tenant = u.Tenant
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := a.Store.EndSessions(ctx, email, keep); err != nil {
		return nil, err
	}
	return recovery, a.note(ctx, tenant, "user.factor", email, "", "set up")
}

// newRecovery makes recovery codes and what is kept of them.
func newRecovery() (recovery, hashes []string) {
	for range recoveryCodes {
		text := recoveryCode()
		recovery, hashes = append(recovery, text), append(hashes, hashCode(text))
	}
	return recovery, hashes
}

// RenewRecovery puts new recovery codes in the place of a user's old ones and
// returns them for the only time.
func (a *Admin) RenewRecovery(ctx context.Context, email string) (recovery []string, err error) {
	recovery, hashes := newRecovery()
	var tenant string
	err = a.Store.EditUser(ctx, email, func(u *store.User) error {
		u.Recovery, tenant = hashes, u.Tenant
		return nil
	})
	if err != nil {
		return nil, err
	}
	return recovery, a.note(ctx, tenant, "user.recovery", email, "", "renewed")
}

// prove takes a code of the second factor, or a recovery code, once. The error is
// ErrCode or ErrCodeLocked.
func (a *Admin) prove(ctx context.Context, email, code string) error {
	code = strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(code))
	var wrong error // is kept count of, so it is no error of the change
	var last bool
	var tenant string
	err := a.Store.EditUser(ctx, email, func(u *store.User) error {
		wrong, last, tenant = nil, false, u.Tenant
		if len(code) > 6 {
			i := slices.IndexFunc(u.Recovery, func(h string) bool { return subtle.ConstantTimeCompare([]byte(h), []byte(hashCode(code))) == 1 })
			if i < 0 {
				return ErrCode
			}
			u.Recovery, u.FactorFails = slices.Delete(u.Recovery, i, i+1), 0
			return nil
		}
		if u.Factor == nil { // a passkey is the second factor
			return ErrCode
		}
		if u.FactorFails >= maxCodeFails {
			return ErrCodeLocked
		}
		secret, err := a.openFactor(email, u.Factor)
		if err != nil {
			return err
		}
		step, ok := a.step(secret, code)
		if !ok || step <= u.FactorStep {
			u.FactorFails++
			wrong, last = ErrCode, u.FactorFails == maxCodeFails
			return nil
		}
		u.FactorStep, u.FactorFails = step, 0
		return nil
	})
	if last {
		wrong = errors.Join(ErrCodeLocked, a.Store.Raise(ctx, "codes-locked", tenant, mail.Say("%d wrong codes of the second factor of %s in a row: somebody may know the password.", maxCodeFails, email)))
	}
	return errors.Join(wrong, err)
}

// step is the time step that code belongs to: now, or one to either side for
// clocks that differ (RFC 6238 §5.2).
func (a *Admin) step(secret, code string) (int64, bool) {
	now := a.now()
	for _, d := range []int64{0, -1, 1} {
		at := now.Add(time.Duration(d) * factorPeriod * time.Second)
		ok, err := totp.ValidateCustom(code, secret, at, totp.ValidateOpts{Period: factorPeriod, Digits: otp.DigitsSix})
		if err == nil && ok {
			return at.Unix() / factorPeriod, true
		}
	}
	return 0, false
}

// recoveryCode has 112 bits and more, in groups that can be read out.
func recoveryCode() string {
	var raw [15]byte
	rand.Read(raw[:])
	text := strings.ToLower(base32.StdEncoding.EncodeToString(raw[:]))
	return strings.Join([]string{text[:6], text[6:12], text[12:18], text[18:]}, "-")
}

func hashCode(code string) string {
	sum := sha256.Sum256([]byte("recovery\x00" + strings.ReplaceAll(code, "-", "")))
	return hex.EncodeToString(sum[:])
}

// factorCipher seals second factors under the root key, each bound to its user.
func (a *Admin) factorCipher() cipher.AEAD { return a.systemCipher("second factor") }

func (a *Admin) sealFactor(email, secret string) []byte {
	return a.factorCipher().Seal(nil, nil, []byte(secret), []byte(email))
}

func (a *Admin) openFactor(email string, sealed []byte) (string, error) {
	secret, err := a.factorCipher().Open(nil, nil, sealed, []byte(email))
	if err != nil {
		return "", fmt.Errorf("second factor of %s cannot be read: %w", email, err)
	}
	return string(secret), nil
}
