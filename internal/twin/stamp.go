package twin

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"strings"

	"postern/internal/twin/sign"
)

// build is the version of Exchange that stands in Received fields.
const build string = "15.20.9478.4"

// arcNames are the fields Exchange's ARC-Message-Signature covers.
const arcNames string = "From:Date:Subject:Message-ID:Content-Type:MIME-Version:X-MS-Exchange-AntiSpam-MessageData-ChunkCount:X-MS-Exchange-AntiSpam-MessageData-0:X-MS-Exchange-AntiSpam-MessageData-1"

// outbound is the message as it leaves for a connector or the Internet: the trace
// of this pass on top, the report and the cross-tenant fields at the end of the
// header, and nothing of what only the organization may see.
func (m *transit) outbound() []byte {
	h := append(m.arrival(), m.head...)
	h = h.add(m.report(fate{})...)
	h = append(h, m.extra...)
	if m.loops > 0 && !m.t.twin.opt.NoLoopCount {
		h = h.add(fmt.Sprintf("X-MS-Exchange-Transport-Rules-Loop: %d", m.loops))
	}
	h = h.add(m.crossTenant()...)
	h = h.without(func(name string) bool {
		return strings.HasPrefix(name, "x-ms-exchange-organization-") || strings.HasPrefix(name, "x-ms-exchange-forest-")
	})
	return m.seal(h).bytes(m.blank, m.body)
}

// inbound is the message as it lies in a mailbox or in quarantine.
func (m *transit) inbound(f fate) []byte {
	h := m.arrival().add(m.marker())
	h = append(h, m.head...)
	if f.prefix != "" {
		h = h.set("Subject", f.prefix+" "+m.head.first("Subject"), true)
	}
	h = h.add("Return-Path: " + m.env.From)
	h = h.add(m.organization(f)...)
	h = append(h, m.extra...)
	if f.mark != "" {
		h = h.add(f.mark + ": " + string(f.verdict))
	}
	h = h.add(m.report(f)...)
	h = h.add(m.crossTenant()...)
	h = h.add("X-MS-Exchange-Transport-EndToEndLatency: 00:00:03.2179349", "X-MS-Exchange-Processed-By-BccFoldering: 15.20.9478.001",
		"X-Microsoft-Antispam-Mailbox-Delivery: ucf:0;jmr:0;auth:0;dest:"+map[bool]string{true: "J", false: "I"}[f.action == "junk"]+";ENG:(910001)(944506478)(944626604);")
	h = m.seal(h)
	store := field(fold("Received: from GV1PR08MB7348.eurprd08.prod.outlook.com (::1) by " + backServer + " with HTTPS; " + m.date()))
	return append(header{store}, h...).bytes(m.blank, m.body)
}

// marker says what the front end received, so that later changes can be told.
func (m *transit) marker() string {
	raw := m.head.bytes(nil, nil)
	sum, upper := sha256.Sum256(raw), sha256.Sum256(bytes.ToUpper(raw))
	return fmt.Sprintf("X-IncomingTopHeaderMarker: OriginalChecksum:%X;UpperCasedChecksum:%X;SizeAsReceived:%d;Count:%d", sum, upper, len(raw), len(m.head))
}

func (m *transit) date() string { return m.start.UTC().Format("Mon, 2 Jan 2006 15:04:05 -0700") }

// arrival is the trace of this pass, top to bottom, without the ARC set.
func (m *transit) arrival() header {
	back := "Received: from " + hubServer + ".EURPRD10.PROD.OUTLOOK.COM (2603:10a6:20b:5dc::7) by " + backServer + " (2603:10a6:10:435::11) with Microsoft SMTP Server (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id " + build + "; " + m.date()
	if m.internal {
		return m.submission()
	}
	peer, h := m.env.Peer, header{}
	hub := "Received: from " + frontServer + " (2603:10a6:20b:5dc:cafe::2c) by " + hubServer + ".outlook.office365.com (2603:10a6:20b:5dc::7) with Microsoft SMTP Server (version=TLS1_3, cipher=TLS_AES_256_GCM_SHA384) id " + build + " via Frontend Transport; " + m.date()
	from, mailFrom := domainOf(m.head.fromAddress()), m.mailFromDomain()
	edge := fmt.Sprintf("Received: from %s (%s) by %s.mail.protection.outlook.com (10.167.16.187) with Microsoft SMTP Server%s id %s via Frontend Transport; %s", m.env.HELO, peer, front, tlsWords(m.env.TLS), build, m.date())
	return h.add(fold(back), fold(hub), fold("Authentication-Results: "+m.auth.results(peer, mailFrom, from)), fold(m.receivedSPF(mailFrom)), fold(edge))
}

func (m *transit) mailFromDomain() string {
	if d := domainOf(m.env.From); d != "" {
		return d
	}
	return strings.ToLower(m.env.HELO)
}

func (m *transit) receivedSPF(domain string) string {
	peer, result := m.env.Peer, m.auth.SPF
	word, why := strings.ToUpper(result[:1])+result[1:], fmt.Sprintf("domain of %s does not designate permitted sender hosts", domain)
	tail := ""
	switch result {
	case "pass":
		why, tail = fmt.Sprintf("domain of %s designates %s as permitted sender", domain, peer), " pr=C"
	case "fail":
		why = fmt.Sprintf("domain of %s does not designate %s as permitted sender", domain, peer)
	case "softfail":
		word, why = "SoftFail", fmt.Sprintf("domain of transitioning %s discourages use of %s as permitted sender", domain, peer)
	}
	return fmt.Sprintf("Received-SPF: %s (protection.outlook.com: %s) receiver=protection.outlook.com; client-ip=%s; helo=%s;%s", word, why, peer, m.env.HELO, tail)
}

// tlsWords are a session's protection as Exchange's Received fields have it.
func tlsWords(s *tls.ConnectionState) string {
	if s == nil {
		return ""
	}
	version := map[uint16]string{tls.VersionTLS12: "TLS1_2", tls.VersionTLS13: "TLS1_3"}[s.Version]
	return fmt.Sprintf(" (version=%s, cipher=%s)", version, tls.CipherSuiteName(s.CipherSuite))
}

// outsideTLS is the session of a sender whom Deliver plays.
func outsideTLS() *tls.ConnectionState {
	return &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_256_GCM_SHA384, HandshakeComplete: true}
}

// submission is the trace of a message that a mailbox sent.
func (m *transit) submission() header {
	const box = "DU4PR08MB11151.eurprd08.prod.outlook.com"
	return header{}.add(
		fold("Received: from "+box+" (2603:10a6:10:574::13) by "+backServer+" (2603:10a6:150:23::5) with Microsoft SMTP Server (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id "+build+"; "+m.date()),
		fold("Received: from "+box+" ([fe80::385:c43f:fa4d:86b4]) by "+box+" ([fe80::385:c43f:fa4d:86b4%6]) with mapi id 15.20.9478.004; "+m.date()))
}

// seal puts this pass's ARC set, and for submitted mail the tenant's DKIM
// signature, on top.
func (m *transit) seal(h header) header {
	i, cv := len(m.auth.Chain.Sets)+1, m.auth.Chain.Status
	from := domainOf(m.head.fromAddress())
	aar := fmt.Sprintf("ARC-Authentication-Results: i=%d; mx.microsoft.com 1; %s", i, m.arcResults(from))
	if m.internal {
		k := m.t.twin.dkim(from)
		h = append(header{{Name: "DKIM-Signature", Raw: k.DKIM(h, m.body, "From:Date:Subject:Message-ID:Content-Type:MIME-Version:X-MS-Exchange-SenderADCheck")}}, h...)
	}
	key := m.t.twin.arc()
	set := sign.Set{Results: field(fold(aar))}
	set.Message = sign.Field{Name: "ARC-Message-Signature", Raw: key.AMS(i, h, m.body, arcNames)}
	sets := append(m.auth.Chain.Sets[:len(m.auth.Chain.Sets):len(m.auth.Chain.Sets)], set)
	if cv == "fail" { // a failed chain's last seal covers its own set alone (RFC 8617 §5.1.2)
		sets = []sign.Set{set}
	}
	set.Seal = sign.Field{Name: "ARC-Seal", Raw: key.Seal(i, cv, sets)}
	return append(header{set.Seal, set.Message, set.Results}, h...)
}

// arcResults is what ARC-Authentication-Results says after its version.
func (m *transit) arcResults(from string) string {
	if m.internal {
		return fmt.Sprintf("spf=pass smtp.mailfrom=%s; dmarc=pass action=none header.from=%s; dkim=pass header.d=%s; arc=none", from, from, from)
	}
	a := m.auth
	policy := ""
	if a.Policy != "" {
		policy = fmt.Sprintf(" (p=%s sp=%s pct=100)", a.Policy, a.Policy)
	}
	d := ""
	if a.DKIM == "pass" {
		d = " header.d=" + a.DKIMDomain
	}
	arc := "none (0)"
	switch {
	case a.Chain.Status == "fail":
		arc = "fail (48)"
	case a.Trusted:
		arc = fmt.Sprintf("pass (0 oda=1 ltdi=1 spf=[1,1,smtp.mailfrom=%s] dkim=[1,1,header.d=%s] dmarc=[1,1,header.from=%s])", m.mailFromDomain(), from, from)
	case a.Chain.Status == "pass":
		arc = "pass (0 oda=0 ltdi=1)"
	}
	return fmt.Sprintf("spf=%s (sender ip is %s) smtp.rcpttodomain=%s smtp.mailfrom=%s; dmarc=%s%s action=%s header.from=%s; dkim=%s (%s)%s; arc=%s",
		a.SPF, m.env.Peer, domainOf(m.env.To[0]), m.mailFromDomain(), a.DMARC, policy, a.action(), from, a.DKIM, a.DKIMReason, d, arc)
}

// reversePath is the reverse-path a redirected message leaves with.
func (m *transit) reversePath() string {
	_, own := m.t.accepted(domainOf(m.env.From))
	if !m.t.twin.opt.SRS || m.env.From == "" || own {
		return m.env.From
	}
	local, domain, _ := strings.Cut(m.env.From, "@")
	box, home, _ := strings.Cut(m.env.To[0], "@")
	sum := sha256.Sum256([]byte(m.t.ID + m.env.From))
	hash := strings.NewReplacer("+", "a", "/", "b").Replace(base64.StdEncoding.EncodeToString(sum[:])[:5])
	return fmt.Sprintf("%s+SRS=%s=K3=%s=%s@%s", box, hash, domain, local, home)
}
