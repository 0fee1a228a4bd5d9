package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/internal/backup"
	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/store"
)

// box is a data folder with a configuration.
type box struct {
	t      *testing.T
	data   string
	config string
}

func newBox(t *testing.T) *box {
	t.Helper()
	folder := t.TempDir()
	b := &box{t, filepath.Join(folder, "data"), filepath.Join(folder, "postern.yaml")}
	text := fmt.Sprintf("hostname: relay.example.com\ndata: %s\nsmtp: {listen: ['127.0.0.1:0'], require_tls: false}\n", b.data)
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

// run is the command line.
func (b *box) run(args ...string) (code int, out, errOut string) {
	b.t.Helper()
	var o, e bytes.Buffer
	code = run(context.Background(), append([]string{"--config", b.config}, args...), strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func (b *box) must(args ...string) string {
	b.t.Helper()
	code, out, errOut := b.run(args...)
	if code != exitDone {
		b.t.Fatalf("%v: exit %d: %s%s", args, code, out, errOut)
	}
	return out
}

func (b *box) opened(do func(o *opened)) {
	b.t.Helper()
	conf, err := loadConfig(b.config)
	if err != nil {
		b.t.Fatal(err)
	}
	o, err := openStore(context.Background(), conf, slog.New(slog.DiscardHandler))
	if err != nil {
		b.t.Fatal(err)
	}
	defer o.close()
	do(o)
}

// put adds a message with one recipient in that state, sealed as the relay does it.
func (b *box) put(state mail.State, content []byte) mail.ID {
	b.t.Helper()
	m := &store.Message{ID: mail.NewID(), Tenant: "acme", Received: time.Now(), Size: int64(len(content)), Subject: "s", From: "ben@sender.example",
		Recipients: []store.Recipient{{Addr: "ann@acme.example", Domain: "acme.example"}}}
	b.opened(func(o *opened) {
		ctx := context.Background()
		d, err := o.directory(ctx)
		if err != nil {
			b.t.Fatal(err)
		}
		key, err := d.Seal("acme")
		if err != nil {
			b.t.Fatal(err)
		}
		m.Octets = key.Seal(m.ID, relay.ContentPart, content)
		if len(content) > 256<<10 {
			var sealed bytes.Buffer
			w, err := key.Writer(&sealed, m.ID, relay.ContentPart)
			if err != nil {
				b.t.Fatal(err)
			}
			if _, err := w.Write(content); err != nil || w.Close() != nil {
				b.t.Fatal(err)
			}
			spooled, err := openSpool(ctx, o.conf)
			if err != nil {
				b.t.Fatal(err)
			}
			if _, err := spooled.Put(ctx, m.ID, &sealed); err != nil {
				b.t.Fatal(err)
			}
			m.Octets, m.Spooled = nil, true
		}
		if err := o.store.Accept(ctx, m); err != nil {
			b.t.Fatal(err)
		}
		if state == mail.Accepted {
			return
		}
		change := store.Change{Message: m.ID, Tenant: m.Tenant, State: state, Decision: &mail.Decision{Verdict: mail.Phish, Action: mail.Hold, Reasons: []string{"why"}}, ExpiresAt: time.Now().Add(time.Hour)}
		finished, err := o.store.Advance(ctx, change)
		if err != nil {
			b.t.Fatal(err)
		}
		spooled, err := openSpool(ctx, o.conf)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, id := range finished {
			if err := spooled.Delete(ctx, id); err != nil {
				b.t.Fatal(err)
			}
		}
	})
	return m.ID
}

func (b *box) states() map[mail.ID]mail.State {
	states := map[mail.ID]mail.State{}
	b.opened(func(o *opened) {
		rows, err := o.store.Trace(context.Background(), store.TraceFilter{Limit: 1000})
		if err != nil {
			b.t.Fatal(err)
		}
		for _, r := range rows {
			states[r.ID] = r.State
		}
	})
	return states
}

func (b *box) content(id mail.ID) []byte {
	b.t.Helper()
	var content []byte
	b.opened(func(o *opened) {
		r, err := newRelay(context.Background(), o, relayOptions{})
		if err != nil {
			b.t.Fatal(err)
		}
		defer r.Sender.Close()
		if content, err = r.Content(context.Background(), "acme", id); err != nil {
			b.t.Fatal(err)
		}
	})
	return content
}

const canary = "canary-7f3a body of a held message\r\n"

// filled has a tenant and messages of every kind; it returns their ids.
func filled(t *testing.T) (b *box, heldSmall, heldLarge, waiting, delivered mail.ID, large []byte) {
	b = newBox(t)
	b.must("tenant", "add", "Acme")
	large = bytes.Repeat([]byte("0123456789abcdef"), 40<<10)
	return b, b.put(mail.Held, []byte(canary)), b.put(mail.Held, large), b.put(mail.Accepted, []byte("waiting\r\n")), b.put(mail.Delivered, []byte("gone\r\n")), large
}

func TestABackupComesBackOnAnEmptyMachine(t *testing.T) {
	b, small, big, waiting, delivered, large := filled(t)
	file := filepath.Join(t.TempDir(), "b.postern")
	var sum backup.Summary
	if err := json.Unmarshal([]byte(b.must("--json", "backup", file)), &sum); err != nil || sum.Objects != 1 || !sum.Key || sum.Database != "sqlite" {
		t.Fatalf("%+v, %v", sum, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(b.data, ".backup*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	fresh := newBox(t)
	out := fresh.must("restore", file)
	if !strings.Contains(out, "1 copies were on their way and are held") {
		t.Errorf("said %q", out)
	}
	want := map[mail.ID]mail.State{small: mail.Held, big: mail.Held, waiting: mail.Held, delivered: mail.Delivered}
	for id, state := range fresh.states() {
		if want[id] != state {
			t.Errorf("%s is %s, want %s", id, state, want[id])
		}
	}
	if got := fresh.content(small); string(got) != canary {
		t.Errorf("small content: %q", got)
	}
	if got := fresh.content(big); !bytes.Equal(got, large) {
		t.Errorf("large content has %d octets", len(got))
	}
	fresh.must("verify-data")
	if left, _ := filepath.Glob(filepath.Join(fresh.data, ".restore*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if info, err := os.Stat(filepath.Join(fresh.data, "root.key")); err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("root key: %v %v", info, err)
	}
}

func TestRestoreDeliversOnlyWhenTold(t *testing.T) {
	b, _, _, waiting, _, _ := filled(t)
	file := filepath.Join(t.TempDir(), "b")
	b.must("backup", file)
	fresh := newBox(t)
	fresh.must("restore", "--deliver", file)
	if got := fresh.states()[waiting]; got != mail.Accepted {
		t.Errorf("it is %s", got)
	}
}

func TestRestoreRefusesWhatIsNotEmptyOrNotWhole(t *testing.T) {
	b, _, _, _, _, _ := filled(t)
	file := filepath.Join(t.TempDir(), "b")
	b.must("backup", file)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := b.run("restore", file); code != exitFailed || !strings.Contains(errOut, "is not empty") || strings.Count(errOut, "\n") != 1 {
		t.Errorf("into a full folder: %d %q", code, errOut)
	}
	if code, _, errOut := b.run("backup", file); code != exitFailed || !strings.Contains(errOut, "never overwrites") {
		t.Errorf("over another backup: %d %q", code, errOut)
	}
	damaged := map[string][]byte{"empty": {}, "no backup": []byte("hello, this is text"), "no end": whole[:len(whole)-1]}
	for i := range 12 {
		at := len(whole) * (2*i + 1) / 24
		flipped := bytes.Clone(whole)
		flipped[at] ^= 0x10
		damaged[fmt.Sprintf("octet %d changed", at)] = flipped
		damaged[fmt.Sprintf("cut at %d", at)] = whole[:at]
	}
	for name, text := range damaged {
		t.Run(name, func(t *testing.T) {
			bad := filepath.Join(t.TempDir(), "bad")
			if err := os.WriteFile(bad, text, 0o600); err != nil {
				t.Fatal(err)
			}
			fresh := newBox(t)
			code, _, errOut := fresh.run("restore", bad)
			if code != exitFailed || strings.Count(errOut, "\n") != 1 {
				t.Errorf("exit %d: %q", code, errOut)
			}
			if left, err := os.ReadDir(fresh.data); err != nil || len(left) != 0 {
				t.Errorf("put in place: %v, %v", left, err)
			}
		})
	}
}

func TestABackupWithoutTheKeyNeedsIt(t *testing.T) {
	b, small, _, _, _, _ := filled(t)
	file := filepath.Join(t.TempDir(), "b")
	b.must("backup", "--without-key", file)
	key := filepath.Join(b.data, "root.key")
	secret, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil || bytes.Contains(text, secret) || bytes.Contains(text, []byte("canary-7f3a")) {
		t.Errorf("a secret is in the backup, %v", err)
	}
	if code, _, errOut := newBox(t).run("restore", file); code != exitFailed || !strings.Contains(errOut, "--key") {
		t.Errorf("%d %q", code, errOut)
	}
	other := newBox(t)
	other.must("tenant", "add", "Other")
	if code, _, errOut := newBox(t).run("restore", "--key", filepath.Join(other.data, "root.key"), file); code != exitFailed || !strings.Contains(errOut, "not the one of this backup") {
		t.Errorf("%d %q", code, errOut)
	}
	fresh := newBox(t)
	fresh.must("restore", "--key", key, file)
	if got := fresh.content(small); string(got) != canary {
		t.Errorf("content %q", got)
	}
}

func TestABackupGoesThroughPipes(t *testing.T) {
	b, _, _, _, _, _ := filled(t)
	out := b.must("backup", "-")
	fresh := newBox(t)
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"--config", fresh.config, "restore", "-"}, strings.NewReader(out), &stdout, &stderr); code != exitDone {
		t.Fatalf("%d %s", code, stderr.String())
	}
	fresh.must("verify-data")
	stdout.Reset()
	if code := run(context.Background(), []string{"restore", "--print-config", "-"}, strings.NewReader(out), &stdout, &stderr); code != exitDone || !strings.Contains(stdout.String(), "relay.example.com") {
		t.Errorf("%d %q %q", code, stdout.String(), stderr.String())
	}
}

func TestVerifyDataNamesEveryDamage(t *testing.T) {
	for _, tt := range []struct {
		name, what string
		damage     func(t *testing.T, b *box, small, large mail.ID) string // and the object that must be named
	}{
		{"a large message changed", "content", func(t *testing.T, b *box, _, large mail.ID) string {
			path := spooledPath(t, b, large)
			text, _ := os.ReadFile(path)
			text[len(text)/2] ^= 1
			writeFile(t, path, text)
			return string(large)
		}},
		{"a large message cut at a chunk", "content", func(t *testing.T, b *box, _, large mail.ID) string {
			path := spooledPath(t, b, large)
			if err := os.Truncate(path, 33+64<<10+16); err != nil {
				t.Fatal(err)
			}
			return string(large)
		}},
		{"a large message gone", "content", func(t *testing.T, b *box, _, large mail.ID) string {
			if err := os.Remove(spooledPath(t, b, large)); err != nil {
				t.Fatal(err)
			}
			return string(large)
		}},
		{"an object that nobody needs", "spool", func(t *testing.T, b *box, _, large mail.ID) string {
			id := mail.NewID()
			b.opened(func(o *opened) {
				s, err := openSpool(context.Background(), o.conf)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.Put(context.Background(), id, strings.NewReader("x")); err != nil {
					t.Fatal(err)
				}
			})
			return string(id)
		}},
		{"a small message changed", "content", func(t *testing.T, b *box, small, _ mail.ID) string {
			edit(t, b, "UPDATE octets SET body = zeroblob(80) WHERE id = (SELECT octets FROM messages WHERE id = '"+string(small)+"')")
			return string(small)
		}},
		{"another size", "content", func(t *testing.T, b *box, small, _ mail.ID) string {
			edit(t, b, "UPDATE messages SET size = size + 1 WHERE id = '"+string(small)+"'")
			return string(small)
		}},
		{"a lost recipient", "ledger", func(t *testing.T, b *box, small, _ mail.ID) string {
			edit(t, b, "DELETE FROM recipients WHERE message = '"+string(small)+"'")
			return string(small)
		}},
		{"the audit log's head cut", "audit", func(t *testing.T, b *box, _, _ mail.ID) string {
			edit(t, b, "DROP TRIGGER audit_stay; DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)")
			return ""
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, small, large, _, _, _ := filled(t)
			b.must("verify-data")
			object := tt.damage(t, b, small, large)
			code, out, errOut := b.run("--json", "verify-data")
			var r backup.Report
			if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitFailed || r.OK {
				t.Fatalf("exit %d, %v: %s%s", code, err, out, errOut)
			}
			for _, d := range r.Damaged {
				if d.What == tt.what && d.Object == object && d.Text != "" {
					return
				}
			}
			t.Errorf("%s is not named: %+v", object, r.Damaged)
		})
	}
}

func spooledPath(t *testing.T, b *box, id mail.ID) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(b.data, "spool", "*", "*", string(id)))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	return found[0]
}

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestALostRootKeyIsNotReplaced(t *testing.T) {
	b, _, _, _, _, _ := filled(t)
	key := filepath.Join(b.data, "root.key")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := b.run("verify-data"); code != exitFailed || !strings.Contains(errOut, "is gone") {
		t.Errorf("%d %q", code, errOut)
	}
	if _, err := os.Lstat(key); err == nil {
		t.Error("another key was made")
	}
}
