package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	netmail "net/mail"
	"net/netip"
	"os"
	"strings"
	"time"

	"postern/internal/dns"
	"postern/internal/mail"
	"postern/internal/relay/judge"
	"postern/internal/relay/policy"
	"postern/internal/relay/scan"
)

type scanCmd struct {
	Files    []string `arg:"" name:"file" help:"Message files; - is standard input."`
	IP       string   `name:"ip" help:"Address of the client that handed the message in, for SPF."`
	HELO     string   `name:"helo" help:"Name that client gave."`
	MailFrom string   `name:"mail-from" help:"Envelope sender."`
	To       string   `help:"Envelope recipient." default:"postmaster@localhost.localdomain"`
	Domain   []string `help:"A domain of the tenant, for the checks of forged and look-alike senders."`
	Relay    bool     `help:"The message came through Exchange Online: read the true origin from its header."`
}

type scanView struct {
	File     string         `json:"file"`
	Verdict  mail.Verdict   `json:"verdict"`
	Action   mail.Action    `json:"action"`
	Score    int            `json:"score"`
	Reasons  []string       `json:"reasons"`
	Findings []mail.Finding `json:"findings"`
	Auth     authView       `json:"auth"`
	MS       float64        `json:"ms"`
}

type authView struct {
	SPF    mail.Result `json:"spf"`
	DKIM   mail.Result `json:"dkim"`
	DMARC  mail.Result `json:"dmarc"`
	ARC    mail.Result `json:"arc"`
	Origin originView  `json:"origin"`
}

func viewAuth(a mail.Auth) authView {
	v := authView{SPF: a.SPF.Result, DKIM: mail.ResultNone, DMARC: a.DMARC.Result, ARC: a.ARC.Result, Origin: originView{HELO: a.Origin.HELO}}
	if a.Origin.IP.IsValid() {
		v.Origin.IP = a.Origin.IP.String()
	}
	for _, d := range a.DKIM {
		if v.DKIM = d.Result; d.Result == mail.ResultPass {
			break // one good signature is what counts
		}
	}
	return v
}

func (s *scanCmd) Run(c *console) error {
	j, err := c.offlineJudge()
	if err != nil {
		return err
	}
	views := []scanView{}
	failed := false
	for _, file := range s.Files {
		v, err := s.one(c, j, file)
		if err != nil {
			failed = true
			fmt.Fprintf(c.err, "postern: %s: %s\n", file, oneLine(err))
			continue
		}
		views = append(views, v)
	}
	if err := c.print(views, func(w io.Writer) {
		for _, v := range views {
			printScan(w, v)
		}
	}); err != nil {
		return err
	}
	if failed {
		return errSilent
	}
	return nil
}

// offlineJudge is the relay's own judge in this process. It uses the configured
// resolver and engines where there is a configuration, and does without where
// there is none.
func (c *console) offlineJudge() (*judge.InProcess, error) {
	conf, err := loadConfig(c.config)
	if err != nil {
		if c.config != "" {
			return nil, err
		}
		conf = &Config{}
	}
	return &judge.InProcess{Func: newJudge(dns.New(conf.DNS.Server)), Engines: engines(conf), Budget: conf.Judge.Budget}, nil
}

func (s *scanCmd) one(c *console, j *judge.InProcess, file string) (scanView, error) {
	octets, err := readMessage(c.in, file)
	if err != nil {
		return scanView{}, err
	}
	env := mail.Envelope{HELO: s.HELO, From: s.MailFrom, To: []mail.Rcpt{{Addr: s.To}}, Received: time.Now().UTC(), Via: mail.ViaMX, Pass: 1}
	if s.MailFrom == "" {
		env.From = envelopeFrom(octets)
	}
	if s.IP != "" {
		if env.Client, err = netip.ParseAddr(s.IP); err != nil {
			return scanView{}, usageError(fmt.Sprintf("--ip %q is not an IP address", s.IP))
		}
	}
	if s.Relay {
		env.Via = mail.ViaRelay
	}
	return judgeFile(c.ctx, j, file, octets, env, &scan.About{Domains: s.Domain})
}

// envelopeFrom is the reverse-path of a message on disk: its Return-Path, which the
// server that stored it wrote, or the author where there is none. A file does not
// say that it was a bounce.
func envelopeFrom(octets []byte) string {
	h, _ := mail.SplitHeader(octets)
	for _, name := range []string{"Return-Path", "Sender", "From"} {
		if list, err := netmail.ParseAddressList(h.First(name)); err == nil {
			return list[0].Address
		}
	}
	return ""
}

// judgeFile judges octets with the default rules.
func judgeFile(ctx context.Context, j *judge.InProcess, file string, octets []byte, env mail.Envelope, about *scan.About) (scanView, error) {
	began := time.Now()
	found, err := j.Judge(ctx, judge.Job{
		ID: mail.NewID(), Envelope: env, Via: env.Via, Tenant: about, Size: int64(len(octets)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(octets)), nil },
	})
	v := scanView{File: file, Verdict: mail.Unjudged, Action: mail.Hold, Findings: []mail.Finding{}}
	switch {
	case errors.Is(err, judge.ErrPoison):
		v.Reasons = []string{"The message could not be judged: " + err.Error()}
	case err != nil:
		return v, err
	default:
		d := policy.Decide(mail.Rules{}, policy.Input{Findings: found.Findings, Auth: found.Auth, EnvelopeFrom: found.Auth.Origin.MailFrom, HeaderFrom: found.From, Rcpt: env.To[0].Addr})
		v.Verdict, v.Action, v.Score, v.Reasons = d.Verdict, d.Action, d.Score, d.Reasons
		v.Auth = viewAuth(found.Auth)
		if found.Findings != nil {
			v.Findings = found.Findings
		}
	}
	v.MS = float64(time.Since(began).Microseconds()) / 1000
	return v, nil
}

// readMessage reads a message file; bare LF line ends become CRLF where the whole
// file has no CRLF, as files on disk are kept.
func readMessage(in io.Reader, file string) ([]byte, error) {
	var octets []byte
	var err error
	if file == "-" {
		octets, err = io.ReadAll(in)
	} else {
		octets, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(octets, []byte("\r\n")) {
		octets = bytes.ReplaceAll(octets, []byte("\n"), []byte("\r\n"))
	}
	return octets, nil
}

func printScan(w io.Writer, v scanView) {
	fmt.Fprintf(w, "%s: %s, %s (%d points, %.1f ms)\n", v.File, v.Verdict, v.Action, v.Score, v.MS)
	for _, why := range v.Reasons {
		fmt.Fprintf(w, "  %s\n", show(why, 300))
	}
	for _, f := range v.Findings {
		fmt.Fprintf(w, "  %+4d  %-28s %s %s\n", f.Score, f.Rule, strings.TrimSpace(string(f.Class)), show(f.Detail, 200))
	}
	fmt.Fprintf(w, "  SPF %s, DKIM %s, DMARC %s, ARC %s\n", v.Auth.SPF, v.Auth.DKIM, v.Auth.DMARC, v.Auth.ARC)
}
