package script

import (
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Set-up is everything the script has to know.
type Setup struct {
	Tenant       string // Postern's tenant id
	Organization string // initial or primary domain, for Connect-ExchangeOnline
	Brand        string
	Domains      []string // that must be accepted domains
	Objects      []Object // in the order in which they are made
	Predicates   []string // properties of a rule that must be empty unless wanted
	OutboundRule string   // name of an outbound relay's rule; "" to recognise it
	Mailbox      string   // for the validation of the send connector
	ReportURL    string   // where the report goes; "" for nowhere
	ReportToken  string   // single use, for ReportURL
	Generated    time.Time
}

// An Object is one object of Exchange as it should be. Values are bool, int,
// string, []string or nil.
type Object struct {
	ID       string
	Kind     string // noun of the cmdlets
	Name     string
	Props    map[string]any
	Defaults map[string]any // compared and corrected, but not given when making
	Create   map[string]any // given only when making
	Adds     map[string][]string
	Redirect bool // made disabled, enabled last
	First    bool // a rule that must stand before all others
	Steps    []string
	Why      string
}

//go:embed prelude.ps1
var prelude string

var (
	property = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
	// typographic are the quotes that PowerShell takes for ' in code.
	typographic = "\u2018\u2019\u201a\u201b"
)

// Render writes the script. An error names a value that cannot be written safely.
func Render(s Setup) (string, error) {
	w := &writer{}
	for i := range s.Objects {
		if !property.MatchString(s.Objects[i].Kind) {
			return "", fmt.Errorf("script: %q is no noun of a cmdlet", s.Objects[i].Kind)
		}
	}
	w.header(s)
	w.wanted(s)
	w.raw(prelude)
	w.verifyAll(s)
	w.line("")
	w.line("# ---- The run ---------------------------------------------------------------------")
	w.line("")
	w.line("$state = @()")
	w.line("$done = @()")
	w.line("$drift = @()")
	w.line("$foreign = @()")
	w.line("$problem = $null")
	w.line("$telling = $false")
	w.line("$reportKey = ''")
	w.open("try {")
	w.begin(s)
	w.open("if ($Mode -eq 'Apply') {")
	w.apply(s)
	w.shut("}")
	w.open("if ($Mode -eq 'Rollback') {")
	w.rollback(s)
	w.shut("}")
	w.open("if ($Mode -ne 'Rollback') {")
	w.line("$drift = @(Get-AllDrift)")
	w.shut("}")
	w.mid("} catch {")
	w.line("$problem = $_.Exception.Message")
	w.shut("}")
	w.report(s)
	return w.text.String(), w.err
}

// Quote is s as a PowerShell string in single quotes. Line ends, NUL and other
// control characters, and the typographic quotes U+2018 to U+201B, which
// PowerShell takes for a quote, are refused.
func Quote(s string) (string, error) {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == 0xfffd || r == 0x85 || r == 0x2028 || r == 0x2029 || strings.ContainsRune(typographic, r) {
			return "", fmt.Errorf("script: value holds the character %U, which cannot be written safely", r)
		}
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'", nil
}

// writer gathers lines; the first error stays.
type writer struct {
	text  strings.Builder
	depth int
	err   error
}

func (w *writer) raw(s string) { w.text.WriteString(s) }

func (w *writer) line(format string, args ...any) {
	s := format
	if len(args) > 0 {
		s = fmt.Sprintf(format, args...)
	}
	if s != "" {
		w.text.WriteString(strings.Repeat("    ", w.depth))
	}
	w.text.WriteString(s + "\n")
}

func (w *writer) open(format string, args ...any) { w.line(format, args...); w.depth++ }
func (w *writer) shut(s string)                   { w.depth--; w.line("%s", s) }
func (w *writer) mid(s string)                    { w.depth--; w.line("%s", s); w.depth++ }

// q is s quoted.
func (w *writer) q(s string) string {
	out, err := Quote(s)
	if err != nil && w.err == nil {
		w.err = err
	}
	return out
}

// value is v as PowerShell.
func (w *writer) value(v any) string {
	switch v := v.(type) {
	case nil:
		return "$null"
	case bool:
		return "$" + fmt.Sprint(v)
	case int:
		return fmt.Sprint(v)
	case string:
		return w.q(v)
	case []string:
		return w.list(v)
	}
	if w.err == nil {
		w.err = fmt.Errorf("script: a value of type %T cannot be written", v)
	}
	return "$null"
}

func (w *writer) list(items []string) string {
	quoted := make([]string, len(items))
	for i, s := range items {
		quoted[i] = w.q(s)
	}
	return "@(" + strings.Join(quoted, ", ") + ")"
}

// table writes a hashtable, one entry a line.
func (w *writer) table(name string, m map[string]any) {
	w.open("%s = @{", name)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !property.MatchString(k) && w.err == nil {
			w.err = fmt.Errorf("script: %q is no name of a parameter", k)
		}
		w.line("%s = %s", k, w.value(m[k]))
	}
	w.shut("}")
}

// comment is text for a # line: whatever it holds, it stays one line of comment.
func comment(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 }), " ")
}

func (w *writer) header(s Setup) {
	w.line("# %s: mail relay of %s, written %s.", comment(s.Brand), comment(s.Organization), s.Generated.UTC().Format(time.RFC3339))
	w.line("#")
	w.line("# It holds the relay key: keep it as secret as a password, and delete it when it was run.")
	w.line("#")
	w.line("#   .\\%s -Mode Apply      sets up the relay; may be run again at any time", "postern-exchange.ps1")
	w.line("#   .\\%s -Mode Verify     changes nothing, names every difference", "postern-exchange.ps1")
	w.line("#   .\\%s -Mode Rollback   puts back what the state file says was there before", "postern-exchange.ps1")
	w.line("#")
	w.line("# It prints a report as JSON, which Postern imports. It needs the module ExchangeOnlineManagement:")
	w.line("#   Install-Module ExchangeOnlineManagement -Scope CurrentUser")
	w.line("#Requires -Version 5.1")
	w.line("[CmdletBinding()]")
	w.open("param(")
	w.line("[string]$Mode = 'Apply',")
	w.line("[string]$StateFile = %s,", w.q("postern-exchange-"+s.Tenant+".json"))
	w.line("[string]$Organization = %s,", w.q(s.Organization))
	w.line("[string]$ReportUrl = %s,", w.q(s.ReportURL))
	w.line("[string]$ReportToken = %s,", w.q(s.ReportToken))
	w.line("[switch]$SkipConnect")
	w.shut(")")
	w.line("$ErrorActionPreference = 'Stop'")
	w.line("$tenant = %s", w.q(s.Tenant))
	w.line("$mailbox = %s", w.q(s.Mailbox))
	w.line("$domains = %s", w.list(s.Domains))
}

// wanted writes the desired state: $wantN is compared and set, $newN is what an
// object is made with, $addN are entries of a shared list.
func (w *writer) wanted(s Setup) {
	w.line("")
	w.line("# ---- What is wanted --------------------------------------------------------------")
	w.line("")
	w.line("$rulePredicates = %s", w.list(s.Predicates))
	for i, o := range s.Objects {
		w.line("")
		w.line("# %d. %s %s%s", i+1, o.Kind, comment(o.Name), stepText(o.Steps))
		w.line("# %s", comment(o.Why))
		all := maps.Clone(o.Defaults)
		if all == nil {
			all = map[string]any{}
		}
		maps.Copy(all, o.Props)
		w.table(fmt.Sprintf("$want%d", i+1), all)
		if !single(o.Kind) {
			w.table(fmt.Sprintf("$new%d", i+1), made(o))
		}
		for _, entries := range o.Adds {
			w.line("$add%d = %s", i+1, w.list(entries))
		}
	}
	w.line("")
}

// made are the parameters that o is made with.
func made(o Object) map[string]any {
	m := map[string]any{}
	for k, v := range o.Props {
		if list, ok := v.([]string); v == nil || v == "" || ok && len(list) == 0 {
			continue
		}
		m[k] = v
	}
	maps.Copy(m, o.Create)
	switch o.Kind {
	case "TenantAllowBlockListSpoofItems":
		m["Identity"] = "Default"
	case "TransportRule":
		m["Name"], m["Enabled"] = o.Name, !o.Redirect
	default:
		m["Name"] = o.Name
	}
	return m
}

func single(kind string) bool {
	return kind == "RemoteDomain" || kind == "HostedConnectionFilterPolicy" || kind == "ArcConfig"
}

func stepText(steps []string) string {
	switch len(steps) {
	case 0:
		return ""
	case 1:
		return " (guide step " + comment(steps[0]) + ")"
	}
	return " (guide steps " + comment(steps[0]) + " to " + comment(steps[len(steps)-1]) + ")"
}

// begin connects, reads the state file, and makes sure of what everything needs.
func (w *writer) begin(s Setup) {
	w.line("if (-not (@('Apply', 'Verify', 'Rollback') -contains $Mode)) { throw 'Mode is Apply, Verify or Rollback.' }")
	w.tell(s)
	w.line("if (-not $SkipConnect) { Connect-ExchangeOnline -Organization $Organization -ShowBanner:$false }")
	w.open("if (Test-Path -Path $StateFile) {")
	w.line("$file = Get-Content -Path $StateFile -Raw | ConvertFrom-Json")
	w.line("if ($file.Tenant -ne $tenant) { throw 'The state file belongs to another tenant. Name another one with -StateFile.' }")
	w.line("$state = @($file.Objects | Where-Object { $null -ne $_ })")
	w.shut("}")
}

// tell begins the report: the token is given once for the key of this run.
func (w *writer) tell(s Setup) {
	w.open("if ('' -ne $ReportUrl) {")
	w.open("try {")
	w.line("$answer = Invoke-RestMethod -Method Post -Uri $ReportUrl -Headers @{ Authorization = \"Bearer $ReportToken\" } -ContentType 'application/json' -Body (@{ mode = $Mode; total = %d } | ConvertTo-Json)", len(s.Objects))
	w.line("$reportKey = $answer.key")
	w.line("$telling = ($null -ne $reportKey)")
	w.mid("} catch {")
	w.line("Write-Warning 'Postern does not take the report of this run: its address was not reached, or the token was used before or has ended. The run goes on; upload the report at its end.'")
	w.shut("}")
	w.shut("}")
}

func (w *writer) report(s Setup) {
	w.line("$ok = (($null -eq $problem) -and ($drift.Count -eq 0))")
	w.line("$report = @{ tenant = $tenant; mode = $Mode; ok = $ok; done = @($done); drift = @($drift); foreign = @($foreign); problem = $problem }")
	w.line("$json = $report | ConvertTo-Json -Depth 8")
	w.open("if ($telling) {")
	w.open("try {")
	w.line("Invoke-RestMethod -Method Post -Uri $ReportUrl -Headers @{ Authorization = \"Bearer $reportKey\" } -ContentType 'application/json' -Body $json | Out-Null")
	w.mid("} catch {")
	w.line("Write-Warning 'The report could not be sent; upload it in Postern instead.'")
	w.shut("}")
	w.shut("}")
	w.line("$json")
	w.line("if ($null -ne $problem) { throw $problem }")
}
