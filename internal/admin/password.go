package admin

import (
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"postern/internal/mail"
)

// Cost of a password's hash (OWASP's second choice for argon2id, RFC 9106 §4).
const (
	hashMemory = 19 << 10 // KiB
	hashTime   = 2
	hashLanes  = 1
	hashOctets = 32
	maxMemory  = 256 << 10 // KiB, of a stored hash: more would be an attack on the memory
	maxTime    = 16
)

// hashing bounds the memory of this process that strangers can take by signing in: each
// hash takes 19 MiB, so others wait.
var hashing = make(chan struct{}, 4)

// Lengths of a password in characters. A second factor is always asked for, so 12
// are enough.
const (
	minPassword = 12
	maxPassword = 128
)

// hashPassword returns an argon2id hash in the usual text form.
func hashPassword(password string) string {
	hashing <- struct{}{}
	defer func() { <-hashing }()
	var salt [16]byte
	rand.Read(salt[:])
	sum := argon2.IDKey([]byte(password), salt[:], hashTime, hashMemory, hashLanes, hashOctets)
	return writeHash(salt[:], sum)
}

func writeHash(salt, sum []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashTime, hashLanes, b64(salt), b64(sum))
}

// decoy costs as much to compare with as any hash; a password for all its zeros is
// as hard to find as one for 256 other bits.
var decoy = writeHash(make([]byte, 16), make([]byte, hashOctets))

// passwordFits reports whether password made hash. Whatever is wrong with hash,
// the answer is no.
func passwordFits(hash, password string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false
	}
	var version, memory, rounds, lanes int
	if n, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &rounds, &lanes); n != 4 || err != nil {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	sum, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if version != argon2.Version || memory < 8 || memory > maxMemory || rounds < 1 || rounds > maxTime || lanes < 1 || lanes > 16 ||
		err1 != nil || err2 != nil || len(salt) < 8 || len(sum) < 16 || len(sum) > 64 {
		return false
	}
	hashing <- struct{}{}
	defer func() { <-hashing }()
	got := argon2.IDKey([]byte(password), salt, uint32(rounds), uint32(memory), uint8(lanes), uint32(len(sum)))
	return subtle.ConstantTimeCompare(got, sum) == 1
}

// weak are taken out together, wherever they stand: they are put beside another
// common word.
var weak = []string{"password", "passwort", "qwerty", "qwertz", "azerty", "123456", "letmein", "welcome", "admin", "postern", "changeme", "iloveyou", "abc123", "111111", "000000", "secret", "microsoft", "exchange"}

// checkPassword refuses what is too short or easily guessed.
func checkPassword(password, email string) error {
	local, _, _ := strings.Cut(strings.ToLower(email), "@")
	lower := strings.ToLower(password)
	n := utf8.RuneCountInString(password)
	switch {
	case n < minPassword:
		return mail.Refuse("the password has %d characters and needs at least %d; several words make a good one", n, minPassword)
	case n > maxPassword:
		return mail.Refuse("the password has %d characters; at most %d are taken", n, maxPassword)
	case len(local) > 3 && strings.Contains(lower, local):
		return mail.Refuse("the password contains your address, which is tried first; choose another")
	case !varied(lower):
		return mail.Refuse("the password repeats a few characters; choose one that is harder to guess")
	}
	rest := lower
	for _, w := range weak {
		rest = strings.ReplaceAll(rest, w, "")
	}
	guessed := func(rest string) bool { return utf8.RuneCountInString(rest) < minPassword/2 }
	if guessed(rest) || slices.ContainsFunc(common(), func(w string) bool {
		return guessed(strings.ReplaceAll(rest, w, "")) || guessed(strings.ReplaceAll(lower, w, ""))
	}) {
		return mail.Refuse("the password is one of those that are tried first; choose another")
	}
	return nil
}

//go:embed passwords.txt
var passwords string

// common are the passwords that people choose most, in lower case. One of them with
// little around it, or again and again, is no better.
var common = sync.OnceValue(func() (words []string) {
	for line := range strings.Lines(passwords) {
		if !strings.HasPrefix(line, "#") {
			words = append(words, strings.TrimSpace(line))
		}
	}
	return words
})

// varied reports whether s has at least five different characters.
func varied(s string) bool {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen) >= 5
}
