package relay

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"postern/internal/mail"
	"postern/internal/relay/deliver"
	"postern/internal/webhook"
)

// collecting is an OTLP/HTTP collector.
type collecting struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracepb.Span
	raw   strings.Builder
}

func newCollector(t *testing.T) *collecting {
	c := &collecting{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		octets, _ := io.ReadAll(body)
		var req collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(octets, &req); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, rs := range req.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				c.spans = append(c.spans, ss.Spans...)
			}
		}
		c.raw.Write(octets)
		out, _ := proto.Marshal(&collector.ExportTraceServiceResponse{})
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(out)
	}))
	t.Cleanup(c.Close)
	return c
}

// named is how many spans of a name have come.
func (c *collecting) named(name string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Name == name {
			n++
		}
	}
	return n
}

func TestAMessageIsOneTraceWithoutAnythingPrivate(t *testing.T) {
	c := newCollector(t)
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(c.URL+"/v1/traces"))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithIDGenerator(TraceIDs{}), sdk.WithSampler(sdk.TraceIDRatioBased(1)))
	r := ready(t, func(r *Relay) { r.Tracer = provider.Tracer("test") })
	clean := r.accept("Subject: secret subject\r\n", "secret body\r\n", "ann@contoso.example")
	r.ended(clean)
	held := r.accept("Subject: x\r\n", "POSTERN"+"*TEST*SPAM*8RV2\r\n", "ann@contoso.example")
	r.ended(held)
	if _, err := r.Release(context.Background(), Order{Tenant: "contoso", ID: held, By: "test"}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); c.named("deliver") < 2 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) { // a job ends after the ledger knows
		if err := provider.ForceFlush(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := provider.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[mail.ID]string{clean: "accept judge deliver", held: "accept judge deliver"} {
		u := ulid.MustParse(string(id))
		var names []string
		var root []byte
		for _, s := range c.spans {
			if hex.EncodeToString(s.TraceId) != hex.EncodeToString(u[:]) {
				continue
			}
			if len(s.ParentSpanId) == 0 {
				root = s.SpanId
			}
		}
		for _, name := range strings.Fields(want) {
			for _, s := range c.spans {
				if s.Name == name && string(s.TraceId) == string(u[:]) && (name == "accept" || string(s.ParentSpanId) == string(root)) {
					names = append(names, name)
					if s.EndTimeUnixNano < s.StartTimeUnixNano || s.StartTimeUnixNano == 0 {
						t.Errorf("%s lasted from %d to %d", name, s.StartTimeUnixNano, s.EndTimeUnixNano)
					}
					for _, a := range []string{"postern.id", "postern.tenant", "postern.size"} {
						if !strings.Contains(fmt.Sprint(s.Attributes), a) {
							t.Errorf("%s has no %s", name, a)
						}
					}
				}
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s has spans %q, want %q", id, got, want)
		}
	}
	for _, private := range []string{"contoso.example", "sender.example", "ann", "secret", r.key, "tok3n"} {
		if strings.Contains(c.raw.String(), private) {
			t.Errorf("the traces have %q in them", private)
		}
	}
	for _, public := range []string{"spam", "clean", "contoso"} {
		if !strings.Contains(c.raw.String(), public) {
			t.Errorf("the traces lack %q", public)
		}
	}
}

func TestWebhooksHearOfHeldReleasedAndAlarms(t *testing.T) {
	var mu sync.Mutex
	var heard []string
	r := ready(t, func(r *Relay) {
		r.Notify = func(e webhook.Event) {
			mu.Lock()
			defer mu.Unlock()
			rcpt := -1
			if e.Rcpt != nil {
				rcpt = *e.Rcpt
			}
			heard = append(heard, fmt.Sprint(e.Event, " ", e.Tenant, " ", e.Message, " ", rcpt, " ", e.Verdict, " ", e.Kind))
		}
	})
	has := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			mu.Lock()
			for _, h := range heard {
				if h == want {
					mu.Unlock()
					return
				}
			}
			mu.Unlock()
		}
		t.Errorf("%q is not in %q", want, heard)
	}
	clean := r.accept("Subject: x\r\n", "text\r\n", "ann@contoso.example")
	r.ended(clean)
	has(fmt.Sprintf("delivered contoso %s 0 clean ", clean))
	held := r.accept("Subject: x\r\n", "POSTERN"+"*TEST*SPAM*8RV2\r\n", "ann@contoso.example")
	r.ended(held)
	has(fmt.Sprintf("held contoso %s 0 spam ", held))
	if out, err := r.Release(context.Background(), Order{Tenant: "contoso", ID: held, By: "test"}); err != nil || out.Kind != deliver.Delivered {
		t.Fatal(out, err)
	}
	has(fmt.Sprintf("released contoso %s 0 spam ", held))
	r.mta.say(&mail.Reply{Code: 550, Enhanced: "5.1.10", Text: "no such recipient"})
	r.ended(r.accept("Subject: never\r\n", "text\r\n", "ann@contoso.example"))
	has("alarm contoso  -1  mta-refused")
	mu.Lock()
	defer mu.Unlock()
	for _, h := range heard {
		if strings.HasPrefix(h, "released") && strings.Contains(h, string(clean)) {
			t.Errorf("%q was never held", h)
		}
	}
}
