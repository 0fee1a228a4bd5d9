package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/store"
	"postern/internal/twin"
)

const (
	generator = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2"
	styles    = "github.com/oapi-codegen/runtime v1.8.0" // that generated clients need
)

// generatedClient makes a client from the committed document, and the program in
// testdata/apiclient with it. It skips the test where the generator cannot be had.
func generatedClient(t *testing.T) (program string) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a client generator")
	}
	dir := t.TempDir()
	in := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOBIN="+dir, "GOFLAGS=-mod=mod")
		return cmd
	}
	document, err := filepath.Abs("../../doc/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"go.mod": "module flows\n\ngo 1.26\n\nrequire " + styles + "\n", "client/doc.go": "package client\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flows, err := os.ReadFile("testdata/apiclient/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), flows, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, fetch := range [][]string{{"go", "install", generator}, {"go", "mod", "download"}} {
		if out, err := in(fetch...).CombinedOutput(); err != nil {
			t.Skipf("the client generator cannot be had here: %v: %s", err, out)
		}
	}
	for _, step := range [][]string{
		{filepath.Join(dir, "oapi-codegen"), "-generate", "types,client", "-package", "client", "-o", "client/client.go", document},
		{"go", "build", "-o", "flows", "."},
	} {
		if out, err := in(step...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", filepath.Base(step[0]), err, out)
		}
	}
	return filepath.Join(dir, "flows")
}

func TestAGeneratedClientDoesTheMainFlows(t *testing.T) {
	program := generatedClient(t)
	w, err := newDemoWorld(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	o := w.twin.Tenants()[0]
	given := map[string]any{
		"Base": "http://" + w.server.portalAddr(), "Token": w.apiToken(t), "Domain": demoDomain, "Host": twin.MXHost(demoDomain), "Port": w.mxPort(),
		"Organization": o.Organization, "ClientID": o.ClientID, "Secret": o.ClientSecret,
	}
	run := func(what string) {
		t.Helper()
		in, err := json.Marshal(given)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), program, what)
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.CombinedOutput()
		t.Logf("%s:\n%s", what, out)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if strings.Contains(string(out), o.ClientSecret) {
			t.Errorf("%s: an answer has the client secret", what)
		}
	}
	run("setup")
	held := w.sendUntilPhish(t)
	given["Subject"] = held.subject
	before := len(w.twin.Mailbox(held.to))
	run("held")
	if got := len(w.twin.Mailbox(held.to)); got != before+1 {
		t.Errorf("%d messages in the mailbox, had %d and one was released", got, before)
	}
	run("rollback")
}

// apiToken is a token of an owner with every scope.
func (w *demoWorld) apiToken(t *testing.T) string {
	t.Helper()
	a := w.opened.admin()
	u, err := a.AddUser(t.Context(), "ann@contoso.example", "", "owner")
	if err != nil {
		t.Fatal(err)
	}
	wish := admin.TokenWish{Name: "flows"}
	for _, s := range admin.Scopes() {
		wish.Scopes = append(wish.Scopes, s.Name)
	}
	token, _, err := a.AddToken(t.Context(), u, wish)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// sendUntilPhish sends shipped samples until one was held as phishing.
func (w *demoWorld) sendUntilPhish(t *testing.T) heldMail {
	t.Helper()
	mails, err := shippedMail()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mails {
		end, err := w.send(t.Context(), m, patience)
		if err != nil {
			t.Fatal(err)
		}
		if end.place != "quarantine" || end.verdict != mail.Phish {
			continue
		}
		rows, err := w.opened.store.Quarantine(t.Context(), store.TraceFilter{Verdict: mail.Phish, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 1 && rows[0].Subject != "" {
			return heldMail{copyID(rows[0].ID, rows[0].N), rows[0].To, rows[0].Subject}
		}
	}
	t.Fatal("none of the samples is phishing")
	return heldMail{}
}

// The examples of the manual are run as they stand there.
func TestTheManualsExamplesOfTheAPIWork(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a relay")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	_, after, _ := strings.Cut(section(t, repo(t, "doc/operating.md"), "Programs: the API"), "\n```sh\napi() ")
	script, _, ok := strings.Cut("api() "+after, "\n```")
	if !ok {
		t.Fatal("the manual has no examples")
	}
	w, err := newDemoWorld(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	held := w.sendUntilPhish(t)
	script = strings.NewReplacer("mx.contoso.com", twin.MXHost(demoDomain), `"port":25`, fmt.Sprintf(`"port":%d`, w.mxPort()), "contoso.com", demoDomain).Replace(script)
	cmd := exec.CommandContext(t.Context(), "sh", "-eu")
	cmd.Stdin = strings.NewReader(script)
	cmd.Env = append(os.Environ(), "POSTERN=http://"+w.server.portalAddr(), "TOKEN="+w.apiToken(t), "ID="+held.id)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: … %s", err, out[max(0, len(out)-1000):])
	}
	for _, part := range []string{`"name":"flows"`, held.id, `"reasons":[`, `"text":`, `"state":"delivered"`, `"kind":"block"`, `"ok":true`, `"ready":true`} {
		if !strings.Contains(string(out), part) {
			t.Errorf("no answer has %s", part)
		}
	}
}
