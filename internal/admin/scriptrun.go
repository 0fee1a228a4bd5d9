package admin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"postern/internal/exchange"
	"postern/internal/mail"
	"postern/internal/store"
)

// What a script's secrets begin with, so that a search of a disk tells them from
// each other and from API tokens.
const (
	scriptTokenPrefix = "psr_"
	scriptKeyPrefix   = "psk_"
)

const (
	scriptTokenLife = 24 * time.Hour      // between download and run
	scriptRunLife   = 2 * time.Hour       // for one run to tell how far it is
	scriptRunKept   = 30 * 24 * time.Hour // in the list
	maxScriptSteps  = 200
	maxScriptText   = 200 // octets
)

// Errors of a script that reports; they name the mend.
var (
	ErrScriptToken = mail.Refuse("this script's token has ended or is not of this installation: download a new script")
	ErrScriptUsed  = mail.Refuse("this script's token was used before: download a new script for every run that shall be followed here")
)

// A ScriptRun is one run of the PowerShell script, as it told itself. Texts come
// from outside.
type ScriptRun struct {
	ID      string
	By      string // who downloaded the script
	MadeAt  time.Time
	Until   time.Time
	BegunAt time.Time // zero while the script was not run
	EndedAt time.Time
	ScriptProgress
}

// ScriptProgress is what a run told so far.
type ScriptProgress struct {
	Mode   string                 `json:"mode"`
	Total  int                    `json:"total"`
	Steps  []string               `json:"steps"`
	Report *exchange.ScriptReport `json:"report,omitempty"` // at the end
}

// NewScript writes the set-up as a PowerShell script that reports to url what it
// does. Its token is good for one run within a day; url "" makes a script that
// reports nowhere.
func (x *Exchange) NewScript(ctx context.Context, tenant, organization, url string) (text string, run ScriptRun, err error) {
	spec, err := x.Spec(ctx, tenant)
	if err != nil {
		return "", run, err
	}
	now := x.now()
	opt := exchange.ScriptOptions{Organization: organization, ReportURL: url, Now: now}
	run = ScriptRun{ID: string(mail.NewID()), By: x.Actor, MadeAt: now, Until: now.Add(scriptTokenLife)}
	if url != "" {
		opt.ReportToken = scriptSecret(scriptTokenPrefix)
	}
	if text, err = exchange.Script(spec, opt); err != nil {
		return "", run, err
	}
	if url == "" {
		return text, run, x.note(ctx, tenant, "exchange.script", "", "", "downloaded; it reports nowhere")
	}
	row := store.ScriptRun{Tenant: tenant, ID: run.ID, By: run.By, MadeAt: now, Until: run.Until}
	if err := x.Store.AddScriptRun(ctx, row, hashOf(opt.ReportToken), now.Add(-scriptRunKept)); err != nil {
		return "", run, err
	}
	return text, run, x.note(ctx, tenant, "exchange.script", run.ID, "", "downloaded")
}

// TellScript takes what a script tells: with its token that it begins, which gives
// the key for all it tells later. The error is ErrScriptToken, ErrScriptUsed or a
// *exchange.Problem.
func (x *Exchange) TellScript(ctx context.Context, secret string, octets []byte) (key string, err error) {
	if strings.HasPrefix(secret, scriptTokenPrefix) {
		return x.beginScript(ctx, secret, octets)
	}
	row, err := x.Store.ScriptRunOf(ctx, hashOf(secret), x.now())
	if errors.Is(err, store.ErrNotFound) {
		return "", ErrScriptToken
	}
	if err != nil {
		return "", err
	}
	p, err := progressOf(row)
	if err != nil {
		return "", err
	}
	var step struct{ Step, Mode string }
	if json.Unmarshal(octets, &step) == nil && step.Mode == "" && step.Step != "" {
		if len(p.Steps) < maxScriptSteps {
			p.Steps = append(p.Steps, shorten(step.Step))
		}
		return "", x.putProgress(ctx, row, p, time.Time{})
	}
	report, err := x.ImportReport(ctx, row.Tenant, octets)
	if err != nil {
		return "", err
	}
	p.Mode, p.Report = report.Mode, report
	return "", x.putProgress(ctx, row, p, x.now())
}

func (x *Exchange) beginScript(ctx context.Context, token string, octets []byte) (key string, err error) {
	var p ScriptProgress
	if err := json.Unmarshal(octets, &p); err != nil {
		return "", noReport(mail.Say("it cannot be read"))
	}
	switch p.Mode {
	case "Apply", "Verify", "Rollback":
	default:
		return "", noReport(mail.Say("it names no mode"))
	}
	key = scriptSecret(scriptKeyPrefix)
	now := x.now()
	row, err := x.Store.BeginScriptRun(ctx, hashOf(token), hashOf(key), now, now.Add(scriptRunLife))
	switch {
	case errors.Is(err, store.ErrExists):
		return "", errors.Join(ErrScriptUsed, x.note(ctx, row.Tenant, "exchange.script", row.ID, "", "refused: its token was used before"))
	case errors.Is(err, store.ErrNotFound):
		return "", ErrScriptToken
	case err != nil:
		return "", err
	}
	p = ScriptProgress{Mode: p.Mode, Total: min(max(p.Total, 0), maxScriptSteps), Steps: []string{}}
	return key, errors.Join(x.putProgress(ctx, row, p, time.Time{}), x.note(ctx, row.Tenant, "exchange.script", row.ID, "", "begun: "+p.Mode))
}

func noReport(why mail.Sentence) error {
	return exchange.NewProblem("script-report", mail.Say("This is not a report of Postern's script: %s.", why), mail.Say("Download a new script, and run it as it is."), nil)
}

func (x *Exchange) putProgress(ctx context.Context, row store.ScriptRun, p ScriptProgress, ended time.Time) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return x.Store.PutScriptProgress(ctx, row.Tenant, row.ID, b, ended)
}

func progressOf(row store.ScriptRun) (p ScriptProgress, err error) {
	if len(row.Progress) == 0 {
		return p, nil
	}
	return p, json.Unmarshal(row.Progress, &p)
}

// ScriptRuns are a tenant's last scripts, the newest first.
func (x *Exchange) ScriptRuns(ctx context.Context, tenant string) ([]ScriptRun, error) {
	rows, err := x.Store.ScriptRuns(ctx, tenant, 5)
	if err != nil {
		return nil, err
	}
	var list []ScriptRun
	for _, row := range rows {
		p, err := progressOf(row)
		if err != nil {
			return nil, err
		}
		list = append(list, ScriptRun{row.ID, row.By, row.MadeAt, row.Until, row.BegunAt, row.EndedAt, p})
	}
	return list, nil
}

// scriptSecret is 256 random bits behind a word that says what they are.
func scriptSecret(prefix string) string {
	var raw [32]byte
	rand.Read(raw[:])
	return prefix + base64.RawURLEncoding.EncodeToString(raw[:])
}

func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

func shorten(s string) string {
	if len(s) > maxScriptText {
		return strings.ToValidUTF8(s[:maxScriptText], "")
	}
	return s
}
