package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/twin"
)

// TestExchange proves at a simulated Exchange that nobody gets past the relay, in
// through it, or the key out of it.
func TestExchange(t *testing.T) {
	w := newWorld(t, "debug")
	for _, tt := range []struct {
		name string
		f    func(t *testing.T)
	}{
		{"mail from outside comes round marked and lands in the inbox", w.ordinary},
		{"a forged processed header is not believed", w.forgedProcessed},
		{"a forged key is refused and nothing is stored", w.forgedKey},
		{"a key beside a forged one is held", w.severalKeys},
		{"the key of another tenant sends nothing on", w.othersKey},
		{"mail for a foreign domain is not relayed", w.foreignDomain},
		{"plaintext is refused before MAIL", w.plaintext},
		{"internal mail does not leave Exchange", w.internal},
		{"the null sender stays null", w.nullSender},
		{"mail that cannot be told apart is held and released through Exchange", w.released},
		{"a validation message is recorded and not sent on", w.validation},
		{"a rule that loops is stopped at the third pass", w.loop},
		{"the key is nowhere", w.canary},
	} {
		t.Run(tt.name, func(t *testing.T) {
			outer := w.t
			w.t, w.program.t = t, t
			defer func() { w.t, w.program.t = outer, outer }()
			tt.f(t)
		})
	}
}

func (w *world) ordinary(t *testing.T) {
	text := "Hello Ann,\r\n.dots and a last line\r\n"
	id, raw := w.message("", text)
	w.internet("alice@outside.test", "ann@"+contoso, raw)
	item := w.inbox("ann@"+contoso, id)
	h := headerOf(item.Raw)
	if item.Folder != "inbox" || string(body(item.Raw)) != text {
		t.Errorf("it is in %s with the body %q", item.Folder, body(item.Raw))
	}
	if got := h.All("x-trustifi-inbound-processed"); !slices.Equal(got, []string{"yes " + w.token[contoso]}) {
		t.Errorf("processed header: %q", got)
	}
	if len(h.All("x-trustifi-creds")) != 0 {
		t.Error("the key's header is in the mailbox")
	}
	if row := w.ends(id, "delivered"); row.Verdict != "clean" {
		t.Errorf("trace: %+v", row)
	}
}

// forgedProcessed forges with and without the tenant's own strip rules.
func (w *world) forgedProcessed(t *testing.T) {
	strips := w.rules(contoso, func(o twin.Object) bool { return o.String("RemoveHeader") != "" })
	for _, stripping := range []bool{true, false} {
		if !stripping {
			for _, name := range strips {
				w.cmdlet(contoso, "Disable-TransportRule", map[string]any{"Identity": name, "Confirm": false})
			}
		}
		id, raw := w.message("x-trustifi-inbound-processed: yes\r\nX-Trustifi-Inbound-Processed: yes, really\r\n", "Hello\r\n")
		w.internet("alice@outside.test", "ann@"+contoso, raw)
		got := headerOf(w.inbox("ann@"+contoso, id).Raw).All("x-trustifi-inbound-processed")
		if !slices.Equal(got, []string{"yes " + w.token[contoso]}) || w.ends(id, "delivered").Verdict == "" {
			t.Errorf("with strip rules %v: %q", stripping, got)
		}
		id, raw = w.message("x-trustifi-inbound-processed: yes\r\nContent-Type: application/octet-stream; name=x.com\r\n", eicar+"\r\n")
		w.internet("alice@outside.test", "ann@"+contoso, raw)
		if w.ends(id, "held").Verdict != "malware" || len(w.arrived("ann@"+contoso, id)) != 0 {
			t.Error("EICAR came past the relay with a forged header")
		}
	}
	for _, name := range strips {
		w.cmdlet(contoso, "Enable-TransportRule", map[string]any{"Identity": name, "Confirm": false})
	}
}

// handIn sends to the relay directly, as somebody at an address of Exchange could.
func (w *world) handIn(t *testing.T, from, to, head string) (string, answer) {
	t.Helper()
	id, raw := w.message("", "Hello\r\n")
	c, err := w.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	a, err := c.send(posting{from: from, to: []string{to}, raw: append([]byte(head), raw...)})
	if err != nil {
		t.Fatal(err)
	}
	return id, a
}

func (w *world) forgedKey(t *testing.T) {
	forged := "postern-aaaaaaaa-" + strings.Repeat("b", 52)
	for name, head := range map[string]string{
		"no key": "", "a key of the right form": "x-trustifi-creds: " + forged + "\r\n", "an empty one": "x-trustifi-creds:\r\n",
		"almost the key": "x-trustifi-creds: " + w.keys[contoso][:len(w.keys[contoso])-1] + "\r\n", "yes": "x-trustifi-inbound-processed: yes " + w.token[contoso] + "\r\n",
	} {
		id, a := w.handIn(t, "alice@outside.test", "ann@"+contoso, head)
		if a.code != 550 || !strings.HasPrefix(a.text, "5.7.1 ") {
			t.Errorf("%s: %s", name, a)
		}
		if rows := w.trace(id); len(rows) != 0 {
			t.Errorf("%s: it is in the trace: %+v", name, rows)
		}
	}
}

func (w *world) severalKeys(t *testing.T) {
	forged := "postern-aaaaaaaa-" + strings.Repeat("b", 52)
	id, a := w.handIn(t, "alice@outside.test", "ann@"+contoso, "x-trustifi-creds: "+forged+"\r\nX-Trustifi-Creds: "+w.keys[contoso]+"\r\n")
	if a.code != 250 {
		t.Fatalf("answered %s: an outside sender would get a bounce that quotes the key", a)
	}
	w.ends(id, "held")
	w.alarmed(t, "several-keys")
}

func (w *world) othersKey(t *testing.T) {
	id, a := w.handIn(t, "alice@outside.test", "ann@"+contoso, "x-trustifi-creds: "+w.keys[fabrikam]+"\r\n")
	if a.code != 250 {
		t.Fatalf("answered %s", a)
	}
	row := w.ends(id, "held")
	if len(row.Reasons) == 0 || !strings.Contains(row.Reasons[0], "not in one of its domains") {
		t.Errorf("reasons: %q", row.Reasons)
	}
	time.Sleep(300 * time.Millisecond)
	if len(w.arrived("ann@"+contoso, id)) != 0 {
		t.Error("it arrived")
	}
	w.alarmed(t, "recipient-domain")
}

func (w *world) foreignDomain(t *testing.T) {
	if _, a := w.handIn(t, "alice@outside.test", "victim@elsewhere.test", ""); a.code != 550 {
		t.Errorf("without a key: %s", a)
	}
	for _, to := range []string{"victim@elsewhere.test", "victim%elsewhere.test@sub." + contoso, "x@" + contoso + ".elsewhere.test"} {
		id, a := w.handIn(t, "alice@outside.test", to, "x-trustifi-creds: "+w.keys[contoso]+"\r\n")
		if a.code != 250 {
			t.Errorf("%s: answered %s", to, a)
			continue
		}
		w.ends(id, "held")
	}
}

func (w *world) plaintext(t *testing.T) {
	c, err := dial(w.smtp, true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for _, line := range []string{"MAIL FROM:<alice@outside.test>", "MAIL FROM:<>"} {
		if a, err := c.say(line); err != nil || a.code != 530 || !strings.HasPrefix(a.text, "5.7.0 ") {
			t.Errorf("%s: %s, %v", line, a, err)
		}
	}
	if a, err := c.say("RCPT TO:<ann@%s>", contoso); err != nil || a.code/100 != 5 {
		t.Errorf("RCPT: %s, %v", a, err)
	}
}

func (w *world) internal(t *testing.T) {
	id, raw := w.message("", "Lunch?\r\n")
	if err := w.twin.Tenant(contoso).Submit("bob@"+contoso, []string{"ann@" + contoso}, raw); err != nil {
		t.Fatal(err)
	}
	w.inbox("ann@"+contoso, id)
	if rows := w.trace(id); len(rows) != 0 {
		t.Errorf("it passed the relay: %+v", rows)
	}
}

func (w *world) nullSender(t *testing.T) {
	id, raw := w.message("Auto-Submitted: auto-replied\r\n", "Delivery failed.\r\n")
	w.internet("", "ann@"+contoso, raw)
	if item := w.inbox("ann@"+contoso, id); item.From != "" {
		t.Errorf("it came from <%s>", item.From)
	}
	w.ends(id, "delivered")
}

func (w *world) released(t *testing.T) {
	text := heldText + "\r\n"
	id, raw := w.message("Content-Type: text/plain\r\n", text)
	w.internet("alice@outside.test", "bob@"+contoso, raw)
	row := w.ends(id, "held")
	var out []struct{ ID, State, Reply string }
	w.do(&out, "quarantine", "release", row.ID)
	if len(out) != 1 || out[0].State != "delivered" || !strings.HasPrefix(out[0].Reply, "250") {
		t.Errorf("release: %+v", out)
	}
	if item := w.inbox("bob@"+contoso, id); string(body(item.Raw)) != text {
		t.Errorf("the body is %q", body(item.Raw))
	}
	if o := w.run("quarantine", "release", row.ID); o.code != 1 || !strings.Contains(o.stderr, "not held") {
		t.Errorf("a second release: exit %d: %s", o.code, o.stderr)
	}
	if n := len(w.arrived("bob@"+contoso, id)); n != 1 {
		t.Errorf("it arrived %d times", n)
	}
}

func (w *world) validation(t *testing.T) {
	id, a := w.handIn(t, "O365ConnectorValidation@"+contoso, "ann@"+contoso, "")
	if a.code != 250 {
		t.Fatalf("answered %s", a)
	}
	if row := w.ends(id, "dropped"); len(w.arrived("ann@"+contoso, id)) != 0 {
		t.Errorf("it arrived: %+v", row)
	}
	for from, to := range map[string]string{"o365connectorvalidation@elsewhere.test": "ann@" + contoso, "O365ConnectorValidation@" + contoso: "victim@elsewhere.test"} {
		if _, a := w.handIn(t, from, to, ""); a.code != 550 {
			t.Errorf("from %s to %s: %s", from, to, a)
		}
	}
}

// loop takes the exceptions off Fabrikam's redirecting rule.
func (w *world) loop(t *testing.T) {
	redirects := w.rules(fabrikam, func(o twin.Object) bool { return o.String("RouteMessageOutboundConnector") != "" })
	if len(redirects) == 0 {
		t.Fatal("there is no redirecting rule")
	}
	for _, name := range redirects {
		w.cmdlet(fabrikam, "Set-TransportRule", map[string]any{"Identity": name, "ExceptIfHeaderContainsMessageHeader": nil, "ExceptIfHeaderContainsWords": nil, "ExceptIfSenderIpRanges": nil})
	}
	id, raw := w.message("", "Round and round\r\n")
	w.internet("alice@outside.test", "eve@"+fabrikam, raw)
	row := w.ends(id, "held")
	if len(row.Reasons) == 0 || !strings.Contains(row.Reasons[0], "loop") {
		t.Errorf("reasons: %q", row.Reasons)
	}
	if rows := w.trace(id); len(rows) != 3 {
		t.Errorf("it came to the relay %d times, want 3", len(rows))
	}
	w.alarmed(t, "loop")
}

// alarmed wants an alarm of a kind.
func (p *program) alarmed(t *testing.T, kind string) {
	t.Helper()
	var alarms []struct{ Kind, Text string }
	p.do(&alarms, "alarm", "list")
	for _, a := range alarms {
		if a.Kind == kind {
			return
		}
	}
	t.Errorf("there is no alarm %s: %+v", kind, alarms)
}

// canary looks for the keys wherever something leaves the program or stays.
func (w *world) canary(t *testing.T) {
	outputs := map[string]string{}
	for _, args := range [][]string{{"trace", "--limit", "10000"}, {"quarantine", "list"}, {"alarm", "list"}, {"queue", "list"}, {"domain", "list"}, {"key", "list"}, {"tenant", "list"}, {"check"}} {
		for _, format := range [][]string{{"--json"}, nil} {
			o := w.run(append(format, args...)...)
			outputs[strings.Join(args, " ")+strings.Join(format, " ")] = string(o.stdout) + o.stderr
		}
	}
	var held []struct{ ID string }
	if err := json.Unmarshal([]byte(outputs["quarantine list--json"]), &held); err != nil || len(held) == 0 {
		t.Fatalf("nothing is held: %v", err)
	}
	for _, h := range held {
		o := w.run("--json", "quarantine", "show", h.ID)
		outputs["quarantine show "+h.ID] = string(o.stdout) + o.stderr
	}
	for _, path := range []string{"/metrics", "/health", "/ready"} {
		_, outputs[path] = w.web(path)
	}
	outputs["log"] = read(t, w.log)
	for _, addr := range []string{"ann@" + contoso, "bob@" + contoso, "eve@" + fabrikam} {
		for _, it := range w.twin.Mailbox(addr) {
			outputs["mailbox of "+addr] += string(it.Raw)
		}
	}
	for _, n := range w.twin.NDRs() {
		outputs["NDR"] += string(n.Raw)
	}
	for domain, key := range w.keys {
		secret := key[len(key)-52:]
		for where, text := range outputs {
			if strings.Contains(strings.ToLower(text), secret) {
				t.Errorf("the key of %s is in %s", domain, where)
			}
		}
		for _, folder := range []string{w.data(), w.dir} {
			if files := filesWith(t, folder, secret); len(files) > 0 {
				t.Errorf("the key of %s is in %v", domain, files)
			}
		}
	}
	seen := slices.ContainsFunc(w.twin.Sent(), func(s twin.Sent) bool { return strings.Contains(string(s.Raw), w.keys[contoso]) })
	if !seen {
		t.Error("Exchange never sent the key to the relay: the test saw nothing")
	}
	if len(outputs["mailbox of ann@"+contoso]) == 0 || len(outputs["log"]) == 0 || !strings.Contains(outputs["/metrics"], "postern_") {
		t.Error("an output is empty: the test saw nothing")
	}
}
