package exchange

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"postern/internal/exchange/adminapi"
	"postern/internal/exchange/signin"
	"postern/internal/twin"
	"postern/internal/twin/wire"
)

// office is a simulated tenant, a relay that it can validate, and a client that
// is signed in to it, all over the real wire formats.
type office struct {
	t      *testing.T
	twin   *twin.Twin
	tenant *twin.Tenant
	client *adminapi.Client
	j      *memJournal
	calls  []adminapi.Call
	now    time.Time
}

// accepting is a relay that takes every message and drops it.
type accepting struct{}

func (accepting) Rcpt(context.Context, *wire.Envelope, string) wire.Reply {
	return wire.Reply{Code: 250, Text: "2.1.5 ok"}
}
func (accepting) Data(context.Context, *wire.Envelope, []byte) wire.Reply {
	return wire.Reply{Code: 250, Text: "2.0.0 ok"}
}

// inProcess carries requests to a handler without a socket.
type inProcess struct{ h http.Handler }

var errBroken = errors.New("connection reset by peer")

func (p inProcess) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	w := httptest.NewRecorder()
	defer func() {
		if recover() != nil { // http.ErrAbortHandler
			resp, err = nil, errBroken
		}
	}()
	p.h.ServeHTTP(w, r)
	resp = w.Result()
	resp.Request = r
	return resp, nil
}

func newOffice(t *testing.T, o twin.TenantOptions) *office {
	t.Helper()
	return officeWith(t, o, accepting{}, twin.Options{})
}

func officeWith(t *testing.T, o twin.TenantOptions, h wire.Handler, opt twin.Options) *office {
	t.Helper()
	if o.Domains == nil {
		o.Domains = []string{"contoso.com", "fabrikam.example"}
	}
	relay, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	of := &office{t: t, j: &memJournal{}, now: time.Now().UTC()}
	opt.Tenants, opt.Resolve = []twin.TenantOptions{o}, map[string]string{"relay.postern.example": relay.Addr().String()}
	of.twin, err = twin.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := of.twin.Issue("relay.postern.example")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	srv := &wire.Server{Hostname: "relay.postern.example", Handler: h, TLS: &tls.Config{Certificates: []tls.Certificate{pair}}}
	go func() { _ = srv.Serve(relay) }() // ends with the listener
	t.Cleanup(func() { of.twin.Close(); _ = relay.Close(); srv.Close() })
	of.tenant = of.twin.Tenants()[0]
	of.client = of.connect(t)
	return of
}

const twinBase = "http://127.0.0.1:9"

func (of *office) config() signin.Config {
	return signin.Config{Login: twinBase, Scope: "https://outlook.office365.com/.default", Tenant: of.tenant.ID, ClientID: of.tenant.ClientID, HTTP: inProcess{of.twin.Handler()}}
}

func (of *office) connect(t *testing.T) *adminapi.Client {
	t.Helper()
	session, err := signin.WithSecret(t.Context(), of.config(), of.tenant.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := adminapi.CloudFor(twinBase)
	if err != nil {
		t.Fatal(err)
	}
	return &adminapi.Client{Cloud: cloud, Tenant: of.tenant.ID, Allowed: append(Cmdlets(), ProtectionCmdlets()...), Token: session.Token, HTTP: inProcess{of.twin.Handler()},
		Audit: func(c adminapi.Call) { of.calls = append(of.calls, c) },
		Sleep: func(ctx context.Context, d time.Duration) error { of.now = of.now.Add(d); return ctx.Err() }}
}

func (of *office) engine() *Engine {
	e := engineFor(of.client, of.j)
	return e
}

func TestOnTheTwinSetUpVerifiesAndRollsBackFieldByField(t *testing.T) {
	for name, spec := range variants() {
		t.Run(name, func(t *testing.T) {
			of := newOffice(t, twin.TenantOptions{Old: true, Domains: append(manyDomains(120), "contoso.com", "fabrikam.example")})
			before := of.snapshot()
			r := mustApply(t, of.engine(), spec)
			if len(r.Report.Drift) != 0 {
				t.Fatalf("drift after apply: %+v", r.Report.Drift)
			}
			if left := ids(planOf(t, of.engine(), spec)); len(left) != 0 {
				t.Fatalf("a second plan is not empty: %v", left)
			}
			back, err := of.engine().Rollback(t.Context(), spec, RollbackOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if len(back.Foreign) != 0 {
				t.Errorf("nobody else changed anything, but %+v", back.Foreign)
			}
			if diff := sameState(before, of.snapshot()); diff != "" {
				t.Errorf("after roll back (-before +after):\n%s", diff)
			}
		})
	}
}

// scramble gives the tenant some of our objects in other forms, among others, as
// an administrator could have made them.
func (of *office) scramble(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 11))
	coin := func() bool { return r.IntN(2) == 0 }
	pick := func(v ...any) any { return v[r.IntN(len(v))] }
	do := func(cmdlet string, p map[string]any) {
		if _, err := of.tenant.Invoke(of.t.Context(), twin.Admin(), cmdlet, p); err != nil {
			of.t.Fatalf("seed %d: %s %v: %v", seed, cmdlet, p, err)
		}
	}
	do("Set-RemoteDomain", map[string]any{"Identity": "Default", "TNEFEnabled": pick(nil, true, false), "CharacterSet": pick("utf-8", "iso-8859-1"), "AllowedOOFType": pick("External", "None", "ExternalLegacy")})
	do("Set-HostedConnectionFilterPolicy", map[string]any{"Identity": "Default", "EnableSafeList": coin(), "IPAllowList": pick([]any{}, []any{"192.0.2.10"}, []any{"198.51.100.0/24", "203.0.113.20"})})
	if coin() {
		do("New-OutboundConnector", map[string]any{"Name": "outbound relay", "ConnectorType": "Partner", "UseMXRecord": false, "SmartHosts": []any{"out.example"}, "IsTransportRuleScoped": true})
		do("New-TransportRule", map[string]any{"Name": "outbound", "FromScope": "InOrganization", "RouteMessageOutboundConnector": "outbound relay"})
	}
	spec, err := testSpec().clean()
	if err != nil {
		of.t.Fatal(err)
	}
	for _, o := range spec.objects(ConnectorPartner) {
		if o.Kind.single() || coin() {
			continue
		}
		p := map[string]any{"Name": o.Name}
		switch o.Kind {
		case SpoofItem:
			p = map[string]any{"Identity": "Default", "SpoofedUser": "*", "SendingInfrastructure": o.Create["SendingInfrastructure"], "SpoofType": o.Create["SpoofType"], "Action": pick("Allow", "Block")}
		case InboundConnector:
			p["SenderDomains"], p["Enabled"], p["RequireTls"], p["ConnectorType"] = pick([]any{"*"}, []any{"partner.example"}), coin(), coin(), "Partner"
			p["SenderIPAddresses"], p["Comment"] = pick([]any{}, []any{"198.51.100.1"}, []any{"192.0.2.10", "192.0.2.11", "203.0.113.20"}), "made by hand"
		case OutboundConnector:
			p["UseMXRecord"], p["SmartHosts"], p["IsTransportRuleScoped"], p["Enabled"], p["ConnectorType"] = false, []any{"other.example"}, coin(), coin(), "Partner"
			if p["IsTransportRuleScoped"] == false {
				p["RecipientDomains"] = []any{"partner.example"}
			}
		case TransportRule:
			p["Enabled"], p["StopRuleProcessing"], p["PrependSubject"] = coin(), coin(), "[x] "
			if coin() {
				p["ExceptIfFromScope"], p["Comments"] = "InOrganization", "made by hand"
			}
			if coin() {
				p["SetSCL"], p["SetHeaderName"], p["SetHeaderValue"] = pick(-1, 5), "X-Something", "else"
			}
			p["Priority"] = 0
		}
		do("New-"+string(o.Kind), p)
	}
	if coin() {
		do("New-TransportRule", map[string]any{"Name": "external mark", "FromScope": "NotInOrganization", "PrependSubject": "[External] ", "Priority": 0})
	}
}

// restore puts the tenant back to what it was when it was made.
func (of *office) restore(initial map[string][]twin.Object) {
	now := of.tenant.State()
	for noun := range now {
		if _, there := initial[noun]; !there {
			now[noun] = nil
		}
	}
	for noun, list := range initial {
		now[noun] = list
	}
	of.tenant.Edit(now)
	of.j = &memJournal{}
}

func TestOnTheTwinAnyStartingStateComesBackAsItWas(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	initial := of.tenant.State()
	seeds := uint64(500)
	if testing.Short() || raceDetector { // ten times as slow
		seeds = 40
	}
	for seed := range seeds {
		of.restore(initial)
		of.scramble(seed)
		before := of.snapshot()
		r := mustApply(t, of.engine(), testSpec())
		if len(r.Report.Drift) != 0 {
			t.Fatalf("seed %d: drift after apply: %+v", seed, r.Report.Drift)
		}
		if left := ids(planOf(t, of.engine(), testSpec())); len(left) != 0 {
			t.Fatalf("seed %d: a second plan is not empty: %v", seed, left)
		}
		if _, err := of.engine().Rollback(t.Context(), testSpec(), RollbackOptions{}); err != nil {
			t.Fatalf("seed %d: roll back: %v", seed, err)
		}
		if diff := sameState(before, of.snapshot()); diff != "" {
			t.Fatalf("seed %d: after roll back (-before +after):\n%s", seed, diff)
		}
	}
}

func TestOnTheTwinAKillAtEveryCallIsResumedAndUndone(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	initial := of.tenant.State()
	seeds := uint64(2)
	if testing.Short() || raceDetector {
		seeds = 1
	}
	for seed := range seeds {
		of.restore(initial)
		of.scramble(seed)
		of.tenant.Plan()
		mustApply(t, of.engine(), testSpec())
		total := of.tenant.Calls()
		for at := 1; at <= total; at++ {
			for _, done := range []bool{false, true} {
				if done && at < 10 {
					continue // the first calls only read
				}
				of.restore(initial)
				of.scramble(seed)
				before := of.snapshot()
				of.tenant.Plan(twin.Fault{Call: at, Times: 1000, Kind: twin.FaultKill, Done: done})
				ctx, cancel := context.WithCancel(t.Context())
				e := of.engine()
				e.Commander = stopAt{of.client, cancel}
				_, err := e.Apply(ctx, testSpec(), ApplyOptions{})
				cancel()
				var p *Problem
				if err != nil && !errors.As(err, &p) && !errors.Is(err, context.Canceled) {
					t.Errorf("killed at call %d: %v", at, err)
				}
				of.tenant.Plan()
				if at%2 == 0 {
					mustApply(t, of.engine(), testSpec())
				}
				if _, err := of.engine().Rollback(t.Context(), testSpec(), RollbackOptions{}); err != nil {
					t.Fatalf("seed %d, killed at call %d: roll back: %v", seed, at, err)
				}
				if diff := sameState(before, of.snapshot()); diff != "" {
					t.Fatalf("seed %d, killed at call %d (done %v): after roll back (-before +after):\n%s", seed, at, done, diff)
				}
			}
		}
	}
}

// stopAt ends the run at the first call that breaks, as the end of the process
// would.
type stopAt struct {
	Commander
	cancel context.CancelFunc
}

func (s stopAt) Invoke(ctx context.Context, cmdlet string, p map[string]any) ([]map[string]any, error) {
	out, err := s.Commander.Invoke(ctx, cmdlet, p)
	if err != nil && errors.Is(err, errBroken) {
		s.cancel()
	}
	return out, err
}
