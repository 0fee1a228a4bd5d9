package webhook_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/webhook"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

// receiver is a real server that checks what it gets.
type receiver struct {
	t *testing.T
	*httptest.Server
	mu     sync.Mutex
	got    []webhook.Event
	ids    []string
	answer func(n int) int // status of the nth request, from 1
}

func newReceiver(t *testing.T, answer func(n int) int) *receiver {
	r := &receiver{t: t, answer: answer}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	var e webhook.Event
	if err := json.Unmarshal(body, &e); err != nil {
		r.t.Errorf("body %q: %v", body, err)
	}
	if err := webhook.Verify(secret, q.Header.Get("Postern-Signature"), body, time.Now(), time.Minute); err != nil {
		r.t.Errorf("signature %q: %v", q.Header.Get("Postern-Signature"), err)
	}
	if q.Method != http.MethodPost || q.Header.Get("Content-Type") != "application/json" || q.Header.Get("Postern-Event") != e.Event || q.Header.Get("Postern-Delivery") != e.ID {
		r.t.Errorf("%s with %v and %+v", q.Method, q.Header, e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = append(r.ids, e.ID)
	code := http.StatusNoContent
	if r.answer != nil {
		code = r.answer(len(r.ids))
	}
	if code/100 == 2 {
		r.got = append(r.got, e)
	}
	if code/100 == 3 {
		w.Header().Set("Location", r.URL+"/elsewhere")
	}
	w.WriteHeader(code)
}

func (r *receiver) endpoint(events ...string) webhook.Endpoint {
	return webhook.Endpoint{URL: r.URL, Secret: secret, Events: events, Private: true}
}

func sender(t *testing.T, roots *httptest.Server, e ...webhook.Endpoint) *webhook.Sender {
	s := &webhook.Sender{Endpoints: e, First: 5 * time.Millisecond, Log: slog.New(slog.DiscardHandler), Roots: x509.NewCertPool()}
	if roots != nil {
		s.Roots.AddCert(roots.Certificate())
	}
	t.Cleanup(func() { flush(s, 0) })
	return s
}

func flush(s *webhook.Sender, wait time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	s.Close(ctx)
}

func TestNoticesArriveSignedInTheirOrder(t *testing.T) {
	r := newReceiver(t, nil)
	s := sender(t, r.Server, r.endpoint())
	rcpt := 0
	for i := range 20 {
		s.Emit(webhook.Event{Event: webhook.Held, Tenant: "acme", Message: "01K9", Rcpt: &rcpt, Verdict: "phish", Score: i + 1})
	}
	s.Emit(webhook.Event{Event: webhook.Delivered}) // not asked for
	flush(s, time.Minute)
	if len(r.got) != 20 {
		t.Fatalf("%d arrived", len(r.got))
	}
	for i, e := range r.got {
		if e.Score != i+1 || e.Tenant != "acme" || e.Verdict != "phish" || e.Rcpt == nil || e.At.IsZero() {
			t.Errorf("notice %d is %+v", i, e)
		}
	}
}

func TestAnEndpointGetsWhatItAskedFor(t *testing.T) {
	for _, tt := range []struct {
		events []string
		want   string
	}{
		{nil, "alarm held released reported asked"},
		{[]string{"delivered"}, "delivered"},
		{[]string{"alarm", "held"}, "alarm held"},
	} {
		r := newReceiver(t, nil)
		s := sender(t, r.Server, r.endpoint(tt.events...))
		for _, k := range webhook.Kinds {
			s.Emit(webhook.Event{Event: k})
		}
		flush(s, time.Minute)
		var got []string
		for _, e := range r.got {
			got = append(got, e.Event)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%v: got %v", tt.events, got)
		}
	}
}

func TestAFailingReceiverIsTriedAgainWithTheSameNotice(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answer   func(n int) int
		requests int
		arrived  int
	}{
		{"busy twice", func(n int) int { return map[bool]int{true: 503, false: 200}[n <= 2] }, 3, 1},
		{"too many requests", func(n int) int { return map[bool]int{true: 429, false: 200}[n == 1] }, 2, 1},
		{"refused", func(int) int { return 410 }, 1, 0},
		{"sent elsewhere", func(int) int { return 302 }, 1, 0},
		{"never well", func(int) int { return 500 }, 6, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newReceiver(t, tt.answer)
			s := sender(t, r.Server, r.endpoint())
			s.Emit(webhook.Event{Event: webhook.Alarm, Kind: "loop"})
			flush(s, time.Minute)
			if len(r.ids) != tt.requests || len(r.got) != tt.arrived {
				t.Errorf("%d requests, %d arrived", len(r.ids), len(r.got))
			}
			for _, id := range r.ids {
				if id != r.ids[0] {
					t.Error("another id in another attempt")
				}
			}
		})
	}
}

func TestASilentReceiverHoldsUpNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := newReceiver(t, nil)
	silent := webhook.Endpoint{URL: "https://" + l.Addr().String(), Secret: secret, Private: true}
	s := sender(t, r.Server, silent, r.endpoint())
	s.Queue = 10
	began := time.Now()
	for range 10 {
		s.Emit(webhook.Event{Event: webhook.Held})
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		n := len(r.got)
		r.mu.Unlock()
		if n == 10 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d arrived", n)
		}
	}
	for range 1000 {
		s.Emit(webhook.Event{Event: webhook.Held})
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("took %v", took)
	}
	flush(s, 100*time.Millisecond) // ends though the silent one has not answered
	s.Emit(webhook.Event{Event: webhook.Held})
	if took := time.Since(began); took > time.Minute {
		t.Errorf("closing took %v", took)
	}
}

func TestNoNoticeGoesToThisMachineUnlessAllowed(t *testing.T) {
	r := newReceiver(t, nil)
	e := r.endpoint()
	e.Private = false
	named := e
	named.URL = strings.Replace(r.URL, "127.0.0.1", "localhost", 1)
	s := sender(t, r.Server, e, named)
	s.Emit(webhook.Event{Event: webhook.Alarm})
	flush(s, 2*time.Second)
	if len(r.ids) != 0 {
		t.Error("it arrived")
	}
}

func TestAReceiverWithAnUnknownCertificateIsToldNothing(t *testing.T) {
	r := newReceiver(t, nil)
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s := sender(t, nil, r.endpoint())
	s.Emit(webhook.Event{Event: webhook.Alarm})
	flush(s, 500*time.Millisecond)
	if len(r.ids) != 0 {
		t.Error("it arrived")
	}
}

func TestEndpointsAreChecked(t *testing.T) {
	for _, tt := range []struct {
		name string
		e    webhook.Endpoint
		ok   bool
	}{
		{"good", webhook.Endpoint{URL: "https://hooks.example.com/x", Secret: secret}, true},
		{"plaintext", webhook.Endpoint{URL: "http://hooks.example.com/x", Secret: secret}, false},
		{"plaintext, private", webhook.Endpoint{URL: "http://10.0.0.1/x", Secret: secret, Private: true}, true},
		{"another scheme", webhook.Endpoint{URL: "file:///etc/passwd", Secret: secret, Private: true}, false},
		{"no host", webhook.Endpoint{URL: "https:///x", Secret: secret}, false},
		{"a password", webhook.Endpoint{URL: "https://u:p@hooks.example.com/x", Secret: secret}, false},
		{"a short secret", webhook.Endpoint{URL: "https://hooks.example.com/x", Secret: []byte("short")}, false},
		{"an unknown event", webhook.Endpoint{URL: "https://hooks.example.com/x", Secret: secret, Events: []string{"helt"}}, false},
	} {
		if err := tt.e.Check(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestASignatureVerifiesOnlyWhatWasSigned(t *testing.T) {
	now := time.Unix(1795305600, 0)
	body := []byte(`{"event":"held"}`)
	// printf '%s.%s' 1795305600 '{"event":"held"}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
	good := webhook.Sign(secret, body, now)
	if good != "t=1795305600,v1=f5c561eba4f136a49d9c79f24a9ef9bc237a766c9f967425779e82e24d97815c" {
		t.Errorf("signature %q", good)
	}
	for _, tt := range []struct {
		name, signature string
		body            []byte
		secret          []byte
		now             time.Time
		ok              bool
	}{
		{"as signed", good, body, secret, now, true},
		{"two signatures while the secret changes", good + ",v1=" + strings.Repeat("0", 64), body, secret, now, true},
		{"another body", good, []byte(`{"event":"helD"}`), secret, now, false},
		{"another secret", good, body, []byte("x"), now, false},
		{"old", good, body, secret, now.Add(6 * time.Minute), false},
		{"from the future", good, body, secret, now.Add(-6 * time.Minute), false},
		{"another time", strings.Replace(good, "1795305600", "1795305601", 1), body, secret, now, false},
		{"nothing", "", body, secret, now, false},
		{"no sum", "t=1795305600", body, secret, now, false},
		{"not hexadecimal", "t=1795305600,v1=zz", body, secret, now, false},
	} {
		if err := webhook.Verify(tt.secret, tt.signature, tt.body, tt.now, 5*time.Minute); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for i := range len(good) {
		bad := []byte(good)
		bad[i] ^= 1
		if err := webhook.Verify(secret, string(bad), body, now, 5*time.Minute); err == nil && !strings.EqualFold(string(bad), good) {
			t.Errorf("octet %d changed: %s", i, fmt.Sprint(string(bad)))
		}
	}
}
