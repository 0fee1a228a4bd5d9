package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/smtp"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pquerna/otp/totp"

	"postern/internal/admin"
	"postern/internal/freeport"
	"postern/internal/mail"
	"postern/internal/store"
	"postern/internal/twin"
	"postern/internal/twin/wire"
)

// canaries are secrets, by name, and everything that was put out, by kind.
type canaries struct {
	t       *testing.T
	mu      sync.Mutex
	secrets map[string][]string
	outputs map[string]*bytes.Buffer
}

func (c *canaries) secret(name string, values ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range values {
		if len(v) < 10 {
			c.t.Fatalf("%s is too short to be searched for: %q", name, v)
		}
		if !slices.Contains(c.secrets[name], v) {
			c.secrets[name] = append(c.secrets[name], v)
		}
	}
}

func (c *canaries) output(kind, from string, octets []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outputs[kind] == nil {
		c.outputs[kind] = &bytes.Buffer{}
	}
	fmt.Fprintf(c.outputs[kind], "\n<<output %s>>\n", from)
	c.outputs[kind].Write(octets)
}

// spellings are the ways in which a secret could stand somewhere.
func spellings(s string) map[string]bool {
	quoted, _ := json.Marshal(s)
	return map[string]bool{s: true, string(quoted[1 : len(quoted)-1]): true, url.QueryEscape(s): true, hex.EncodeToString([]byte(s)): true,
		base64.StdEncoding.EncodeToString([]byte(s)): true, base64.RawURLEncoding.EncodeToString([]byte(s)): true, strings.ReplaceAll(s, "+", "&#43;"): true}
}

// search looks for every secret in every output. meant are the places where one is
// to be seen, "secret in kind".
func (c *canaries) search(meant ...string) {
	c.t.Helper()
	hits, octets := 0, 0
	seen := map[string]bool{}
	for kind, out := range c.outputs {
		octets += out.Len()
		for name, values := range c.secrets {
			for _, value := range values {
				for form := range spellings(value) {
					i := bytes.Index(out.Bytes(), []byte(form))
					if i < 0 {
						continue
					}
					if place := name + " in " + kind; slices.Contains(meant, place) {
						seen[place] = true
						continue
					}
					hits++
					before := out.Bytes()[:i]
					from := string(before[bytes.LastIndex(before, []byte("<<output "))+9:])
					if n := strings.Index(from, ">>"); n >= 0 {
						from = from[:n]
					}
					c.t.Errorf("%s is in %s: %s …%q", name, kind, from, out.Bytes()[max(0, i-60):i])
				}
			}
		}
	}
	for _, place := range meant {
		if !seen[place] {
			c.t.Errorf("%s is meant to be seen, and is not: the search would miss it elsewhere too", place)
		}
	}
	n := 0
	for _, values := range c.secrets {
		n += len(values)
	}
	c.t.Logf("%d secrets of %d kinds, %d kinds of output, %d MiB: %d hits", n, len(c.secrets), len(c.outputs), octets>>20, hits)
}

// crash keeps what the program would print if it crashed at this moment: the stacks of
// all that it is doing.
func (c *canaries) crash(when string) {
	stacks := make([]byte, 1<<20)
	c.output("crash output", when, stacks[:runtime.Stack(stacks, true)])
}

// went reports whether something from there was put out.
func (c *canaries) went(kind, from string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outputs[kind] != nil && bytes.Contains(c.outputs[kind].Bytes(), []byte("<<output "+from+">>"))
}

// sink is the server behind a second domain: it keeps what it gets, or refuses it.
type sink struct{ c *canaries }

func (sink) Rcpt(context.Context, *wire.Envelope, string) wire.Reply {
	return wire.Reply{Code: 250, Text: "2.1.5 ok"}
}
func (s sink) Data(_ context.Context, env *wire.Envelope, raw []byte) wire.Reply {
	s.c.output("mail that goes on", strings.Join(env.To, ","), raw)
	if strings.HasPrefix(env.To[0], "refused@") {
		return wire.Reply{Code: 550, Text: "5.7.1 the content is not wanted here"}
	}
	return wire.Reply{Code: 250, Text: "2.0.0 ok"}
}

// canaryWorld is a world that logs all it can, in JSON, beside a sign-in service whose
// access tokens are known.
func canaryWorld(t *testing.T) (*demoWorld, *canaries, *os.File) {
	t.Helper()
	c := &canaries{t: t, secrets: map[string][]string{}, outputs: map[string]*bytes.Buffer{}}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	w, err := newDemoWorldLike(t.Context(), t.TempDir(), "127.0.0.1:0", demoLike{log: log,
		twin: func(o *twin.Options) { o.Tenants[0].Domains = append(o.Tenants[0].Domains, "sink.example") },
		conf: func(conf *Config) {
			conf.Log = LogConfig{Level: "debug", Format: "json"}
			conf.Metrics.Listen = freeAddress(t)
		},
		calls: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
					c.secret("access token", bearer)
				}
				c.crash("a call of Exchange") // while what it needs is in the hands of those who make it
				next.ServeHTTP(w, r)
			})
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	return w, c, log
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Loopback()
	if err != nil {
		t.Fatal(err)
	}
	return address.String()
}

// submit hands a message to the relay as Exchange does.
func (w *demoWorld) submit(t *testing.T, to, content string) error {
	t.Helper()
	s, err := smtp.Dial(w.conf.SMTP.Listen[0])
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Hello("mail-db8eur05on2100.outbound.protection.outlook.com"); err != nil {
		return err
	}
	if err := s.StartTLS(&tls.Config{InsecureSkipVerify: true}); err != nil {
		return err
	}
	if err := s.Mail("ben@unknown.example"); err != nil {
		return err
	}
	if err := s.Rcpt(to); err != nil {
		return err
	}
	body, err := s.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(body, content); err != nil {
		return err
	}
	return body.Close()
}

// visitor is somebody signed in to the portal.
type visitor struct {
	c    *canaries
	who  string
	base string
	http *http.Client
	form string
}

var formField = regexp.MustCompile(`name="form" value="([^"]+)"`)

// ask makes a request and keeps what comes; kind "" keeps nothing, for the places
// where a secret is meant to be shown.
func (v *visitor) ask(kind, method, path string, form url.Values) string {
	v.c.t.Helper()
	var in io.Reader
	if method == http.MethodPost {
		form = maps.Clone(form)
		if form == nil {
			form = url.Values{}
		}
		if !form.Has("form") {
			form.Set("form", v.form)
		}
		in = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(v.c.t.Context(), method, v.base+path, in)
	if err != nil {
		v.c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := v.http.Do(r)
	if err != nil {
		v.c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		v.c.t.Fatal(err)
	}
	for _, cookie := range resp.Cookies() {
		if strings.HasSuffix(cookie.Name, "session") && cookie.Value != "" {
			v.c.secret("session cookie", cookie.Value)
		}
	}
	if m := formField.FindSubmatch(b); m != nil {
		v.form = string(m[1])
		v.c.secret("form token", v.form)
	}
	if kind != "" {
		header := resp.Header.Clone()
		header.Del("Set-Cookie")
		v.c.output(kind, fmt.Sprintf("%s %s as %s: %s", method, path, v.who, resp.Status), fmt.Appendf(b, "\n%v", header))
	}
	return string(b)
}

func newVisitor(c *canaries, w *demoWorld, who string) *visitor {
	jar := &plainJar{}
	return &visitor{c: c, who: who, base: "http://" + w.server.portalAddr(), http: &http.Client{Jar: jar, Timeout: patience}}
}

// plainJar sends every cookie back to whoever set it.
type plainJar struct {
	mu  sync.Mutex
	all map[string]*http.Cookie
}

func (j *plainJar) SetCookies(_ *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.all == nil {
		j.all = map[string]*http.Cookie{}
	}
	for _, c := range cookies {
		j.all[c.Name] = c
	}
}

func (j *plainJar) Cookies(*url.URL) (list []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.all {
		list = append(list, c)
	}
	return list
}

// firstOwner makes the owner as a browser does, and notes every secret on the way.
func (v *visitor) firstOwner(w *demoWorld) {
	t, c := v.c.t, v.c
	const password = "correct-horse-canary-battery-7731"
	token := w.token(t)
	c.secret("one-time token", token)
	c.secret("password", password)
	v.ask("pages", "GET", "/setup", nil)
	v.ask("pages", "POST", "/setup", url.Values{"token": {"WRONGTOKENWRONGTOKENWRONG1"}, "email": {"ann@contoso.example"}, "password": {password}})
	page := v.ask("", "POST", "/setup", url.Values{"token": {token}, "email": {"ann@contoso.example"}, "password": {password}})
	found := regexp.MustCompile(`name="secret" value="([A-Z2-7]+)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no second factor is offered:\n%.2000s", page)
	}
	c.secret("second factor", found[1])
	code, err := totp.GenerateCode(found[1], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	page = v.ask("", "POST", "/second-factor", url.Values{"secret": {found[1]}, "code": {code}})
	codes := regexp.MustCompile(`\b[0-9A-Za-z]{4,6}(?:-[0-9A-Za-z]{4,6})+\b`).FindAllString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " "), -1)
	if len(codes) < 6 {
		t.Fatalf("only %d recovery codes:\n%.3000s", len(codes), page)
	}
	c.secret("recovery code", codes...)
}

// P16: secrets of every kind, everything exercised, and all that comes out searched.
func TestSecretsAreInNoOutput(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	w, c, log := canaryWorld(t)
	owner := newVisitor(c, w, "owner")
	owner.firstOwner(w)
	held := c.exercise(w, owner)
	for _, role := range []string{"owner", "security-admin", "helpdesk", "auditor", "user"} {
		c.crawl(w, role, held)
	}
	c.commands(w, held)
	c.files(w)
	octets, err := os.ReadFile(log.Name())
	if err != nil {
		t.Fatal(err)
	}
	c.output("log", "everything, at level debug", octets)
	if len(octets) < 1000 {
		t.Errorf("the log has only %d octets", len(octets))
	}
	c.search(
		"form token in content that was asked for",
		"form token in pages",                  // every form bears its session's
		"processed token in mail that goes on", // Exchange's rules know returned mail by it
		"text of a message in mail that goes on",
		"text of a message in content that was asked for",
	)
}

const canaryText = "the-canary-sings-in-the-body-4471"

// exercise does everything that has to do with secrets once, and much that goes wrong.
func (c *canaries) exercise(w *demoWorld, owner *visitor) (held []string) {
	t, ctx := c.t, c.t.Context()
	c.secret("text of a message", canaryText)
	owner.ask("pages", "POST", "/tenants", url.Values{"name": {"Contoso"}})
	x := newExchange(w.opened, nil)
	add := func(domain, host string, port int, how mail.TLSMode) {
		if _, err := x.AddDomain(ctx, mail.Domain{Name: domain, Tenant: "contoso", MTAs: []mail.MTA{{Host: host, Port: port, TLS: how}}}); err != nil {
			t.Fatal(err)
		}
	}
	add(demoDomain, twin.MXHost(demoDomain), w.mxPort(), mail.TLSVerify)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &wire.Server{Hostname: "mx.sink.example", Handler: sink{c}}
	go func() { _ = server.Serve(l) }() // ends with the listener
	t.Cleanup(func() { l.Close(); server.Close() })
	add("sink.example", "127.0.0.1", l.Addr().(*net.TCPAddr).Port, mail.TLSNone)
	owner.ask("", "POST", "/t/contoso/inbound/domain/"+demoDomain+"/enable", nil) // shows the key
	owner.ask("pages", "POST", "/t/contoso/inbound/domain/sink.example/enable", nil)
	key, err := x.PendingKey(ctx, "contoso")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := x.Spec(ctx, "contoso")
	if err != nil {
		t.Fatal(err)
	}
	o := w.twin.Tenants()[0]
	c.secret("relay key", key.Key)
	c.secret("processed token", spec.Token)
	c.secret("client secret", o.ClientSecret, "a-wrong-client-secret-canary")
	root, err := os.ReadFile(w.conf.path("root.key"))
	if err != nil {
		t.Fatal(err)
	}
	c.secret("root key", strings.TrimSpace(string(root)))

	connect := url.Values{"way": {"secret"}, "organization": {o.Organization}, "client": {o.ClientID}}
	for _, secret := range []string{"a-wrong-client-secret-canary", o.ClientSecret} {
		connect.Set("secret", secret)
		owner.ask("pages", "POST", "/t/contoso/exchange/connect", connect)
		c.ended(owner)
	}
	connect.Set("organization", "") // refused as it stands
	owner.ask("pages", "POST", "/t/contoso/exchange/connect", connect)
	owner.ask("pages", "GET", "/t/contoso/exchange/plan", nil)
	o.Plan(twin.Fault{Cmdlet: "New-TransportRule", Kind: twin.FaultStatus, Status: 400}) // a refusal that could quote what was sent
	for range 2 {
		owner.ask("pages", "POST", "/t/contoso/exchange/apply", nil)
		c.ended(owner)
	}
	if ok, err := x.State(ctx, "contoso"); err != nil || !ok.Redirects() {
		t.Fatalf("Exchange is not set up: %+v, %v", ok, err)
	}
	script := owner.ask("", "POST", "/t/contoso/exchange/script", url.Values{"organization": {o.Organization}})
	if m := regexp.MustCompile(`psr_[\w-]+`).FindString(script); m != "" && strings.Contains(script, key.Key) {
		c.secret("script token", m)
		_, _ = rest(ctx, "POST", owner.base+"/script-report", map[string]string{"Authorization": "Bearer " + m}, `{"mode":"Apply","total":3}`)
		_, err := rest(ctx, "POST", owner.base+"/script-report", map[string]string{"Authorization": "Bearer " + m}, `{"mode":"Apply"}`)
		c.output("answers to scripts", "the second use", []byte(fmt.Sprint(err)))
	} else {
		t.Fatalf("the script holds no key or token:\n%.400s", script)
	}
	during := make(chan struct{})
	go func() {
		defer close(during)
		for range 20 {
			c.crash("a sign-in")
			time.Sleep(2 * time.Millisecond)
		}
	}()
	owner.ask("pages", "POST", "/sign-in", url.Values{"email": {"ann@contoso.example"}, "password": {"correct-horse-canary-battery-7731 "}})
	<-during

	return c.mails(w, owner, key.Key)
}

// ended waits until a change of Exchange has ended, and keeps what its page said.
func (c *canaries) ended(v *visitor) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if page := v.ask("pages", "GET", "/t/contoso/exchange/run", nil); !strings.Contains(page, "data-live") {
			return
		}
	}
	c.t.Fatal("the change of Exchange does not end")
}

// mails sends what is delivered, held, refused here and refused behind.
func (c *canaries) mails(w *demoWorld, owner *visitor, key string) (held []string) {
	t, ctx := c.t, c.t.Context()
	if err := w.server.relay.Directory.Load(ctx); err != nil {
		t.Fatal(err)
	}
	header := func(creds string) string {
		return creds + "From: Ben <ben@unknown.example>\r\nTo: ann@contoso.example\r\nSubject: minutes\r\nDate: " + time.Now().Format(time.RFC1123Z) + "\r\nMessage-ID: <" + string(mail.NewID()) + "@unknown.example>\r\n\r\n"
	}
	good := "x-trustifi-creds: " + key + "\r\n"
	folded := "X-Trustifi-Creds:\r\n " + key + "\r\nx-trustifi-creds: " + key + "\r\n"
	wrong := "x-trustifi-creds: pk_" + strings.Repeat("w", 43) + "\r\n"
	c.secret("a wrong key", "pk_"+strings.Repeat("w", 43))
	bad := "POSTERN" + "*TEST*PHISH*8RV2 "
	for _, m := range []struct{ to, content string }{
		{"ann@sink.example", header(good) + canaryText},
		{"refused@sink.example", header(good) + canaryText},
		{"bob@sink.example", header(folded) + canaryText},
		{"ann@" + demoDomain, header(good) + bad + canaryText},
		{"ann@sink.example", header(folded+wrong) + canaryText}, // two keys: held
		{"ann@elsewhere.example", header(good) + canaryText},
		{"ann@sink.example", header(wrong) + canaryText},
		{"ann@sink.example", header("") + canaryText},
	} {
		if err := w.submit(t, m.to, m.content); err != nil {
			c.output("answers to Exchange", m.to, []byte(err.Error()))
		}
	}
	if _, err := w.send(ctx, demoMail{from: "ben@unknown.example", to: []string{demoMailbox}, ip: demoSource, helo: "mx1.northwind.example", raw: []byte(header("") + canaryText)}, patience); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		rows, err := w.opened.store.Quarantine(ctx, store.TraceFilter{Tenant: "contoso"})
		if err != nil {
			t.Fatal(err)
		}
		held = nil
		for _, r := range rows {
			held = append(held, copyID(r.ID, r.N))
		}
		if len(held) >= 3 && c.went("mail that goes on", "refused@sink.example") && c.went("mail that goes on", "ann@sink.example") {
			break
		}
		if time.Now().After(end) {
			all, _ := w.opened.store.Trace(ctx, store.TraceFilter{Tenant: "contoso"})
			for _, r := range all {
				t.Log(r.To, r.State, r.Reply, r.Reasons, r.Events)
			}
			t.Fatalf("held are %q", held)
		}
	}
	for _, id := range held {
		owner.ask("content that was asked for", "POST", "/t/contoso/mail/"+id+"/read", url.Values{"reason": {"canary"}, "part": {"content"}}) // leads to the page with the text
		owner.ask("content that was asked for", "POST", "/t/contoso/mail/"+id+"/download", url.Values{"reason": {"canary"}})
	}
	owner.ask("pages", "POST", "/t/contoso/mail/nothing.0/read", url.Values{"reason": {"canary"}})
	return held
}

// crawl asks for every page and every reading operation of the API in a role.
func (c *canaries) crawl(w *demoWorld, role string, held []string) {
	t, ctx := c.t, c.t.Context()
	a := w.opened.admin()
	email := role + "@canary.example"
	u, err := a.AddUser(ctx, email, "", role)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	token, s, err := a.Renew(ctx, store.Session{Email: email, Hash: []byte(email), ID: email, Stage: "in", CreatedAt: now, SeenAt: now, FreshAt: now}, admin.Visitor{})
	if err != nil {
		t.Fatal(err)
	}
	v := newVisitor(c, w, role)
	c.secret("session cookie", token)
	v.form = a.FormToken(s)
	v.http.Jar.SetCookies(nil, []*http.Cookie{{Name: "postern-session", Value: token}})
	paths := regexp.MustCompile(`\{"GET", "(/[^"]*)"`).FindAllStringSubmatch(repo(t, "internal/portal/routes.go"), -1)
	if len(paths) < 40 {
		t.Fatalf("only %d pages are known", len(paths))
	}
	fill := strings.NewReplacer("{tenant}", "contoso", "{domain}", demoDomain, "{do}", "disable", "{$}", "", "{email}", email, "{id}", held[0])
	for _, m := range paths {
		if path := fill.Replace(m[1]); !strings.HasSuffix(path, "/live") {
			v.ask("pages", "GET", path, nil)
		}
	}
	for _, path := range []string{"/nowhere", "/t/nobody/", "/t/contoso/audit?check=yes", "/t/contoso/inbound/plan?edit=" + demoDomain, "/t/contoso/exchange/connect?way=script", "/t/contoso/exchange/connect?way=graph", "/t/contoso/exchange/protection?step=choose", "/health", "/ready"} {
		v.ask("pages", "GET", path, nil)
	}
	if role != "owner" && role != "security-admin" {
		return
	}
	wish := admin.TokenWish{Name: "canary " + role}
	if role != "owner" {
		wish.Tenant = "contoso"
	}
	for _, scope := range admin.Scopes() {
		if role == "owner" || slices.Contains(scope.Roles, role) {
			wish.Scopes = append(wish.Scopes, scope.Name)
		}
	}
	bearer, _, err := a.AddToken(ctx, u, wish)
	if err != nil {
		t.Fatal(err)
	}
	c.secret("API token", bearer)
	c.program(v, bearer, held)
}

// program asks the API for all that can be read.
func (c *canaries) program(v *visitor, bearer string, held []string) {
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(v.ask("answers of the API", "GET", "/api/openapi.json", nil)), &doc); err != nil {
		c.t.Fatal(err)
	}
	fill := strings.NewReplacer("{tenant}", "contoso", "{domain}", demoDomain, "{message}", held[0], "{id}", held[0], "{email}", "ann@contoso.example")
	asked := 0
	for path, methods := range doc.Paths {
		if methods["get"] == nil {
			continue
		}
		for _, with := range []string{bearer, bearer + "x"} {
			r, err := http.NewRequestWithContext(c.t.Context(), "GET", v.base+"/api/v1"+strings.TrimPrefix(fill.Replace(path), "/api/v1"), nil)
			if err != nil {
				c.t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+with)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				c.t.Fatal(err)
			}
			b, _ := io.ReadAll(io.LimitReader(resp.Body, 16<<20)) // what came is searched
			resp.Body.Close()
			c.output("answers of the API", path+" "+resp.Status, b)
			asked++
		}
	}
	if asked < 30 {
		c.t.Errorf("only %d requests to the API", asked)
	}
}

// commands runs what the command line can show.
func (c *canaries) commands(w *demoWorld, held []string) {
	config := filepath.Join(w.conf.Data, "postern.yaml")
	for _, args := range [][]string{
		{"tenant", "list"}, {"domain", "list"}, {"domain", "resolve", demoDomain}, {"queue", "list"}, {"alarm", "list"}, {"trace"}, {"quarantine", "list"},
		{"quarantine", "show", held[0]}, {"exchange", "status"}, {"exchange", "plan", "--tenant", "contoso"}, {"exchange", "verify", "--tenant", "contoso"},
		{"exchange", "guide", "--tenant", "contoso"}, {"exchange", "protection", "list", "--tenant", "contoso"}, {"exchange", "watch", "--tenant", "contoso"},
		{"sender", "list", "--tenant", "contoso"}, {"check"}, {"verify-data"}, {"version"}, {"exchange", "plan", "--tenant", "nobody"}, {"key", "retire", "--tenant", "nobody"},
	} {
		for _, form := range [][]string{nil, {"--json"}} {
			var out bytes.Buffer
			code := run(c.t.Context(), slices.Concat([]string{"--config", config}, form, args), strings.NewReader(""), &out, &out)
			if code == exitUsage {
				c.t.Errorf("%v: %s", args, out.String())
			}
			c.output("command line", strings.Join(args, " "), out.Bytes())
		}
	}
}

// files gathers the metrics, the data folder as it lies there, a backup, and what
// was left in temporary folders.
func (c *canaries) files(w *demoWorld) {
	t := c.t
	resp, err := http.Get("http://" + w.conf.Metrics.Listen + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	figures, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	c.output("metrics", "/metrics", figures)
	var out bytes.Buffer
	file := filepath.Join(t.TempDir(), "backup")
	if code := run(t.Context(), []string{"--config", filepath.Join(w.conf.Data, "postern.yaml"), "backup", file, "--without-key"}, strings.NewReader(""), &out, &out); code != exitDone {
		t.Fatalf("backup: %s", out.String())
	}
	c.output("command line", "backup", out.Bytes())
	packed, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	z, err := zstd.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for archive := tar.NewReader(z); ; {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		c.output("backup", h.Name, b)
	}
	for kind, folder := range map[string]string{"database and data folder": w.conf.Data, "temporary folders": os.TempDir()} {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || d.Name() == "root.key" {
				return err
			}
			b, err := os.ReadFile(path)
			c.output(kind, d.Name(), b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Contains(c.outputs["database and data folder"].Bytes(), []byte("<<output postern.db-wal>>")) {
		t.Error("the database's log was not looked at")
	}
}
