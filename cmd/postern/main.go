// Command postern is an e-mail security relay for Microsoft 365: the relay, its
// judge, its store and every door to them in one program.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes that scripts rely on.
const (
	exitDone   = 0
	exitFailed = 1 // refused or failed: one clear line on standard error
	exitUsage  = 2
)

// cli is the command line; each verb has a file of its own.
type cli struct {
	Config string `help:"Configuration file (default postern.yaml, then /etc/postern/postern.yaml)." placeholder:"FILE" short:"c"`
	JSON   bool   `help:"Print JSON." name:"json"`

	Demo       demoCmd       `cmd:"" help:"Show the whole round trip on loopback: a simulated Exchange tenant, the relay, sample mail."`
	Serve      serveCmd      `cmd:"" help:"Run the relay. SIGTERM drains, SIGHUP reloads certificates and configuration."`
	Check      checkCmd      `cmd:"" help:"Say what is wrong with the configuration, certificate, DNS, ports and store, and how to mend it."`
	Scan       scanCmd       `cmd:"" help:"Judge message files offline, with the reasons."`
	Eval       evalCmd       `cmd:"" help:"Measure catch and false-positive rates over folders of messages."`
	Tenant     tenantCmd     `cmd:"" help:"Tenants: add, list."`
	Domain     domainCmd     `cmd:"" help:"Domains and their MTAs: add, resolve, enable, disable, list, remove."`
	Key        keyCmd        `cmd:"" help:"Relay keys: rotate, retire, list."`
	User       userCmd       `cmd:"" help:"Users of the portal: add, list."`
	Token      tokenCmd      `cmd:"" help:"API tokens for programs: add, list, revoke."`
	Provider   providerCmd   `cmd:"" help:"Where people sign in elsewhere (OpenID Connect): show, set, remove."`
	Sender     senderCmd     `cmd:"" help:"A tenant's allow and block list: allow, block, list, remove."`
	Policy     policyCmd     `cmd:"" help:"Thresholds and actions: show, test on stored mail, set, undo."`
	People     peopleCmd     `cmd:"" help:"People protected from impersonation: add, list, remove."`
	Queue      queueCmd      `cmd:"" help:"What waits to be delivered: list, retry."`
	Trace      traceCmd      `cmd:"" help:"What became of each message, one entry per recipient."`
	Quarantine quarantineCmd `cmd:"" help:"Held mail: list, show, release, delete."`
	Request    requestCmd    `cmd:"" help:"Recipients' requests for held mail: list, approve, decline."`
	Recipients recipientsCmd `cmd:"" help:"What the people whose mail is held may do themselves, and their digest."`
	Exchange   exchangeCmd   `cmd:"" help:"Exchange Online: connect, plan, apply, verify, roll back."`
	Alarm      alarmCmd      `cmd:"" help:"Alarms: list, clear."`
	Status     statusCmd     `cmd:"" help:"Is mail really protected? Part by part, with what to do; exit 1 when something is red."`
	Report     reportCmd     `cmd:"" help:"What happened to a tenant's mail: numbers, a table (CSV) or a PDF."`
	Schedule   scheduleCmd   `cmd:"" help:"Reports by mail: when and to whom; without --every, show it." name:"report-schedule"`
	Backup     backupCmd     `cmd:"" help:"Write everything into one file while the relay runs."`
	Restore    restoreCmd    `cmd:"" help:"Fill an empty data folder from a backup."`
	Index      indexCmd      `cmd:"" help:"The search index: status, rebuild."`
	VerifyData verifyCmd     `cmd:"" help:"Read the whole store and spool and say what is damaged." name:"verify-data"`
	Twin       twinCmd       `cmd:"" help:"Run a simulated Exchange tenant by itself."`
	Version    versionCmd    `cmd:"" help:"Print the version."`

	Fill fillCmd `cmd:"" hidden:"" help:"Fill an empty store with made-up mail, to measure it."`
	Read readCmd `cmd:"" hidden:"" name:"read-worker"`
}

// console is what a verb talks through.
type console struct {
	ctx    context.Context
	out    io.Writer
	err    io.Writer
	in     io.Reader
	json   bool
	config string
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == workerVerb {
		os.Exit(judgeWorker())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("postern"),
		kong.Description("An e-mail security relay for Microsoft 365."),
		kong.UsageOnError(),
		kong.Writers(out, errOut),
		kong.Exit(func(code int) { exited = code }),
	)
	if err != nil {
		fmt.Fprintln(errOut, "postern:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if exited >= 0 {
		return exited // help was asked for and printed
	}
	if err != nil {
		fmt.Fprintf(errOut, "postern: %s; see postern --help\n", err)
		return exitUsage
	}
	if ctx == nil {
		ctx = context.Background()
	}
	err = k.Run(&console{ctx: ctx, out: out, err: errOut, in: in, json: c.JSON, config: c.Config})
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(errOut, "postern: %s\n", oneLine(err))
		return exitUsage
	case errors.Is(err, errSilent):
		return exitFailed
	}
	fmt.Fprintf(errOut, "postern: %s\n", oneLine(err))
	return exitFailed
}

// A usageError is a command line that makes no sense.
type usageError string

func (e usageError) Error() string { return string(e) }

// errSilent ends a verb that has said already what is wrong.
var errSilent = errors.New("reported already")

// oneLine makes an error one line, whatever a library put into it.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// print writes v as JSON when asked for, else calls text.
func (c *console) print(v any, text func(w io.Writer)) error {
	if !c.json {
		onScreen(c.out, text)
		return nil
	}
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
