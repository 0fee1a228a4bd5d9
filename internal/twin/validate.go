package twin

import (
	"errors"
	"fmt"
	"strings"

	"postern/internal/twin/cmdlet"
	"postern/internal/twin/wire"
)

// validateOutboundConnector is Validate-OutboundConnector: a real dialogue with
// each smart host, then a test message from O365ConnectorValidation.
func (c *call) validateOutboundConnector() ([]Object, error) {
	o := c.t.Object("OutboundConnector", c.args.String("Identity"))
	if o == nil {
		return nil, cmdlet.NotFound(c.args.String("Identity"), server)
	}
	var tasks []Object
	reached := true
	for _, host := range o.List("SmartHosts") {
		look := c.t.twin.delivery(o, host, job{})
		_, err := wire.Send(c.ctx, look)
		detail := fmt.Sprintf("Connected to %s, EHLO and STARTTLS succeeded.", look.Addr)
		if err != nil {
			reached, detail = false, detailOf(err, host, look.Addr)
		}
		tasks = append(tasks, task("Check connectivity: "+host, err == nil, detail))
	}
	var mail []Object
	for _, to := range c.args.List("Recipients") {
		err := errors.New("The connection test failed.")
		if reached {
			err = c.testMessage(o, to)
		}
		detail := "The test message was accepted."
		if err != nil {
			detail = detailOf(err, strings.Join(o.List("SmartHosts"), ","), "")
		}
		mail = append(mail, task("Send test email: "+to, err == nil, detail))
	}
	return []Object{tree("Check connectivity", tasks), tree("Send test email", mail)}, nil
}

// testMessage goes to the first smart host, without any header a rule would set.
func (c *call) testMessage(o Object, to string) error {
	from := "O365ConnectorValidation@" + c.t.Organization
	m := &transit{t: c.t, id: newGUID(), internal: true, start: c.t.twin.now(), env: wire.Envelope{From: from, To: []string{to}}}
	m.auth.Chain.Status = "none"
	m.head, m.blank, m.body = splitMessage(fmt.Appendf(nil, "From: <%s>\r\nTo: <%s>\r\nSubject: Test email for connector validation\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=\"utf-8\"\r\n\r\nThis test email message was sent to validate a connector.\r\n",
		from, to, m.date(), m.id, c.t.Organization))
	_, err := wire.Send(c.ctx, c.t.twin.delivery(o, o.List("SmartHosts")[0], job{from: from, to: []string{to}, raw: m.outbound()}))
	return err
}

func detailOf(err error, host, addr string) string {
	var f *wire.Failure
	if errors.As(err, &f) {
		return deferral(f, host, addr)
	}
	return err.Error()
}

func task(name string, ok bool, detail string) Object {
	return Object{"IsTaskSuccessful": ok, "TaskName": name, "TaskDetail": detail}
}

func tree(name string, tasks []Object) Object {
	o := task(name, true, "")
	for _, t := range tasks {
		if !t.Bool("IsTaskSuccessful") {
			o["IsTaskSuccessful"], o["TaskDetail"] = false, t.String("TaskDetail")
		}
	}
	o["SubTaskResults"] = tasks
	return o
}
