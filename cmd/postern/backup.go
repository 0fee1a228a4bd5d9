package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/google/renameio/v2"
	"github.com/schollz/progressbar/v3"

	"postern/internal/backup"
)

type backupCmd struct {
	File       string `arg:"" help:"File to write, which must not exist; - is standard output."`
	WithoutKey bool   `help:"Leave the root key out, to keep it apart: whoever has only this backup cannot read the mail in it."`
}

func (b *backupCmd) Run(c *console) error {
	if b.File == "-" && isTerminal(c.out) {
		return usageError("a backup is not for a terminal: name a file, or send it through a pipe")
	}
	if b.File == "-" && c.json {
		return usageError("standard output is taken by the backup: name a file, or leave --json out")
	}
	if _, err := os.Lstat(b.File); b.File != "-" && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already: a backup never overwrites, name another file", b.File)
	}
	return c.with(func(o *opened) error {
		sum, err := b.write(c, o)
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		if err := o.admin().NoteBackup(c.ctx, b.File); err != nil {
			return err
		}
		if b.File == "-" {
			printBackup(c.err, b.File, sum)
		} else if err := c.print(sum, func(w io.Writer) { printBackup(w, b.File, sum) }); err != nil {
			return err
		}
		if len(sum.Missing) > 0 {
			return errSilent
		}
		return nil
	})
}

// write leaves a whole backup or none: the file gets its name at the end.
func (b *backupCmd) write(c *console, o *opened) (backup.Summary, error) {
	source, err := backupSource(c, o)
	if err != nil {
		return backup.Summary{}, err
	}
	if b.WithoutKey {
		source.Key = ""
	}
	if b.File == "-" {
		return source.Write(c.ctx, c.out)
	}
	file, err := renameio.NewPendingFile(b.File, renameio.WithPermissions(0o600), renameio.IgnoreUmask())
	if err != nil {
		return backup.Summary{}, err
	}
	defer file.Cleanup() //nolint:errcheck // nothing to clean up after success
	sum, err := source.Write(c.ctx, file)
	if err != nil {
		return sum, err
	}
	return sum, file.CloseAtomicallyReplace()
}

func backupSource(c *console, o *opened) (*backup.Source, error) {
	spooled, err := openSpool(c.ctx, o.conf)
	if err != nil {
		return nil, err
	}
	var bar *progressbar.ProgressBar
	return &backup.Source{
		Store:   o.store,
		Spool:   spooled,
		Key:     o.conf.path("root.key"),
		Config:  o.conf.file,
		ACME:    o.conf.path("acme"),
		Scratch: o.conf.Data,
		Info:    backup.Info{Version: version, Hostname: o.conf.Hostname},
		Progress: func(done, total int64) {
			if bar == nil {
				bar = c.bar(total, "backup", true)
			}
			_ = bar.Set64(min(done, total))
		},
	}, nil
}

// bar shows on standard error how far something is, if that is a terminal. A total
// of -1 is not known.
func (c *console) bar(total int64, what string, octets bool) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total, progressbar.OptionSetWriter(c.err), progressbar.OptionSetDescription(what), progressbar.OptionShowBytes(octets),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetVisibility(isTerminal(c.err)))
}

func printBackup(w io.Writer, file string, sum backup.Summary) {
	fmt.Fprintf(w, "%s: %d MiB before compression, %d large messages.\n", file, sum.Octets>>20, sum.Objects)
	if sum.Key {
		fmt.Fprintln(w, "It has the root key in it: whoever has this file can read the held mail. Keep it as you keep keys.")
	} else {
		fmt.Fprintln(w, "The root key is not in it. Without root.key from the data folder this backup cannot be restored.")
	}
	if sum.Database != "sqlite" {
		fmt.Fprintln(w, "The PostgreSQL database is not in it: dump it with pg_dump just before this backup.")
	}
	for _, id := range sum.Missing {
		fmt.Fprintf(w, "The content of %s is missing from the spool: run postern verify-data.\n", id)
	}
}
