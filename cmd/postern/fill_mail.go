package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"postern/internal/mail"
	"postern/internal/store"
)

// mailMaker makes up mail whose addresses, subjects, reasons, files and links
// repeat as those of real mail do: few often, many once.
type mailMaker struct {
	rand    *rand.Rand
	tenants []string
	begin   time.Time
	step    time.Duration // between two messages
	end     time.Time
	made    int
	more    float64    // chance of one recipient more
	senders *rand.Zipf // number of the sender's domain
	words   *rand.Zipf // number of a word
}

func newMailMaker(seed uint64, tenants []string, begin, end time.Time, messages int) *mailMaker {
	r := rand.New(rand.NewPCG(seed, 1))
	return &mailMaker{rand: r, tenants: tenants, begin: begin, end: end, step: end.Sub(begin) / time.Duration(max(messages, 1)),
		senders: rand.NewZipf(r, 1.2, 4, 80_000), words: rand.NewZipf(r, 1.15, 12, 400_000)}
}

var (
	fillFirst   = strings.Fields("anna ben carla david emma felix greta hugo ida jonas karin lukas maria nils olga paul rosa simon tina uwe vera walter yasmin zoe james mary robert linda michael sofia pierre claire juan carmen")
	fillLast    = strings.Fields("smith mueller garcia martin dubois rossi jones brown schmidt weber lopez bernard petit moreau fischer wagner becker hoffmann clark lewis walker young king wright torres nguyen hill scott green adams baker nelson")
	fillSubject = strings.Fields("invoice meeting minutes order delivery report offer contract project update reminder payment account newsletter question appointment holiday budget draft review schedule shipment ticket support training agenda statement renewal quote feedback")
	fillSound   = strings.Fields("ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo yu za ber can del fin gor hal")
	fillFile    = strings.Fields("invoice contract report scan offer photo statement order")
	fillType    = strings.Fields("pdf docx xlsx jpg png zip html ics")
)

// word is the n-th word: the first are common ones, the rest never end.
func fillWord(n uint64) string {
	if n < uint64(len(fillSubject)) {
		return fillSubject[n]
	}
	var b strings.Builder
	for n > 0 {
		b.WriteString(fillSound[n%uint64(len(fillSound))])
		n /= uint64(len(fillSound))
	}
	return b.String()
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

// kind is what a message is judged to be, and what stands as the reason.
func (f *mailMaker) kind() (v mail.Verdict, reason string) {
	switch n := f.rand.IntN(1000); {
	case n < 820:
		return mail.Clean, ""
	case n < 910:
		return mail.Bulk, "It is sent to many: a newsletter or the like."
	case n < 970:
		return mail.Spam, "Its words are those of unwanted mail (97 of 100)."
	case n < 985:
		return mail.Suspicious, "An archive is protected with a password, so nobody can look into it."
	case n < 998:
		return mail.Phish, "A link shows %s but leads to login-%s."
	}
	return mail.Malware, "The attachment is a program that pretends to be a document."
}

// next is the next message, a little later than the one before.
func (f *mailMaker) next() store.Filled {
	at := f.begin.Add(time.Duration(f.made) * f.step).Truncate(time.Millisecond)
	f.made++
	r := f.rand
	tenant := f.tenants[r.IntN(len(f.tenants))]
	domain := fillWord(40+f.senders.Uint64()) + ".example"
	sender := pick(r, fillFirst) + "." + pick(r, fillLast) + "@" + domain
	verdict, reason := f.kind()
	if strings.Contains(reason, "%s") {
		reason = fmt.Sprintf(reason, "www."+domain, domain)
	}
	j := f.judgement(sender, domain, reason)
	var random [10]byte
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	id := ulid.ULID{}
	_ = id.SetTime(ulid.Timestamp(at)) // before the year 10889
	_ = id.SetEntropy(random[:])       // ten octets
	m := &store.Message{
		ID: mail.ID(id.String()), Tenant: tenant, Received: at, Size: int64(2000 + r.IntN(60_000)), Spooled: true,
		Envelope: mail.Envelope{Client: netip.MustParseAddr("40.107.22.52"), HELO: "eur05-db8-obe.outbound.protection.outlook.com",
			TLS: mail.TLS{Version: "TLSv1.3", Cipher: "TLS_AES_256_GCM_SHA384"}, From: sender, Body: "8BITMIME", Received: at},
		Subject: j.Subject, From: sender, MessageID: fmt.Sprintf("%x@%s", r.Uint64(), domain),
	}
	reasons := []string{"DMARC passes for " + domain + "."}
	if reason != "" {
		reasons = append([]string{reason}, reasons...)
	}
	for m.Recipients == nil || len(m.Recipients) < 100 && r.Float64() < f.more {
		m.Recipients = append(m.Recipients, f.recipient(tenant+".example", at, verdict, reasons))
	}
	return store.Filled{Message: m, Judgement: j}
}

func (f *mailMaker) judgement(sender, domain, reason string) *mail.Judgement {
	r := f.rand
	subject := make([]string, 2+r.IntN(5))
	for i := range subject {
		subject[i] = fillWord(f.words.Uint64())
	}
	j := &mail.Judgement{
		Subject: strings.ToUpper(subject[0][:1]) + strings.Join(subject, " ")[1:], From: sender,
		Findings: []mail.Finding{{Rule: "auth.dmarc.pass", Score: -5, Detail: "DMARC passes for " + domain + "."}},
		Auth: mail.Auth{Origin: mail.Origin{IP: netip.AddrFrom4([4]byte{198, 51, byte(r.IntN(256)), byte(r.IntN(256))}), HELO: "mail." + domain, MailFrom: sender, Source: "received-spf"},
			SPF: mail.SPF{Result: mail.ResultPass, Domain: domain}, DMARC: mail.DMARC{Result: mail.ResultPass, Domain: domain}},
		Parts: []mail.PartInfo{{Path: "1", Type: "text/plain", Size: 800, SHA256: fmt.Sprintf("%064x", r.Uint64())}, {Path: "2", Type: "text/html", Size: 4000, SHA256: fmt.Sprintf("%064x", r.Uint64())}},
		Took:  2 * time.Millisecond,
	}
	if r.IntN(3) == 0 {
		j.Subject = fmt.Sprintf("%s %d", j.Subject, r.IntN(1_000_000))
	}
	if reason != "" {
		j.Findings = append(j.Findings, mail.Finding{Rule: "made.up", Score: 60, Detail: reason})
	}
	if r.IntN(6) == 0 {
		name := fmt.Sprintf("%s-%d.%s", pick(r, fillFile), r.IntN(100_000), pick(r, fillType))
		j.Parts = append(j.Parts, mail.PartInfo{Path: "3", Type: "application/octet-stream", Name: name, Size: 40_000, SHA256: fmt.Sprintf("%064x", r.Uint64())})
	}
	for range r.IntN(4) {
		j.Links = append(j.Links, pick(r, []string{"www.", "cdn.", "news.", ""})+fillWord(40+f.senders.Uint64())+".example")
	}
	return j
}

// recipient is one of the tenant's five thousand mailboxes. Flagged mail is held
// for a month and then dropped.
func (f *mailMaker) recipient(domain string, at time.Time, v mail.Verdict, reasons []string) store.Recipient {
	r := f.rand
	to := fmt.Sprintf("%s.%s%d@%s", pick(r, fillFirst), pick(r, fillLast), r.IntN(5), domain)
	rcpt := store.Recipient{Addr: to, Domain: domain, Verdict: v, Action: mail.Deliver, State: mail.Delivered, Score: r.IntN(20), Reasons: reasons,
		Attempts: 1, MTA: "mx.contoso.example:25", Reply: "250 2.6.0 Queued mail for delivery", UpdatedAt: at.Add(time.Second)}
	rcpt.Events = []store.Event{{At: at, State: mail.Accepted}, {At: at.Add(time.Second), State: mail.Judged, Text: string(v)}, {At: at.Add(time.Second), State: mail.Delivered, Text: rcpt.Reply}}
	if v == mail.Clean || v == mail.Bulk {
		return rcpt
	}
	rcpt.State, rcpt.Action, rcpt.Score, rcpt.MTA, rcpt.Reply = mail.Held, mail.Hold, 60+r.IntN(40), "", ""
	rcpt.HeldAt, rcpt.ExpiresAt = at.Add(time.Second), at.Add(30*24*time.Hour)
	rcpt.Events[2] = store.Event{At: rcpt.HeldAt, State: mail.Held}
	if rcpt.ExpiresAt.Before(f.end) {
		rcpt.State, rcpt.UpdatedAt = mail.Dropped, rcpt.ExpiresAt
		rcpt.Events = append(rcpt.Events, store.Event{At: rcpt.ExpiresAt, State: mail.Dropped, Text: "its time in quarantine is over"})
	}
	return rcpt
}
