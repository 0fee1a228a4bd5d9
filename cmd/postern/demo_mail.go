package main

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strings"

	"postern/internal/mail"
)

//go:embed samples
var samples embed.FS

// demoMail is one message that the simulated Internet sends.
type demoMail struct {
	file   string
	title  string
	ip     netip.Addr // of the sending host
	helo   string
	from   string
	to     []string
	expect string // "inbox", "quarantine", or "" for a folder of one's own
	raw    []byte
}

// shippedMail are the samples that come with Postern, in their order.
func shippedMail() ([]demoMail, error) {
	list, err := samples.ReadFile("samples/samples.tsv")
	if err != nil {
		return nil, err
	}
	var mails []demoMail
	for i, line := range strings.Split(strings.TrimSpace(string(list)), "\n") {
		if i == 0 {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 7 {
			return nil, fmt.Errorf("samples.tsv:%d: %d fields, want 7", i+1, len(f))
		}
		raw, err := samples.ReadFile(path.Join("samples", f[0]))
		if err != nil {
			return nil, err
		}
		ip, err := netip.ParseAddr(f[1])
		if err != nil {
			return nil, fmt.Errorf("samples.tsv:%d: %w", i+1, err)
		}
		mails = append(mails, demoMail{file: f[0], ip: ip, helo: f[2], from: f[3], to: strings.Split(f[4], ","), expect: f[5], title: f[6], raw: raw})
	}
	return mails, nil
}

// folderMail are the message files below a folder, as sent from an unknown host to
// the demo's first mailbox.
func folderMail(folder string) ([]demoMail, error) {
	var mails []demoMail
	err := filepath.WalkDir(folder, func(file string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.Contains(raw, []byte("\r\n")) {
			raw = bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
		}
		h, _ := mail.SplitHeader(raw)
		mails = append(mails, demoMail{file: filepath.Base(file), title: show(h.First("Subject"), 60), ip: netip.MustParseAddr("203.0.113.200"),
			helo: "mail.sender.example", from: "sender@sender.example", to: []string{demoMailbox}, raw: raw})
		return nil
	})
	if err == nil && len(mails) == 0 {
		err = fmt.Errorf("folder %s has no message files", folder)
	}
	return mails, err
}
