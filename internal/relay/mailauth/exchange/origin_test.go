package exchange

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"postern/internal/corpus"
	"postern/internal/mail"
)

func header(t testing.TB, file string) mail.Header {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h, _ := mail.SplitHeader(b)
	return h
}

func TestSyntheticSamples(t *testing.T) {
	dir := corpus.Path(t, "..", "reference", "m365", "headers", "synthetic")
	text, err := os.ReadFile(filepath.Join(dir, "envelopes.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Tenant   string
		Messages map[string]struct {
			From string `json:"mail_from"`
		}
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	good := 0
	for _, c := range []struct {
		file, ip, from string
		internal       bool
		dmarc, comp    string
		tenant         string
	}{
		{"in-01-redirected-internet-pass.eml", "203.0.113.25", "alice@sender.example", false, "pass", "pass 100", all.Tenant},
		{"in-02-redirected-internet-spoof.eml", "", "bounce@bulk.example", false, "fail", "fail 000", all.Tenant},
		{"in-03-redirected-internal-to-internal.eml", "invalid IP", "carol@contoso.example", true, "none", " ", all.Tenant},
		{"in-04-null-sender-ndr.eml", "203.0.113.30", "", false, "none", "fail 001", all.Tenant},
		{"in-05-attack-forged-processed-header.eml", "", "evil@bad.example", false, "", "", all.Tenant},
		{"in-06-attack-other-tenant-no-creds.eml", "198.51.100.80", "@bank.example", false, "fail", " ", "99999999-8888-4777-8666-555555555555"},
		{"in-07-attack-direct-forged-exo-headers.eml", "", "alice@sender.example", false, "", "", all.Tenant},
		{"in-08-connector-validation.eml", "invalid IP", "O365ConnectorValidation@contoso.onmicrosoft.com", false, "", "", ""},
		{"in-09-redirected-srs-envelope.eml", "203.0.113.25", "alice@sender.example", false, "pass", "pass 100", all.Tenant},
		{"in-10-redirected-ipv6-client.eml", "2001:db8:25::25", "alice@sender.example", false, "pass", "pass 100", all.Tenant},
		{"in-11-calendar-request.eml", "203.0.113.25", "alice@sender.example", false, "pass", "pass 100", all.Tenant},
		{"in-12-attack-forged-eop-trace-below-real.eml", "198.51.100.13", "evil@bad.example", false, "fail", "fail 000", all.Tenant},
		{"in-13-loop-second-pass.eml", "192.0.2.10", "alice@sender.example", false, "pass", "pass 130", all.Tenant},
	} {
		t.Run(c.file, func(t *testing.T) {
			origin, x, ok := Read(header(t, filepath.Join(dir, c.file)), all.Messages[c.file].From)
			if ok == (c.tenant == "") {
				t.Fatalf("block of Exchange found: %v", ok)
			}
			if !ok { // Exchange's own mail has no Received field
				x = &mail.Exchange{}
			}
			if c.ip != "" && origin.IP.String() != c.ip {
				t.Errorf("origin %v, want %s", origin, c.ip)
			}
			if origin.MailFrom != c.from {
				t.Errorf("sender %q, want %q", origin.MailFrom, c.from)
			}
			if origin.Internal != c.internal {
				t.Errorf("internal %v, want %v (%+v)", origin.Internal, c.internal, x)
			}
			if c.comp != "" && (x.DMARC != c.dmarc || x.CompAuth+" "+x.CompAuthReason != c.comp) {
				t.Errorf("verdicts %+v, want dmarc %q, compauth %q", x, c.dmarc, c.comp)
			}
			if c.tenant != "" && x.TenantID != c.tenant {
				t.Errorf("tenant %q", x.TenantID)
			}
			if !t.Failed() {
				good++
			}
		})
	}
	t.Logf("synthetic: %d of 13", good)
}

// The real samples are of gateways behind Exchange: the origin that the second
// Exchange saw is the gateway, whatever it said in HELO and whatever stands below.
func TestRealSamples(t *testing.T) {
	dir := corpus.Path(t, "..", "reference", "m365", "headers", "real")
	files, _ := filepath.Glob(filepath.Join(dir, "*.hdr"))
	cip := regexp.MustCompile(`CIP:\s*([0-9a-fA-F:.]+)`)
	skipListed := regexp.MustCompile(`ip=\[([0-9a-fA-F:.]+)\]`)
	good := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			h := header(t, file)
			origin, x, ok := Read(h, "")
			m := cip.FindStringSubmatch(last(h, "X-Forefront-Antispam-Report"))
			if !ok || m == nil {
				t.Fatalf("no block of Exchange, or no report: %v %v", ok, m)
			}
			if m2 := skipListed.FindStringSubmatch(last(h, "X-MS-Exchange-SkipListedInternetSender")); m2 != nil {
				m = m2 // Exchange looked through the gateway
			}
			if m[1] == "255.255.255.255" {
				if origin.IP.IsValid() {
					t.Errorf("%+v, but a mailbox sent it", origin)
				}
			} else if origin.IP != netip.MustParseAddr(m[1]) {
				t.Errorf("%+v, want %s", origin, m[1])
			}
			if x.SCL == "" || x.TenantID == "" {
				t.Errorf("%+v lacks Microsoft's verdicts", x)
			}
			if !t.Failed() {
				good++
			}
		})
	}
	t.Logf("real: %d of %d", good, len(files))
}

// Consumer mailboxes stamp X-Sender-IP, which nothing here reads.
func TestRealPhish(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(corpus.Path(t, "raw-exo"), "*.eml"))
	good, helo := 0, 0
	for _, file := range files {
		h := header(t, file)
		origin, x, ok := Read(h, h.First("Return-Path"))
		want := h.First("X-Sender-IP")
		if !ok || origin.IP.String() != want {
			t.Errorf("%s: %+v, want %s", filepath.Base(file), origin, want)
			continue
		}
		if x.SPF == "" || x.DKIM == "" || x.DMARC == "" || x.SCL == "" || x.TenantID == "" || x.AuthAs != "Anonymous" {
			t.Errorf("%s: verdicts missing in %+v", filepath.Base(file), x)
			continue
		}
		if origin.HELO != "" {
			helo++
		}
		good++
	}
	t.Logf("raw-exo: %d of %d origins and verdicts, %d with HELO", good, len(files), helo)
}

const (
	borderHop = "Received: from mail.evil.example (198.51.100.66) by\r\n AM2PEPF0001C717.mail.protection.outlook.com (10.167.16.187) with Microsoft\r\n SMTP Server (version=TLS1_3) id 15.20.1 via Frontend Transport; Mon\r\n"
	innerHop  = "Received: from AM2PEPF0001C717.eurprd05.prod.outlook.com (2603:10a6:20b:5dc:cafe::2c)\r\n by AS4PR10CA0010.outlook.office365.com (2603:10a6:20b:5dc::7) with Microsoft SMTP\r\n Server id 15.20.1 via Frontend Transport; Mon\r\n"
	results   = "Authentication-Results: spf=fail (sender IP is 198.51.100.66)\r\n smtp.mailfrom=evil.example; dkim=none (message not signed) header.d=none;dmarc=fail\r\n action=none header.from=bank.example;compauth=fail reason=000\r\n"
	report1   = "X-Forefront-Antispam-Report: CIP:198.51.100.66;SCL:9;SFV:SPM;CAT:PHSH;DIR:INB;\r\n"
	tail      = "X-MS-Exchange-CrossTenant-Id: 11111111-2222-4333-8444-555555555555\r\nX-MS-Exchange-CrossTenant-AuthAs: Anonymous\r\n"
	forged    = "Received-SPF: Pass (protection.outlook.com: domain of bank.example) client-ip=203.0.113.99; helo=mail.bank.example\r\n" +
		"Authentication-Results: spf=pass (sender IP is 203.0.113.99) smtp.mailfrom=bank.example; dkim=pass header.d=bank.example;dmarc=pass;compauth=pass reason=100\r\n"
)

func TestForgedHeadersNeverCount(t *testing.T) {
	forgedReport := strings.ReplaceAll(report1, "198.51.100.66;SCL:9;SFV:SPM;CAT:PHSH", "255.255.255.255;SCL:-1;SFV:SKN;CAT:NONE")
	for _, c := range []struct{ name, header string }{
		{"plain", innerHop + results + borderHop + report1 + tail},
		{"a block below the real one", innerHop + results + borderHop + forged + innerHop + strings.ReplaceAll(borderHop, "198.51.100.66", "203.0.113.99") + report1 + tail},
		{"results right below the edge", innerHop + results + borderHop + forged + "From: a@bank.example\r\n" + report1 + tail},
		{"a Forefront report of its own", innerHop + results + borderHop + forgedReport + report1 + tail},
		{"tenant and Internal of its own", innerHop + results + borderHop + "X-MS-Exchange-CrossTenant-AuthAs: Internal\r\nX-MS-Exchange-CrossTenant-Id: 0\r\n" + report1 + tail},
		{"an Exchange HELO", innerHop + results + strings.ReplaceAll(borderHop, "mail.evil.example", "EUR04-DB3-obe.outbound.protection.outlook.com") + report1 + tail},
		{"our own Received on top", "Received: from x (y [40.107.1.1]) by relay.example with ESMTPS; Mon\r\n" + innerHop + results + borderHop + report1 + tail},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, _ := mail.SplitHeader([]byte(c.header + "\r\n"))
			origin, x, ok := Read(h, "evil@evil.example")
			if !ok || origin.IP.String() != "198.51.100.66" || origin.Internal {
				t.Errorf("origin %+v", origin)
			}
			if x == nil || x.SPF != "fail" || x.DMARC != "fail" || x.DKIM != "none" || x.CompAuth != "fail" {
				t.Errorf("verdicts %+v", x)
			}
			if x != nil && (x.SCL != "9" || x.Category != "PHSH" || x.AuthAs != "Anonymous" || !strings.HasPrefix(x.TenantID, "1111")) {
				t.Errorf("verdicts %+v", x)
			}
		})
	}
}

func TestWithoutExchangeNothingIsKnown(t *testing.T) {
	for _, text := range []string{
		"From: a@b.example\r\n\r\n",
		forged + report1 + tail + "\r\n",
		"Received: from a (b [192.0.2.1]) by c with ESMTP; Mon\r\nReceived: from d (e [192.0.2.2]) by c with ESMTP; Mon\r\n" + innerHop + borderHop + "\r\n",
		"Received: from mail.bank.example (203.0.113.99) by outlook.com.evil.example (10.0.0.1) with Microsoft SMTP Server id 1; Mon\r\n\r\n",
	} {
		h, _ := mail.SplitHeader([]byte(text))
		if origin, x, ok := Read(h, "a@b.example"); ok || x != nil || origin.IP.IsValid() || origin.Internal {
			t.Errorf("%.60q: %+v %+v", text, origin, x)
		}
	}
}

// A report that disagrees with everything on top belongs to something else.
func TestReportOfAnotherHandOver(t *testing.T) {
	h, _ := mail.SplitHeader([]byte(innerHop + results + borderHop + strings.ReplaceAll(report1, "198.51.100.66", "203.0.113.99") + "\r\n"))
	if _, x, _ := Read(h, ""); x.SCL != "" || x.Category != "" {
		t.Errorf("%+v", x)
	}
}

func TestUndoSRS(t *testing.T) {
	for _, c := range []struct{ from, seen, want string }{
		{"bob+SRS=kR4aM=K3=sender.example=alice@contoso.example", "", "alice@sender.example"},
		{"bob+SRS=kR4aM=K3=sender.example=alice@contoso.example", "sender.example", "alice@sender.example"},
		{"bob+SRS=kR4aM=K3=sender.example=a=b+c@contoso.example", "SENDER.example", "a=b+c@sender.example"},
		{"x+SRS=a=b=bank.example=ceo@evil.example", "evil.example", "x+SRS=a=b=bank.example=ceo@evil.example"}, // came in like this
		{"bounces+SRS=JHROu=3H@contoso.onmicrosoft.com", "gmail.com", "@gmail.com"},
		{"bounces+SRS=JHROu=3H@contoso.onmicrosoft.com", "", "bounces+SRS=JHROu=3H@contoso.onmicrosoft.com"},
		{"bounces+SRS=JHROu=3H@contoso.onmicrosoft.com", "contoso.onmicrosoft.com", "bounces+SRS=JHROu=3H@contoso.onmicrosoft.com"},
		{"x+SRS=a=b=-bad-=ceo@contoso.example", "", "x+SRS=a=b=-bad-=ceo@contoso.example"},
		{"", "gmail.com", ""},
		{"SRS0=abc=de=sender.example=alice@forward.example", "", "SRS0=abc=de=sender.example=alice@forward.example"}, // another forwarder's
	} {
		if got := UndoSRS(c.from, c.seen); got != c.want {
			t.Errorf("UndoSRS(%q, %q) = %q, want %q", c.from, c.seen, got, c.want)
		}
	}
}

func TestInjectedMethodIsAmbiguous(t *testing.T) {
	v := parseResults("spf=fail (sender IP is 198.51.100.66) smtp.mailfrom=x;dmarc=pass;compauth=pass reason=100;dkim=none;dmarc=fail;compauth=fail reason=000")
	if v.dmarc == "pass" || v.compAuth == "pass" || v.ip != "198.51.100.66" {
		t.Errorf("%+v", v)
	}
	v = parseResults(`spf=fail (a;dmarc=pass (b) ) smtp.mailfrom="x;dmarc=pass";dmarc=fail`)
	if v.dmarc != "fail" {
		t.Errorf("%+v", v)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(innerHop+results+borderHop+report1+tail), "a+SRS=b=c=d.example=e@f.example")
	f.Add([]byte(forged), "bounces+SRS=a=b@c.example")
	f.Fuzz(func(t *testing.T, text []byte, from string) {
		// Whatever stands below the border must change nothing above it.
		octets := append([]byte(innerHop+results+borderHop), text...)
		h, _ := mail.SplitHeader(octets)
		origin, x, ok := Read(h, from)
		if !ok || origin.IP.String() != "198.51.100.66" || origin.Internal || x.SPF != "fail" || x.DMARC != "fail" {
			t.Fatalf("%+v %+v", origin, x)
		}
		h, _ = mail.SplitHeader(text)
		Read(h, from)
	})
}
