package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// demoCmd shows the whole round trip on loopback. Nothing leaves the machine.
type demoCmd struct {
	Dir    string        `help:"Folder for the demo's data, kept afterwards (default: a temporary one)." placeholder:"DIR"`
	Once   bool          `help:"End when all mail has arrived; exit 0 only if the round trip worked."`
	Mail   string        `help:"Feed the messages of this folder instead of the shipped samples." placeholder:"DIR"`
	Portal string        `help:"Address of the portal." default:"127.0.0.1:8025" placeholder:"ADDR"`
	Fresh  bool          `help:"Set nothing up: go through the first run in the portal yourself, beside a simulated Exchange."`
	Wait   time.Duration `help:"How long to wait for a message's end." default:"60s" hidden:""`
}

func (d *demoCmd) Run(c *console) error {
	if d.Once && d.Fresh {
		return errors.New("--once ends the demo by itself and --fresh waits for you: give one of them")
	}
	dir := d.Dir
	if dir == "" {
		temp, err := os.MkdirTemp("", "postern-demo-")
		if err != nil {
			return fmt.Errorf("make a folder for the demo: %w", err)
		}
		defer os.RemoveAll(temp)
		dir = temp
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	mails, err := d.mails()
	if err != nil {
		return err
	}
	out := screenOf(c.out)
	if c.json {
		out = io.Discard
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	r := &demoReport{out: out, colour: isTerminal(c.out)}
	r.title()
	w, err := newDemoWorld(ctx, dir, d.Portal)
	if err != nil {
		return err
	}
	defer w.close()
	if d.Fresh {
		if _, err := w.twin.Listen("127.0.0.1:25"); err != nil { // where its MX record leads
			fmt.Fprintf(out, "Port 25 is not free here: enter %d as the port of the domain's MTA.\n", w.mxPort())
		}
		r.fresh(ctx, w)
		<-ctx.Done()
		return nil
	}
	if err := w.setUp(ctx, r); err != nil {
		return err
	}
	r.begin(len(mails))
	ok := true
	for _, m := range mails {
		end, err := w.send(ctx, m, d.Wait)
		if err != nil {
			return err
		}
		ok = r.message(m, end) && ok
	}
	if err := w.verify(ctx, r); err != nil {
		return err
	}
	if c.json {
		if err := c.print(r.view(ok), nil); err != nil {
			return err
		}
	}
	r.totals(ok)
	if d.Once {
		if !ok {
			return errSilent
		}
		return nil
	}
	r.stays(ctx, w)
	<-ctx.Done()
	return nil
}

func (d *demoCmd) mails() ([]demoMail, error) {
	if d.Mail != "" {
		return folderMail(d.Mail)
	}
	return shippedMail()
}
