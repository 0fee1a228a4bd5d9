package admin

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"postern/internal/exchange"
	"postern/internal/exchange/adminapi"
	"postern/internal/exchange/signin"
	"postern/internal/mail"
	"postern/internal/store"
)

// Connection is a tenant's connection to its Exchange organization.
type Connection struct {
	Organization string          `json:"organization"`
	ClientID     string          `json:"client_id"`
	Kind         signin.Kind     `json:"kind"`
	Account      string          `json:"account,omitempty"`
	ConnectedAt  time.Time       `json:"connected_at"`
	Until        time.Time       `json:"until,omitzero"`   // when the command line's sign-in of a person ends
	EndsAt       time.Time       `json:"ends_at,omitzero"` // of the app's certificate; zero where Microsoft does not tell
	Session      json.RawMessage `json:"-"`
}

// Credential is how a person or an app signs in: exactly one of Secret,
// Certificate and Device.
type Credential struct {
	Organization string
	ClientID     string
	Secret       string
	Certificate  []byte // PEM with the key
	Device       func(signin.DeviceCode)
}

// Settings of a tenant; all but the options are sealed.
const (
	sessionSetting    = "exchange-session"
	connectionSetting = "exchange-connection"
	journalSetting    = "exchange-journal"
	optionsSetting    = "exchange-options"
	reportSetting     = "exchange-script-report"
)

// ErrNotConnected means that a tenant's Exchange organization is not connected.
var ErrNotConnected = mail.Refuse("not connected to Exchange")

// Connect signs in, sees whether Exchange answers, and keeps the session sealed.
func (x *Exchange) Connect(ctx context.Context, tenant string, c Credential) (Connection, error) {
	cloud, err := adminapi.CloudFor(x.Cloud)
	if err != nil {
		return Connection{}, err
	}
	cfg := signin.Config{Login: cloud.Login, Scope: scope(cloud), Tenant: c.Organization, ClientID: c.ClientID}
	var session *signin.Session
	switch {
	case c.Secret != "":
		session, err = signin.WithSecret(ctx, cfg, c.Secret)
	case len(c.Certificate) > 0:
		session, err = signin.WithCertificate(ctx, cfg, c.Certificate)
	case c.Device != nil:
		session, err = signin.Device(ctx, cfg, c.Device)
	default:
		return Connection{}, mail.Refuse("no way to sign in is given: use --device, --client-secret-file or --certificate")
	}
	if err != nil {
		return Connection{}, err
	}
	conn := Connection{Organization: c.Organization, ClientID: c.ClientID, Kind: session.Kind, Account: session.Account, ConnectedAt: x.now()}
	if len(c.Certificate) > 0 && c.Secret == "" {
		conn.EndsAt = endOf(c.Certificate)
	}
	if _, err := x.client(session, conn, cloud, tenant, nil).Invoke(ctx, "Get-OrganizationConfig", nil); err != nil {
		return Connection{}, exchange.Explain(err, "Get-OrganizationConfig")
	}
	if err := x.keep(ctx, tenant, session, conn); err != nil {
		return Connection{}, err
	}
	return conn, x.note(ctx, tenant, "exchange.connect", c.Organization, "", string(conn.Kind)+" "+conn.Account)
}

// endOf is when the first certificate in a PEM file ends; zero if none can be read,
// which signing in tells better.
func endOf(octets []byte) time.Time {
	for block, rest := pem.Decode(octets); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			return c.NotAfter
		}
	}
	return time.Time{}
}

// scope asks for all that was consented to in Exchange Online of a cloud; a
// simulated one takes the worldwide address.
func scope(c adminapi.Cloud) string {
	if c.Name == "custom" {
		return "https://outlook.office365.com/.default"
	}
	return c.Exchange + "/.default"
}

// keep stores the session and what is shown of it. What a person's sign-in gave is
// never stored by a process that lives on: see SignIns.
func (x *Exchange) keep(ctx context.Context, tenant string, s *signin.Session, conn Connection) error {
	var octets []byte
	var err error
	switch {
	case s.Kind != signin.Person:
		octets, err = s.Export()
	case x.SignIns != nil:
		x.SignIns.put(tenant, conn.ConnectedAt, s)
	default:
		conn.Until = conn.ConnectedAt.Add(briefly)
		octets, err = s.Brief()
	}
	if err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	shown, err := json.Marshal(conn)
	if err != nil {
		return err
	}
	if octets == nil {
		err = x.Store.PutSetting(ctx, tenant, sessionSetting, nil)
	} else {
		err = x.putSealed(ctx, tenant, sessionSetting, octets)
	}
	return errors.Join(err, x.putSealed(ctx, tenant, connectionSetting, shown))
}

// Connection tells how a tenant is connected; ErrNotConnected if it is not.
func (x *Exchange) Connection(ctx context.Context, tenant string) (Connection, error) {
	var c Connection
	shown, err := x.sealed(ctx, tenant, connectionSetting)
	if errors.Is(err, store.ErrNotFound) {
		return c, ErrNotConnected
	}
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(shown, &c)
}

// Disconnect forgets the sign-in: no process uses it for another call. steps say what is still to be revoked at
// Microsoft, where only an administrator can.
func (x *Exchange) Disconnect(ctx context.Context, tenant string) (steps []string, err error) {
	conn, err := x.Connection(ctx, tenant)
	if err != nil {
		return nil, err
	}
	cloud, err := adminapi.CloudFor(x.Cloud)
	if err != nil {
		return nil, err
	}
	x.SignIns.forget(tenant)
	for _, name := range []string{sessionSetting, connectionSetting} {
		if err := x.Store.PutSetting(ctx, tenant, name, nil); err != nil {
			return nil, err
		}
	}
	steps = signin.Revoke(signin.Config{Login: cloud.Login, Tenant: conn.Organization, ClientID: conn.ClientID}, conn.Kind)
	return steps, x.note(ctx, tenant, "exchange.disconnect", conn.Organization, string(conn.Kind), "")
}
