package signin

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testTenant = "3a5b7c9d-0000-4000-8000-00000000c0de"
	testClient = "11111111-2222-4333-8444-555555555555"
)

// login is a sign-in service as Microsoft documents it: the token endpoint with
// four grants, the device code endpoint, and refusals with AADSTS codes.
type login struct {
	mu      sync.Mutex
	refuse  string // AADSTS text to answer the next token request with
	pending int    // device polls to answer with authorization_pending
	forms   []url.Values
	issued  int
	verify  string // code challenge of the code that is out
	tid     string // claimed in tokens
}

func (l *login) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = r.ParseForm()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/devicecode"):
		fmt.Fprint(w, `{"user_code":"ABCD-EFGH","device_code":"dc","verification_uri":"https://login.example/device","expires_in":900,"interval":1,"message":"enter ABCD-EFGH"}`)
	case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
		l.token(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (l *login) token(w http.ResponseWriter, r *http.Request) {
	l.forms = append(l.forms, r.PostForm)
	fail := func(code, text string) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": code, "error_description": text})
	}
	if l.refuse != "" {
		fail("invalid_grant", l.refuse)
		return
	}
	if r.PostForm.Get("grant_type") == "urn:ietf:params:oauth:grant-type:device_code" || r.PostForm.Get("grant_type") == "device_code" {
		if l.pending > 0 {
			l.pending--
			fail("authorization_pending", "AADSTS70016: pending")
			return
		}
	}
	if r.PostForm.Get("grant_type") == "authorization_code" {
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != l.verify {
			fail("invalid_grant", "AADSTS501481: The Code_Verifier does not match the code_challenge.")
			return
		}
	}
	l.issued++
	enc := func(v any) string { b, _ := json.Marshal(v); return base64.RawURLEncoding.EncodeToString(b) }
	tid := l.tid
	if tid == "" {
		tid = testTenant
	}
	access := enc(map[string]string{"alg": "none"}) + "." + enc(map[string]any{"tid": tid, "appid": testClient, "upn": "admin@contoso.com", "n": l.issued,
		"wids": []string{ExchangeAdministrator}, "exp": time.Now().Add(time.Hour).Unix()}) + ".x"
	out := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600, "scope": r.PostForm.Get("scope")}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		out["refresh_token"] = fmt.Sprint("refresh-", l.issued)
		out["id_token"] = enc(map[string]string{"alg": "none"}) + "." + enc(map[string]any{"tid": tid, "oid": "oid", "preferred_username": "admin@contoso.com", "iss": "x", "sub": "s"}) + ".x"
		out["client_info"] = enc(map[string]string{"uid": "oid", "utid": tid})
	}
	_ = json.NewEncoder(w).Encode(out)
}

func serve(t *testing.T, l *login) Config {
	t.Helper()
	srv := httptest.NewServer(l)
	t.Cleanup(srv.Close)
	return Config{Login: srv.URL, Scope: "https://outlook.office365.com/.default", Tenant: testTenant, ClientID: testClient}
}

func TestAnAppSignsInWithItsSecretAndTheTokenIsReused(t *testing.T) {
	l := &login{}
	s, err := WithSecret(t.Context(), serve(t, l), "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	one, err := s.Token(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if l.issued != 1 {
		t.Errorf("%d tokens were issued, want 1", l.issued)
	}
	two, err := s.Token(t.Context(), true)
	if err != nil || two == one {
		t.Errorf("a fresh token was asked for; got the same: %v, %v", two == one, err)
	}
	if l.forms[0].Get("client_secret") != "s3cret" || l.forms[0].Get("grant_type") != "client_credentials" {
		t.Errorf("request was %v", l.forms[0])
	}
	c, err := Read(one)
	if err != nil || c.Wids[0] != ExchangeAdministrator {
		t.Errorf("claims %+v, %v", c, err)
	}
}

func TestAnAppSignsInWithItsCertificate(t *testing.T) {
	l := &login{}
	if _, err := WithCertificate(t.Context(), serve(t, l), certificate(t)); err != nil {
		t.Fatal(err)
	}
	f := l.forms[0]
	if f.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || strings.Count(f.Get("client_assertion"), ".") != 2 {
		t.Errorf("request was %v", f)
	}
}

func certificate(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "postern"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pk, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pk})...)
}

func TestAPersonSignsInWithPKCEAndIsRenewedFromTheExportedSession(t *testing.T) {
	l := &login{}
	cfg := serve(t, l)
	p, err := Begin(cfg, "https://postern.example/callback")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	l.verify = u.Query().Get("code_challenge")
	if u.Query().Get("code_challenge_method") != "S256" || !strings.Contains(u.Query().Get("scope"), "offline_access") {
		t.Fatalf("authorize address %s", p.URL)
	}
	s, err := Finish(t.Context(), cfg, p, url.Values{"code": {"c0de"}, "state": {p.State}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Account != "admin@contoso.com" {
		t.Errorf("account %q", s.Account)
	}
	octets, err := s.Export()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Restore(octets, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Token(t.Context(), true); err != nil {
		t.Fatalf("renew: %v", err)
	}
	if g := l.forms[len(l.forms)-1]; g.Get("grant_type") != "refresh_token" || g.Get("refresh_token") != "refresh-1" {
		t.Errorf("renewed with %v", g)
	}
	again.End()
	if _, err := again.Token(t.Context(), false); !errors.Is(err, ErrEnded) {
		t.Errorf("after disconnect: %v", err)
	}
}

func TestAnAnswerThatWasNotAskedForIsRefused(t *testing.T) {
	l := &login{}
	cfg := serve(t, l)
	p, err := Begin(cfg, "https://postern.example/callback")
	if err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]url.Values{
		"another state":           {"code": {"c"}, "state": {"other"}},
		"no state":                {"code": {"c"}},
		"verifier does not match": {"code": {"c"}, "state": {p.State}},
		"declined":                {"error": {"access_denied"}, "error_description": {"AADSTS65004: User declined."}, "state": {p.State}},
	} {
		if _, err := Finish(t.Context(), cfg, p, q); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestADeviceCodeIsShownAndWaitedFor(t *testing.T) {
	l := &login{pending: 1}
	var shown DeviceCode
	s, err := Device(t.Context(), serve(t, l), func(d DeviceCode) { shown = d })
	if err != nil {
		t.Fatal(err)
	}
	if shown.Code != "ABCD-EFGH" || s.Account != "admin@contoso.com" {
		t.Errorf("shown %+v, account %q", shown, s.Account)
	}
}

func TestEveryRefusalNamesCauseAndMend(t *testing.T) {
	for code, k := range codes() {
		l := &login{refuse: code + ": some text of Microsoft. Trace ID: x"}
		_, err := WithSecret(t.Context(), serve(t, l), "s3cret")
		var e *Error
		if !errors.As(err, &e) || e.Code != code || e.Kind != k.kind {
			t.Errorf("%s: got %v", code, err)
			continue
		}
		if !strings.HasSuffix(e.Cause.String(), ".") || !strings.HasSuffix(e.Mend.String(), ".") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %q %q are not two sentences", code, e.Cause, e.Mend)
		}
	}
	_, err := WithSecret(t.Context(), serve(t, &login{refuse: "AADSTS123456: new"}), "s3cret")
	if err == nil || !strings.Contains(err.Error(), "123456") {
		t.Errorf("an unknown code: %v", err)
	}
}

func TestATokenOfAnotherTenantIsRefused(t *testing.T) {
	_, err := WithSecret(t.Context(), serve(t, &login{tid: "99999999-0000-4000-8000-000000000000"}), "s3cret")
	var e *Error
	if !errors.As(err, &e) || e.Kind != "wrong-tenant" {
		t.Errorf("got %v", err)
	}
}

func TestAServiceThatIsNotThereIsNamed(t *testing.T) {
	_, err := WithSecret(context.Background(), Config{Login: "http://127.0.0.1:1", Scope: "x/.default", Tenant: testTenant, ClientID: testClient}, "s")
	var e *Error
	if !errors.As(err, &e) || e.Kind != "unreachable" {
		t.Errorf("got %v", err)
	}
}
