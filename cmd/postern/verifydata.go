package main

import (
	"fmt"
	"io"

	"postern/internal/backup"
	"postern/internal/relay"
)

type verifyCmd struct {
	Marks string `help:"File with marks of the audit log, kept elsewhere; audit.marks_file by default." type:"existingfile" placeholder:"FILE"`
}

func (v *verifyCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		directory, err := o.directory(c.ctx)
		if err != nil {
			return err
		}
		spooled, err := openSpool(c.ctx, o.conf)
		if err != nil {
			return err
		}
		marks, err := readMarks(v.Marks, o.conf.Audit.MarksFile)
		if err != nil {
			return err
		}
		bar := c.bar(-1, "messages", false)
		d := &backup.Data{
			Store:    o.store,
			Spool:    spooled,
			Seal:     directory.Seal,
			Part:     relay.ContentPart,
			Progress: func(messages int) { _ = bar.Set(messages) },
			Marks:    marks,
		}
		report, err := d.Verify(c.ctx)
		_ = bar.Finish()
		if err != nil {
			return fmt.Errorf("verify: %w", err)
		}
		if err := c.print(report, func(w io.Writer) { printReport(w, report) }); err != nil {
			return err
		}
		if !report.OK {
			return errSilent
		}
		return nil
	})
}

func printReport(w io.Writer, r *backup.Report) {
	for _, d := range r.Damaged {
		fmt.Fprintf(w, "%-9s %-26s %s\n", d.What, d.Object, show(d.Text, 300))
	}
	fmt.Fprintf(w, "%d kept messages opened (%d MiB), %d objects in the spool, %d audit entries: ", r.Messages, r.Octets>>20, r.Objects, r.Audit)
	if r.OK {
		fmt.Fprintln(w, "all whole.")
	} else {
		fmt.Fprintf(w, "%d things are damaged.\n", len(r.Damaged))
	}
}
