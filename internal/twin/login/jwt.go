package login

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Claims are those of an access token that the admin API looks at.
type Claims struct {
	Audience string   `json:"aud"`
	Issuer   string   `json:"iss"`
	IssuedAt int64    `json:"iat"`
	NotYet   int64    `json:"nbf"`
	Expires  int64    `json:"exp"`
	Tenant   string   `json:"tid"`
	App      string   `json:"appid"`
	Object   string   `json:"oid"`
	User     string   `json:"upn,omitempty"`
	Scope    string   `json:"scp,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	WIDs     []string `json:"wids,omitempty"`
	Type     string   `json:"idtyp,omitempty"` // "app" or "user"
	Version  string   `json:"ver"`
}

// ErrExpired means that a token was good but its time is over.
var ErrExpired = errors.New("the access token has expired")

var errSignature = errors.New("the token's signature is not valid")

const keyID string = "twin-1"

func encode(v any) string {
	text, _ := json.Marshal(v) // plain structs and maps: cannot fail
	return base64.RawURLEncoding.EncodeToString(text)
}

// sign makes a JWT.
func (s *Server) sign(claims any) string {
	data := encode(map[string]string{"typ": "JWT", "alg": "RS256", "kid": keyID, "x5t": keyID}) + "." + encode(claims)
	sum := sha256.Sum256([]byte(data))
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.Key(), crypto.SHA256, sum[:])
	if err != nil {
		return "" // cannot happen with a 2048-bit key
	}
	return data + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// Verify reads an access token. The error is ErrExpired or says what is wrong.
func (s *Server) Verify(token string) (Claims, error) {
	var c Claims
	if _, err := parse(token, &c, func(map[string]any) (*rsa.PublicKey, error) { return &s.Key().PublicKey, nil }); err != nil {
		return c, err
	}
	if s.now().Unix() >= c.Expires {
		return c, ErrExpired
	}
	return c, nil
}

// parse checks a JWT with the key that its header leads to. RS256 and PS256 only.
func parse(token string, into any, key func(head map[string]any) (*rsa.PublicKey, error)) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("not a JWT")
	}
	var raw [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return nil, fmt.Errorf("JWT: %w", err)
		}
		raw[i] = b
	}
	var head map[string]any
	if err := json.Unmarshal(raw[0], &head); err != nil {
		return nil, fmt.Errorf("JWT header: %w", err)
	}
	pub, err := key(head)
	if err != nil {
		return head, err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	switch head["alg"] {
	case "RS256":
		err = rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], raw[2])
	case "PS256":
		err = rsa.VerifyPSS(pub, crypto.SHA256, sum[:], raw[2], nil)
	default:
		err = errSignature
	}
	if err != nil {
		return head, errSignature
	}
	if err := json.Unmarshal(raw[1], into); err != nil {
		return head, fmt.Errorf("JWT claims: %w", err)
	}
	return head, nil
}

// assertion checks a client assertion (RFC 7523) against an app's certificates. Its
// audience is the token endpoint or the issuer, both below here.
func (s *Server) assertion(a App, token, here string) *Fault {
	var c struct {
		Audience any    `json:"aud"`
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Expires  int64  `json:"exp"`
	}
	_, err := parse(token, &c, func(head map[string]any) (*rsa.PublicKey, error) {
		for _, cert := range a.Certificates {
			pub, ok := cert.PublicKey.(*rsa.PublicKey)
			if ok && (urlBase64(head["x5t#S256"]) == thumbprint(cert) || urlBase64(head["x5t"]) == sha1Print(cert)) {
				return pub, validNow(cert, s.now())
			}
		}
		return nil, errors.New("[Reason - The key was not found.]")
	})
	if err != nil {
		return fault(700027, err.Error())
	}
	aud := fmt.Sprint(c.Audience)
	if c.Issuer != a.ClientID || c.Subject != a.ClientID || !strings.HasPrefix(aud, here) {
		return fault(700023, aud)
	}
	if s.now().Unix() >= c.Expires {
		return fault(700024, time.Unix(c.Expires, 0).UTC().Format(time.RFC3339))
	}
	return nil
}

// urlBase64 is a thumbprint in the URL alphabet; Microsoft's library writes the other.
func urlBase64(v any) string {
	s, _ := v.(string)
	return strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(s)
}

func validNow(c *x509.Certificate, now time.Time) error {
	if now.After(c.NotAfter) {
		return fmt.Errorf("[Reason - The key used is expired. Expired at %s.]", c.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}
