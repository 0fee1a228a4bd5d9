package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"postern/internal/admin"
	"postern/internal/exchange"
	"postern/internal/exchange/signin"
	"postern/internal/mail"
)

type exchangeCmd struct {
	Connect    exchangeConnectCmd    `cmd:"" help:"Sign in to the tenant's Exchange organization."`
	Status     exchangeStatusCmd     `cmd:"" help:"Say whether and how a tenant is connected."`
	Disconnect exchangeDisconnectCmd `cmd:"" help:"Forget the sign-in, and say what to revoke at Microsoft."`
	Plan       exchangePlanCmd       `cmd:"" help:"Show what has to be done in Exchange, without doing it."`
	Apply      exchangeApplyCmd      `cmd:"" help:"Set up Exchange; running it again changes nothing."`
	Verify     exchangeVerifyCmd     `cmd:"" help:"Name everything in Exchange that is not as it was set up."`
	Rollback   exchangeRollbackCmd   `cmd:"" help:"Put Exchange back as it was."`
	Rotate     exchangeRotateCmd     `cmd:"" help:"Put the tenant's newest relay key into Exchange's rules."`
	Guide      exchangeGuideCmd      `cmd:"" help:"Print the same set-up as numbered steps for Exchange's admin centres."`
	Watch      exchangeWatchCmd      `cmd:"" help:"Look once: drift, a test message round, and the share of mail that passed the relay."`
	Script     exchangeScriptCmd     `cmd:"" help:"Write the same set-up as one PowerShell script."`
	Report     exchangeReportCmd     `cmd:"" help:"Take in the report that the PowerShell script printed."`
	Protection protectionCmd         `cmd:"" help:"Exchange's own protections: list, disable, enable."`
}

// exchangeTenant is the flag that all verbs but status share.
type exchangeTenant struct {
	Tenant string `required:"" help:"Tenant whose Exchange it is."`
}

// exchange is the door to a tenant's Exchange set-up, with progress on standard
// error.
func (c *console) exchange(o *opened) *admin.Exchange { return newExchange(o, c.progress) }

func (c *console) progress(e exchange.Event) {
	if e.Action == "" || e.State == "start" {
		return
	}
	mark := map[string]string{"done": "✓", "failed": "✗", "wait": "…"}[e.State]
	fmt.Fprintf(c.err, "  %s %d/%d %s\n", orElse(mark, "·"), e.Step, e.Total, show(e.Text.String(), 160))
}

func notConnected(tenant string) error {
	return fmt.Errorf("tenant %s is not connected to Exchange: postern exchange connect --tenant %s --organization NAME.onmicrosoft.com --client-id ID --device", tenant, tenant)
}

// onExchange runs a verb on a connected tenant.
func (c *console) onExchange(tenant string, f func(x *admin.Exchange, id string, e *exchange.Engine, spec exchange.Spec) error) error {
	return c.withTenant(tenant, func(o *opened, t mail.Tenant) error {
		x := c.exchange(o)
		engine, err := x.Engine(c.ctx, t.ID)
		if errors.Is(err, admin.ErrNotConnected) {
			return notConnected(t.ID)
		}
		if err != nil {
			return err
		}
		spec, err := x.Spec(c.ctx, t.ID)
		if err != nil {
			return err
		}
		return f(x, t.ID, engine, spec)
	})
}

type exchangeConnectCmd struct {
	exchangeTenant
	Organization     string `required:"" help:"The organization's initial domain, such as contoso.onmicrosoft.com, or its directory id."`
	ClientID         string `name:"client-id" required:"" help:"Application (client) id of your app registration."`
	ClientSecretFile string `name:"client-secret-file" help:"File with the app registration's client secret." placeholder:"FILE"`
	Certificate      string `help:"PEM file with the app registration's certificate and private key." placeholder:"FILE"`
	Device           bool   `help:"Sign a person in with a code that is typed in at another device."`
}

func (e *exchangeConnectCmd) credential(c *console) (admin.Credential, error) {
	cred := admin.Credential{Organization: e.Organization, ClientID: e.ClientID}
	given := 0
	for _, set := range []bool{e.ClientSecretFile != "", e.Certificate != "", e.Device} {
		if set {
			given++
		}
	}
	if given != 1 {
		return cred, usageError("give one way to sign in: --device, --client-secret-file FILE or --certificate FILE")
	}
	var err error
	switch {
	case e.ClientSecretFile != "":
		cred.Secret, err = readSecret("--client-secret-file", e.ClientSecretFile)
	case e.Certificate != "":
		if cred.Certificate, err = os.ReadFile(e.Certificate); err != nil {
			err = fmt.Errorf("--certificate: %w", err)
		}
	default:
		cred.Device = func(d signin.DeviceCode) { fmt.Fprintln(c.err, d.Message) }
	}
	return cred, err
}

func (e *exchangeConnectCmd) Run(c *console) error {
	cred, err := e.credential(c)
	if err != nil {
		return err
	}
	return c.withTenant(e.Tenant, func(o *opened, t mail.Tenant) error {
		x := c.exchange(o)
		conn, err := x.Connect(c.ctx, t.ID, cred)
		if err != nil {
			return err
		}
		return c.print(conn, func(w io.Writer) {
			fmt.Fprintf(w, "Connected to %s. Next: postern exchange plan --tenant %s\n", conn.Organization, t.ID)
		})
	})
}

type exchangeStatusCmd struct {
	Tenant string `help:"Only this tenant."`
}

type exchangeStatusView struct {
	Tenant    string            `json:"tenant"`
	Connected bool              `json:"connected"`
	By        *admin.Connection `json:"connection,omitempty"`
	Run       *exchange.Run     `json:"run,omitempty"`
}

func (e *exchangeStatusCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		x := c.exchange(o)
		all, err := o.store.Tenants(c.ctx)
		if err != nil {
			return err
		}
		views := []exchangeStatusView{}
		for _, t := range all {
			if e.Tenant != "" && t.ID != e.Tenant && !strings.EqualFold(t.Name, e.Tenant) {
				continue
			}
			v := exchangeStatusView{Tenant: t.ID}
			conn, err := x.Connection(c.ctx, t.ID)
			if err == nil {
				v.Connected, v.By = true, &conn
			} else if !errors.Is(err, admin.ErrNotConnected) {
				return err
			}
			state, err := x.State(c.ctx, t.ID)
			if err != nil {
				return err
			}
			v.Run = state.Run
			views = append(views, v)
		}
		return c.print(views, func(w io.Writer) {
			table(w, "TENANT\tCONNECTED\tORGANIZATION\tBY", len(views), func(t io.Writer, i int) {
				v := views[i]
				if v.By == nil {
					fmt.Fprintf(t, "%s\tno\t\t\n", v.Tenant)
					return
				}
				fmt.Fprintf(t, "%s\tyes\t%s\t%s %s\n", v.Tenant, v.By.Organization, v.By.Kind, v.By.Account)
			})
		})
	})
}

type exchangeDisconnectCmd struct{ exchangeTenant }

func (e *exchangeDisconnectCmd) Run(c *console) error {
	return c.withTenant(e.Tenant, func(o *opened, t mail.Tenant) error {
		x := c.exchange(o)
		steps, err := x.Disconnect(c.ctx, t.ID)
		if errors.Is(err, admin.ErrNotConnected) {
			return fmt.Errorf("tenant %s is not connected to Exchange", t.ID)
		}
		if err != nil {
			return err
		}
		return c.print(map[string]any{"tenant": t.ID, "connected": false, "revoke": steps}, func(w io.Writer) {
			fmt.Fprintln(w, "The sign-in is forgotten here. To take it back at Microsoft as well:")
			for _, s := range steps {
				fmt.Fprintf(w, "  - %s\n", s)
			}
		})
	})
}
