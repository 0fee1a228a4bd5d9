// Command flows does with a client, generated from the API's document, what an
// administrator's programs do. The test TestAGeneratedClientDoesTheMainFlows makes
// the client, builds this and runs it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"flows/client"
)

// given is what the test hands over.
type given struct {
	Base, Token, Domain, Host, Organization, ClientID, Secret string
	Port                                                      int64
	Subject                                                   string // of mail that is held
}

func main() {
	var g given
	if err := json.NewDecoder(os.Stdin).Decode(&g); err != nil {
		fail("what is given", err)
	}
	c, err := client.NewClientWithResponses(g.Base+"/api/v1", client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+g.Token)
		return nil
	}))
	if err != nil {
		fail("client", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	map[string]func(context.Context, *client.ClientWithResponses, given){"setup": setUp, "held": held, "rollback": rollBack}[os.Args[1]](ctx, c, g)
}

func fail(what string, why any) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, why)
	os.Exit(1)
}

// want ends the program unless an answer came as it should.
func want(what string, err error, status, wanted int, body []byte) {
	if err != nil {
		fail(what, err)
	}
	if status != wanted {
		fail(what, fmt.Sprintf("%d, want %d: %s", status, wanted, body))
	}
	fmt.Println("done:", what)
}

// finished waits until a run has ended well.
func finished(ctx context.Context, c *client.ClientWithResponses, what string, begun *client.Run) {
	for {
		r, err := c.GetRunWithResponse(ctx, "contoso", begun.Id)
		if err != nil || r.JSON200 == nil {
			fail(what, fmt.Sprint(err, r))
		}
		switch r.JSON200.State {
		case "done":
			fmt.Println("done:", what)
			return
		case "failed":
			fail(what, r.JSON200.Problem)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// setUp goes from nothing to mail that comes here.
func setUp(ctx context.Context, c *client.ClientWithResponses, g given) {
	t, err := c.AddTenantWithResponse(ctx, client.AddTenantJSONRequestBody{Name: "Contoso"})
	want("add the tenant", err, t.StatusCode(), 201, t.Body)
	d, err := c.PutDomainWithResponse(ctx, "contoso", g.Domain, client.PutDomainJSONRequestBody{Mtas: []client.Mta{{Host: g.Host, Port: g.Port, Tls: "verify"}}})
	want("add the domain", err, d.StatusCode(), 200, d.Body)
	tested, err := c.TestDomainWithResponse(ctx, "contoso", g.Domain)
	want("test the connection", err, tested.StatusCode(), 200, tested.Body)
	if len(tested.JSON200.Items) != 1 || !tested.JSON200.Items[0].Ok {
		fail("test the connection", string(tested.Body))
	}
	k, err := c.EnableDomainWithResponse(ctx, "contoso", g.Domain)
	want("enable the domain", err, k.StatusCode(), 200, k.Body)
	if k.JSON200.Key == "" {
		fail("enable the domain", "no key")
	}
	wrong := "wrong"
	conn, err := c.ConnectExchangeWithResponse(ctx, "contoso", client.ConnectExchangeJSONRequestBody{Organization: g.Organization, ClientId: g.ClientID, ClientSecret: &wrong})
	want("connect with a wrong secret", err, conn.StatusCode(), 202, conn.Body)
	for {
		r, err := c.GetRunWithResponse(ctx, "contoso", "latest")
		if err != nil || r.JSON200 == nil {
			fail("look at the run", fmt.Sprint(err, r))
		}
		if r.JSON200.State == "failed" {
			fmt.Println("done: told why:", r.JSON200.Problem.Cause)
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	conn, err = c.ConnectExchangeWithResponse(ctx, "contoso", client.ConnectExchangeJSONRequestBody{Organization: g.Organization, ClientId: g.ClientID, ClientSecret: &g.Secret})
	want("connect", err, conn.StatusCode(), 202, conn.Body)
	finished(ctx, c, "connected", conn.JSON202)
	p, err := c.PlanExchangeWithResponse(ctx, "contoso")
	want("plan", err, p.StatusCode(), 200, p.Body)
	if len(p.JSON200.Actions) < 5 || strings.Contains(string(p.Body), k.JSON200.Key) {
		fail("plan", fmt.Sprintf("%d actions, and the key must not be among them", len(p.JSON200.Actions)))
	}
	a, err := c.ApplyExchangeWithResponse(ctx, "contoso", client.ApplyExchangeJSONRequestBody{})
	want("apply", err, a.StatusCode(), 202, a.Body)
	finished(ctx, c, "applied", a.JSON202)
	v, err := c.VerifyExchangeWithResponse(ctx, "contoso")
	want("verify", err, v.StatusCode(), 200, v.Body)
	if !v.JSON200.Ok {
		fail("verify", string(v.Body))
	}
}

// held finds a held message, reads and releases it.
func held(ctx context.Context, c *client.ClientWithResponses, g given) {
	q, err := c.ListQuarantineWithResponse(ctx, "contoso", &client.ListQuarantineParams{Subject: &g.Subject})
	want("search the quarantine", err, q.StatusCode(), 200, q.Body)
	if len(q.JSON200.Items) != 1 {
		fail("search the quarantine", string(q.Body))
	}
	id := q.JSON200.Items[0].Id
	m, err := c.GetMessageWithResponse(ctx, "contoso", id)
	want("see why", err, m.StatusCode(), 200, m.Body)
	if len(m.JSON200.Reasons) == 0 || len(m.JSON200.Findings) == 0 || m.JSON200.Auth == nil {
		fail("see why", string(m.Body))
	}
	reason := client.ReadingBody{Reason: "checking the verdict"}
	none, err := c.ReadTextWithResponse(ctx, "contoso", id, client.ReadingBody{Reason: " "})
	want("read it without a reason", err, none.StatusCode(), 422, none.Body)
	text, err := c.ReadTextWithResponse(ctx, "contoso", id, reason)
	want("read it", err, text.StatusCode(), 200, text.Body)
	if text.JSON200.Text == "" {
		fail("read it", "no text")
	}
	h, err := c.ReadHeaderWithResponse(ctx, "contoso", id, reason)
	want("read its header", err, h.StatusCode(), 200, h.Body)
	raw, err := c.ReadRawWithResponse(ctx, "contoso", id, reason)
	want("download it", err, raw.StatusCode(), 200, nil)
	if !strings.Contains(string(raw.Body), "\r\n\r\n") {
		fail("download it", "this is no message")
	}
	gone, err := c.DeleteMailWithResponse(ctx, "contoso", id)
	want("delete it", err, gone.StatusCode(), 200, gone.Body)
	back, err := c.UndeleteMailWithResponse(ctx, "contoso", id)
	want("take that back", err, back.StatusCode(), 200, back.Body)
	r, err := c.ReleaseMailWithResponse(ctx, "contoso", id, client.ReleaseMailJSONRequestBody{})
	want("release it", err, r.StatusCode(), 200, r.Body)
	if r.JSON200.State != "delivered" || !strings.HasPrefix(r.JSON200.Reply, "250") {
		fail("release it", string(r.Body))
	}
	r, err = c.ReleaseMailWithResponse(ctx, "contoso", id, client.ReleaseMailJSONRequestBody{})
	want("release it again", err, r.StatusCode(), 409, r.Body)
	if !strings.Contains(string(r.Body), "not held any more") || !strings.Contains(string(r.Body), "delivered") {
		fail("release it again", string(r.Body))
	}
	t, err := c.TraceMailWithResponse(ctx, "contoso", &client.TraceMailParams{Id: &m.JSON200.Id})
	want("trace it", err, t.StatusCode(), 200, t.Body)
	if len(t.JSON200.Items) == 0 || t.JSON200.Items[0].State != "delivered" {
		fail("trace it", string(t.Body))
	}
	log, err := c.ListTenantAuditWithResponse(ctx, "contoso", nil)
	want("read the audit log", err, log.StatusCode(), 200, log.Body)
	for _, action := range []string{"tenant.add", "domain.add", "domain.enable", "exchange.connect", "quarantine.read", "quarantine.delete", "quarantine.undelete", "quarantine.release"} {
		found := false
		for _, e := range log.JSON200.Items {
			found = found || e.Action == action && e.Actor == "ann@contoso.example via token flows"
		}
		for next := log.JSON200.Next; !found && next != nil; { // the calls of Exchange fill the first part
			part, err := c.ListTenantAuditWithResponse(ctx, "contoso", &client.ListTenantAuditParams{Cursor: next, Action: &action})
			if err != nil || part.JSON200 == nil {
				fail("read on in the audit log", fmt.Sprint(err, part))
			}
			for _, e := range part.JSON200.Items {
				found = found || e.Actor == "ann@contoso.example via token flows"
			}
			next = part.JSON200.Next
		}
		if !found {
			fail("audit log", action+" is not in it under the token's name")
		}
	}
	chain, err := c.VerifyAuditWithResponse(ctx)
	want("check the audit log", err, chain.StatusCode(), 200, chain.Body)
	if !chain.JSON200.Ok {
		fail("check the audit log", string(chain.Body))
	}
}

// rollBack puts Exchange back.
func rollBack(ctx context.Context, c *client.ClientWithResponses, _ given) {
	r, err := c.RollbackExchangeWithResponse(ctx, "contoso", client.RollbackExchangeJSONRequestBody{})
	want("roll back", err, r.StatusCode(), 202, r.Body)
	finished(ctx, c, "rolled back", r.JSON202)
	s, err := c.GetExchangeWithResponse(ctx, "contoso")
	want("status", err, s.StatusCode(), 200, s.Body)
	if s.JSON200.SetUp || !s.JSON200.Connected {
		fail("status", string(s.Body))
	}
	d, err := c.DisconnectExchangeWithResponse(ctx, "contoso")
	want("disconnect", err, d.StatusCode(), 200, d.Body)
	if len(d.JSON200.Revoke) == 0 {
		fail("disconnect", string(d.Body))
	}
}
