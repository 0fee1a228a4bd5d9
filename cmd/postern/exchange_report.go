package main

import (
	"fmt"
	"io"
	"os"

	"postern/internal/mail"
)

type exchangeReportCmd struct {
	exchangeTenant
	File string `arg:"" help:"The script's report; - is standard input."`
}

func (e *exchangeReportCmd) Run(c *console) error {
	var octets []byte
	var err error
	if e.File == "-" {
		octets, err = io.ReadAll(c.in)
	} else {
		octets, err = os.ReadFile(e.File)
	}
	if err != nil {
		return err
	}
	return c.withTenant(e.Tenant, func(o *opened, t mail.Tenant) error {
		x := c.exchange(o)
		r, err := x.ImportReport(c.ctx, t.ID, octets)
		if err != nil {
			return err
		}
		if err := c.print(r, func(w io.Writer) {
			fmt.Fprintf(w, "%s: %d changes made.\n", r.Mode, len(r.Done))
			for _, d := range r.Drift {
				fmt.Fprintf(w, "%-8s  %s %s is %v, should be %v. %s\n", d.Severity, d.Object, d.Field, d.Have, d.Want, d.Note)
			}
			if r.Problem != "" {
				fmt.Fprintf(w, "It stopped: %s\n", show(r.Problem, 400))
			}
		}); err != nil {
			return err
		}
		if !r.OK {
			return errSilent
		}
		return nil
	})
}
