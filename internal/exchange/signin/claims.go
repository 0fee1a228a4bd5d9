package signin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Claims are what an access token says of its bearer. They are read without
// checking the signature, to tell a person what is missing; Exchange decides.
type Claims struct {
	Tenant  string    // tid
	App     string    // appid
	User    string    // upn or preferred_username
	Roles   []string  // application permissions, "Exchange.ManageAsApp"
	Scopes  []string  // delegated permissions, "Exchange.Manage"
	Wids    []string  // template ids of directory roles
	Expires time.Time // exp
}

// Read reads an access token.
func Read(token string) (Claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Claims{}, errors.New("access token is not a JWT")
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return Claims{}, errors.New("access token has no readable claims")
	}
	var c struct {
		Tid, Appid, Upn, Scp string
		Preferred            string `json:"preferred_username"`
		Roles, Wids          []string
		Exp                  int64
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return Claims{}, errors.New("access token has no readable claims")
	}
	user := c.Upn
	if user == "" {
		user = c.Preferred
	}
	return Claims{c.Tid, c.Appid, user, c.Roles, strings.Fields(c.Scp), c.Wids, time.Unix(c.Exp, 0).UTC()}, nil
}

// All are roles, scopes and directory roles together.
func (c Claims) All() []string { return slices.Concat(c.Roles, c.Scopes, c.Wids) }

var guidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func guid(s string) bool { return guidForm.MatchString(s) }
