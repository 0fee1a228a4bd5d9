package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"postern/internal/freeport"
)

// peer is one relay to measure.
type peer struct {
	name  string
	does  string // what it does with a message
	ready func() error
	start func(w *world, dir string) (*running, error)
}

// running is a peer that takes mail at addr.
type running struct {
	addr   string
	header string // that it wants on top of each message
	roots  tree
	held   func() int64 // messages it keeps back so far; nil if it delivers all
}

// world is what all peers share.
type world struct {
	dir       string // on a disk; everybody may look in
	cert, key string // files
	postern   string // the binary
	sink      *sink
	dns       string // host:port
	mail      *corpus
	quick     bool
}

func peers() []peer {
	return []peer{
		{"floor", "Postern's SMTP engine, a log with one sync for many, and the next hop: no store, no header, no queue", fine, startFloor},
		{"postern", "judging switched off", fine, func(w *world, dir string) (*running, error) { return startPostern(w, dir, false) }},
		{"postern-judging", "all that judging does: two MIME readings, SPF, DKIM, DMARC, ARC, every scanner", fine, func(w *world, dir string) (*running, error) { return startPostern(w, dir, true) }},
		{"postfix", "relays, looks at nothing", havePostfix, startPostfix},
		{"postfix-rspamd", "the same with rspamd as milter, its usual modules and a trained filter", haveRspamd, startPostfixRspamd},
	}
}

func fine() error { return nil }

// need says which of the programs is not installed.
func need(programs ...string) error {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%s is not installed", p)
		}
	}
	if os.Getuid() != 0 {
		return errors.New("needs root, to run under its own users")
	}
	return nil
}

// spawn starts a program that writes what it says into dir.
func spawn(dir string, name string, args ...string) (int, error) {
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us; we end it
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go cmd.Wait() //nolint:errcheck // so that it leaves no zombie
	return cmd.Process.Pid, nil
}

// reach waits until addr takes connections, three minutes at most: rspamd compiles
// its expressions when it starts for the first time.
func reach(addr string, dir string) error {
	for range 1800 {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			return c.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	return fmt.Errorf("nothing listens on %s; its log ends: %s", addr, log[max(0, len(log)-500):])
}

// end ends every process of the tree, politely first.
func (t tree) end() {
	all := t.members()
	for _, p := range all {
		syscall.Kill(p.pid, syscall.SIGTERM)
	}
	for i := range 100 {
		alive := 0
		for _, p := range all {
			if now, ok := stat(p.pid); ok && !now.ended {
				alive++
				if i == 60 {
					syscall.Kill(p.pid, syscall.SIGKILL)
				}
			}
		}
		if alive == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// freePort is a loopback port that nobody listens on.
func freePort() (string, error) {
	addr, err := freeport.Loopback()
	return strconv.Itoa(int(addr.Port())), err
}

// makeCertificate writes a P-256 certificate for relay.test.
func (w *world) makeCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "relay.test"}, DNSNames: []string{"relay.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	cert, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	w.cert, w.key = filepath.Join(w.dir, "cert.pem"), filepath.Join(w.dir, "key.pem")
	if err := os.WriteFile(w.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644); err != nil {
		return err
	}
	return os.WriteFile(w.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)
}
