package signin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"postern/internal/mail"
)

// A Config names the app registration and where to sign in.
type Config struct {
	Login    string // base address of the sign-in service, "https://login.microsoftonline.com"
	Scope    string // "https://outlook.office365.com/.default"
	Tenant   string // directory id or a verified domain; "organizations" only while it is not known
	ClientID string
	Secret   string            // of a web app registration that signs people in; "" for a public client
	HTTP     http.RoundTripper // default http.DefaultTransport
}

func (c Config) check() error {
	u, err := url.Parse(c.Login)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("sign-in service %q is not an address", c.Login)
	case c.Tenant == "" || strings.ContainsAny(c.Tenant, "/?#% "):
		return problem("", mail.Say("The tenant to sign in to is not named."), mail.Say("Give its directory id or one of its domains."))
	case c.ClientID == "":
		return problem("", mail.Say("The app registration's client id is not given."), mail.Say("Copy “Application (client) ID” from the app registration's overview page."))
	}
	return nil
}

func (c Config) scopes() []string { return []string{c.Scope} }

// authority is the address that Microsoft's library takes; it insists on https,
// so a simulated tenant's http is put back by the transport.
func (c Config) authority() string {
	u, _ := url.Parse(c.Login) // checked
	return "https://" + u.Host + "/" + c.Tenant
}

// simulated reports that Login is none of Microsoft's services, so that there is
// no directory of clouds to ask.
func (c Config) simulated() bool {
	u, err := url.Parse(c.Login)
	if err != nil {
		return true
	}
	h := u.Hostname()
	for _, known := range []string{"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"} {
		if h == known {
			return false
		}
	}
	return true
}

// client is what the library sends its requests with.
func (c Config) client() *http.Client {
	t := c.HTTP
	if t == nil {
		t = http.DefaultTransport
	}
	if c.simulated() {
		u, _ := url.Parse(c.Login) // checked
		t = &simulatedTransport{next: t, scheme: u.Scheme, host: u.Host}
	}
	return &http.Client{Transport: t}
}

// simulatedTransport speaks to a simulated sign-in service: over its own scheme,
// and with the discovery document made here, since its addresses are fixed.
type simulatedTransport struct {
	next         http.RoundTripper
	scheme, host string
}

func (t *simulatedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	tenant, found := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/v2.0/.well-known/openid-configuration")
	if found && r.URL.Host == t.host {
		base := "https://" + t.host + "/" + tenant
		return answer(r, map[string]string{"issuer": base + "/v2.0", "authorization_endpoint": base + "/oauth2/v2.0/authorize",
			"token_endpoint": base + "/oauth2/v2.0/token", "device_authorization_endpoint": base + "/oauth2/v2.0/devicecode"})
	}
	if r.URL.Host == t.host {
		r = r.Clone(r.Context())
		r.URL.Scheme = t.scheme
	}
	return t.next.RoundTrip(r)
}

func answer(r *http.Request, v any) (*http.Response, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(b)), ContentLength: int64(len(b))}, nil
}

// endpoint is an address of the sign-in service for the tenant.
func (c Config) endpoint(path string, query url.Values) string {
	return strings.TrimRight(c.Login, "/") + "/" + c.Tenant + path + "?" + query.Encode()
}
