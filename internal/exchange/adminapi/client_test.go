package adminapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// exchange serves InvokeCommand with one function and hands out a client for it.
func exchange(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	cloud, err := CloudFor(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{Cloud: cloud, Tenant: "3a5b7c9d-0000-4000-8000-00000000c0de", Allowed: []string{"Get-TransportRule", "New-TransportRule", "Set-TransportRule"},
		Token: func(context.Context, bool) (string, error) { return "t0ken", nil },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
}

func TestTheRequestIsWhatExchangeExpects(t *testing.T) {
	var body string
	c := exchange(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
		for name, want := range map[string]string{"Authorization": "Bearer t0ken", "Content-Type": "application/json", "Accept": "application/json", "X-CmdletName": "Get-TransportRule",
			"X-ResponseFormat": "json", "X-AnchorMailbox": "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@3a5b7c9d-0000-4000-8000-00000000c0de"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if r.URL.Path != "/adminapi/beta/3a5b7c9d-0000-4000-8000-00000000c0de/InvokeCommand" || r.Method != http.MethodPost {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		fmt.Fprint(w, `{"value":[{"Priority@data.type":"System.Int32","Priority":0,"Name":"x","RecipientDomainIs@odata.type":"#Collection(String)","RecipientDomainIs":["contoso.com"]}],"@adminapi.warnings":["careful"]}`)
	})
	var warned string
	c.Warn = func(_, text string) { warned = text }
	list, err := c.Invoke(t.Context(), "Get-TransportRule", nil)
	if err != nil {
		t.Fatal(err)
	}
	if body != `{"CmdletInput":{"CmdletName":"Get-TransportRule","Parameters":{}}}` {
		t.Errorf("body %s", body)
	}
	b, _ := json.Marshal(list)
	if string(b) != `[{"Name":"x","Priority":0,"RecipientDomainIs":["contoso.com"]}]` || warned != "careful" {
		t.Errorf("objects %s, warning %q", b, warned)
	}
}

func TestACmdletThatIsNotOnTheListIsNeverSent(t *testing.T) {
	c := exchange(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	for _, name := range []string{"Remove-Mailbox", "get-transportrule", ""} {
		if _, err := c.Invoke(t.Context(), name, nil); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestEmptyAnswersInEveryFormAreNoObjects(t *testing.T) {
	for _, body := range []string{`{"value":[]}`, `{"value":null}`, `{}`, ``} {
		c := exchange(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		if list, err := c.Invoke(t.Context(), "Get-TransportRule", nil); err != nil || len(list) != 0 {
			t.Errorf("%q: %v, %v", body, list, err)
		}
	}
}

func TestPagesAreReadToTheEndWithTheSameBodyAndCookies(t *testing.T) {
	var n int
	var first string
	var base string
	c := exchange(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		b, _ := io.ReadAll(r.Body)
		if n == 1 {
			first = string(b)
			http.SetCookie(w, &http.Cookie{Name: "affinity", Value: "a7", Path: "/"})
		} else if ck, err := r.Cookie("affinity"); err != nil || ck.Value != "a7" || string(b) != first {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":{"message":"Expired or Invalid pagination request. Default Expiry time is 00:30:00"}}`)
			return
		}
		next := ""
		if n < 3 {
			next = fmt.Sprintf(`,"@odata.nextLink":"%s/adminapi/beta/x/InvokeCommand?$skiptoken=%d"`, base, n)
		}
		fmt.Fprintf(w, `{"value":[{"Name":"rule %d"}]%s}`, n, next)
	})
	base = c.Cloud.Exchange
	list, err := c.Invoke(t.Context(), "Get-TransportRule", map[string]any{})
	if err != nil || len(list) != 3 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestATokenStaysInItsCloud(t *testing.T) {
	foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a stranger was sent %q", r.Header.Get("Authorization"))
	}))
	defer foreign.Close()
	u, _ := url.Parse(foreign.URL)
	strangers := []string{"http://localhost:" + u.Port() + "/x", "https://outlook.office365.com.evil.example/x"}
	for _, s := range strangers {
		redirecting := exchange(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", s)
			w.WriteHeader(http.StatusFound)
		})
		if _, err := redirecting.Invoke(t.Context(), "Get-TransportRule", nil); err == nil || !strings.Contains(err.Error(), "not followed") {
			t.Errorf("redirect to %s: %v", s, err)
		}
		paging := exchange(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"value":[],"@odata.nextLink":%q}`, s) })
		if _, err := paging.Invoke(t.Context(), "Get-TransportRule", nil); err == nil || !strings.Contains(err.Error(), "not followed") {
			t.Errorf("next page at %s: %v", s, err)
		}
	}
}

func TestARegionalHostOfTheCloudGetsTheTokenAgain(t *testing.T) {
	region := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t0ken" || r.Method != http.MethodPost {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"value":[{"Name":"there"}]}`)
	}))
	defer region.Close()
	c := exchange(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", region.URL+"/adminapi/beta/x/InvokeCommand")
		w.WriteHeader(http.StatusFound)
	})
	if list, err := c.Invoke(t.Context(), "Get-TransportRule", nil); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestCloudsOwnOnlyTheirOwnHosts(t *testing.T) {
	cloud, err := CloudFor("worldwide")
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"https://outlook.office365.com/x": true, "https://eurpr01.outlook.office365.com/x": true, "https://OUTLOOK.office365.com/x": true,
		"http://outlook.office365.com/x": false, "https://outlook.office365.com.evil.example/": false, "https://evil.example/outlook.office365.com": false,
		"https://xoutlook.office365.com/": false, "https://outlook.office365.us/": false, "https://user@outlook.office365.com/": false, "https://outlook.office365.com:8443/": false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if cloud.Owns(u) != want {
			t.Errorf("%s: owned %v, want %v", address, !want, want)
		}
	}
	for _, bad := range []string{"moon", "http://exchange.example", "ftp://127.0.0.1"} {
		if _, err := CloudFor(bad); err == nil {
			t.Errorf("%q is a cloud", bad)
		}
	}
}

func TestRetriesAreMadeOnlyWhereTheyAreSafe(t *testing.T) {
	for _, tt := range []struct {
		name, cmdlet string
		status       int
		calls        int
	}{
		{"a reading is tried again after 503", "Get-TransportRule", 503, 3},
		{"a reading is tried again after 429", "Get-TransportRule", 429, 3},
		{"making is tried again after 429", "New-TransportRule", 429, 3},
		{"making is not tried again after 503", "New-TransportRule", 503, 1},
		{"making is not tried again after 504", "New-TransportRule", 504, 1},
		{"a refusal is not tried again", "Get-TransportRule", 403, 1},
		{"a mistake is not tried again", "Set-TransportRule", 400, 1},
		{"a token is renewed once", "Set-TransportRule", 401, 2},
	} {
		calls := 0
		c := exchange(t, func(w http.ResponseWriter, _ *http.Request) {
			if calls++; calls > 2 {
				fmt.Fprint(w, `{"value":[]}`)
				return
			}
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(tt.status)
		})
		var waited time.Duration
		c.Sleep = func(_ context.Context, d time.Duration) error { waited = d; return nil }
		_, err := c.Invoke(t.Context(), tt.cmdlet, nil)
		if calls != tt.calls || (tt.calls == 3) != (err == nil) {
			t.Errorf("%s: %d calls, want %d; %v", tt.name, calls, tt.calls, err)
		}
		if tt.calls == 3 && (waited < 7*time.Second || waited > 9*time.Second) {
			t.Errorf("%s: waited %v", tt.name, waited)
		}
	}
}

func TestTheBestTextIsTakenOutOfAnError(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		want   Error
		is     func(*Error) bool
	}{
		{"internal exception", 404, nil, `{"error":{"code":"NotFound","message":"Error executing cmdlet","details":[{"message":"other"}],"innererror":{"internalexception":{"message":"Ex6F9304|Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException|The operation couldn't be performed because object 'X' couldn't be found on 'DB8'.","type":"Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"}}}}`,
			Error{Code: "NotFound", Type: "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException", Text: "The operation couldn't be performed because object 'X' couldn't be found on 'DB8'."}, (*Error).NotFound},
		{"detail that is JSON", 400, nil, `{"error":{"code":"BadRequest","message":"m","details":[{"message":"{\"Message\":\"inner\",\"TypeName\":\"T\"}"}]}}`, Error{Code: "BadRequest", Type: "T", Text: "inner"}, nil},
		{"only a message", 400, nil, `{"error":{"code":"BadRequest","message":"plain"}}`, Error{Code: "BadRequest", Text: "plain"}, nil},
		{"octets of zero", 403, map[string]string{"x-ms-diagnostics": `2000003;reason="role required";error_category="x"`, "request-id": "r1"}, strings.Repeat("\x00", 512),
			Error{Diagnostics: "role required", RequestID: "r1"}, (*Error).Denied},
		{"nothing", 401, nil, "", Error{}, nil},
		{"a page of HTML", 502, nil, "<html>", Error{}, (*Error).Temporary},
		{"exists", 400, nil, `{"error":{"code":"BadRequest","innererror":{"internalexception":{"type":"Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException","message":"already exists."}}}}`,
			Error{Code: "BadRequest", Type: "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException", Text: "already exists."}, (*Error).Exists},
	} {
		c := exchange(t, func(w http.ResponseWriter, _ *http.Request) {
			for k, v := range tt.header {
				w.Header().Set(k, v)
			}
			w.WriteHeader(tt.status)
			fmt.Fprint(w, tt.body)
		})
		_, err := c.Invoke(t.Context(), "Set-TransportRule", nil)
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got := Error{Code: e.Code, Type: e.Type, Text: e.Text, Diagnostics: e.Diagnostics, RequestID: e.RequestID}
		if got != tt.want || e.Status != tt.status {
			t.Errorf("%s: got %+v", tt.name, e)
		}
		if tt.is != nil && !tt.is(e) {
			t.Errorf("%s: not recognised", tt.name)
		}
	}
}

func TestEveryCallIsAuditedWithItsChangeAndWithoutSecrets(t *testing.T) {
	c := exchange(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"value":[]}`) })
	var calls []Call
	c.Audit = func(call Call) { calls = append(calls, call) }
	ctx := WithChange(t.Context(), Change{Action: "rule-redirect/new"})
	params := map[string]any{"Name": "x", "SetHeaderValue": "pk_secret_of_the_relay", "ExceptIfHeaderContainsWords": []string{"Tk4Zq8Lw2Xv6Nb0Mc3Rd5Fg7Hj", "yes"}}
	if _, err := c.Invoke(ctx, "New-TransportRule", params); err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(calls)
	for _, secret := range []string{"pk_secret", "Tk4Zq8", "t0ken"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%s is in the audit log", secret)
		}
	}
	if len(calls) != 1 || calls[0].Change.Action != "rule-redirect/new" || !strings.Contains(string(b), `"yes"`) {
		t.Errorf("audit: %s", b)
	}
	if params["SetHeaderValue"] != "pk_secret_of_the_relay" {
		t.Error("masking changed the call itself")
	}
}

func TestWhenTheLimitIsNearlyReachedWeWait(t *testing.T) {
	c := exchange(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Rate-Limit-Limit", "3000")
		w.Header().Set("Rate-Limit-Remaining", "3")
		w.Header().Set("Rate-Limit-Reset", time.Now().Add(90*time.Second).UTC().Format("2006-01-02T15:04:05.0000000Z"))
		fmt.Fprint(w, `{"value":[]}`)
	})
	var waits int
	c.Sleep = func(_ context.Context, d time.Duration) error {
		if d > 20*time.Second {
			waits++
		}
		return nil
	}
	for range 3 {
		if _, err := c.Invoke(t.Context(), "Get-TransportRule", nil); err != nil {
			t.Fatal(err)
		}
	}
	if waits != 2 {
		t.Errorf("waited %d times, want 2", waits)
	}
}
