package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/backup"
	"postern/internal/mail"
	"postern/internal/seal"
	"postern/internal/spool"
	"postern/internal/store"
)

type restoreCmd struct {
	File        string `arg:"" help:"File that postern backup wrote; - is standard input."`
	Deliver     bool   `help:"Send what was on its way when the backup was made. Whatever was delivered after the backup arrives a second time; without this it is held."`
	Key         string `help:"Root key, for a backup that was made without it." placeholder:"FILE"`
	PrintConfig bool   `help:"Print the configuration in the backup, and do nothing else."`
}

// staging is the folder in the data folder that a backup is read into; nothing of
// it counts before all of it is verified.
const staging = ".restore"

type restoreView struct {
	backup.Info
	Messages int `json:"messages"` // kept ones
	Held     int `json:"held"`
	Ended    int `json:"ended"`
}

func (r *restoreCmd) Run(c *console) error {
	in, err := r.open(c)
	if err != nil {
		return err
	}
	defer in.Close()
	if r.PrintConfig {
		text, err := backup.Config(in)
		if err != nil {
			return fmt.Errorf("%s: %w", r.File, err)
		}
		_, err = c.out.Write(text)
		return err
	}
	conf, err := loadConfig(c.config)
	if err != nil {
		return fmt.Errorf("%w; a restore needs the configuration of this machine: the one in the backup is printed by postern restore --print-config %s", err, r.File)
	}
	view, err := r.restore(c, conf, in)
	if err != nil {
		return fmt.Errorf("restore %s: %w", r.File, err)
	}
	return c.print(view, func(w io.Writer) { r.print(w, conf, view) })
}

func (r *restoreCmd) open(c *console) (io.ReadCloser, error) {
	if r.File == "-" {
		return io.NopCloser(c.in), nil
	}
	f, err := os.Open(r.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist", r.File)
	}
	return f, err
}

func (r *restoreCmd) restore(c *console, conf *Config, in io.Reader) (*restoreView, error) {
	if err := emptyFolder(conf.Data); err != nil {
		return nil, err
	}
	folder := conf.path(staging)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	bar := c.bar(-1, "restore", true)
	staged, err := backup.Stage(c.ctx, in, folder, func(n int64) { _ = bar.Add64(n) })
	_ = bar.Finish()
	if err != nil {
		return nil, err
	}
	if err := r.key(staged); err != nil {
		return nil, err
	}
	sqlite := conf.Database == "sqlite"
	if sqlite != (staged.Database == "sqlite") {
		return nil, fmt.Errorf("the backup is of a store in %s, and the configuration says database: %s; they must be of one kind", staged.Database, kindOf(conf.Database))
	}
	view, err := r.settle(c.ctx, conf, staged)
	if err != nil {
		return nil, err
	}
	if err := toBucket(c.ctx, conf, staged); err != nil {
		return nil, err
	}
	return view, staged.Place(conf.Data)
}

// emptyFolder makes the data folder if need be. One that has anything in it is
// never touched, but for what an interrupted restore left.
func emptyFolder(folder string) error {
	if err := prepareData(folder); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(folder, staging)); err != nil {
		return err
	}
	left, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	left = slices.DeleteFunc(left, func(e fs.DirEntry) bool { return e.Name() == "lost+found" }) // of a disk of its own
	if len(left) > 0 {
		return fmt.Errorf("the data folder %s is not empty (%s is in it): stop Postern, and move the folder's content away or name another folder in the configuration", folder, left[0].Name())
	}
	return nil
}

// key puts the root key beside the staged store, if it was kept apart.
func (r *restoreCmd) key(staged *backup.Staged) error {
	path := filepath.Join(staged.Folder, "root.key")
	switch {
	case staged.Info.Key && r.Key != "":
		return usageError("the backup has the root key in it: leave --key out")
	case staged.Info.Key:
		return nil
	case r.Key == "":
		return errors.New("the backup was made without the root key: give it with --key FILE")
	}
	text, err := os.ReadFile(r.Key)
	if err != nil {
		return fmt.Errorf("--key: %w", err)
	}
	return os.WriteFile(path, text, 0o400)
}

func kindOf(dsn string) string {
	if dsn == "sqlite" {
		return dsn
	}
	return "postgres"
}

// settle checks the staged store and makes it safe to go on with. The PostgreSQL
// database is in its place already; nothing else is.
func (r *restoreCmd) settle(ctx context.Context, conf *Config, staged *backup.Staged) (*restoreView, error) {
	root, err := seal.Open(filepath.Join(staged.Folder, "root.key"))
	if err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, store.Options{DSN: conf.Database, Folder: staged.Folder, Log: slog.New(slog.DiscardHandler), AuditKey: root.Derive("audit")})
	if err != nil {
		return nil, err
	}
	defer st.Close()
	if err := st.Check(ctx); err != nil {
		return nil, err
	}
	if err := opensTenants(ctx, st, root); err != nil {
		return nil, err
	}
	view := &restoreView{Info: staged.Info}
	present := func(c store.Content) bool {
		_, err := staged.Spool.Size(ctx, c.ID)
		return err == nil
	}
	why := fmt.Sprintf("Restored from the backup of %s. It may have been delivered after the backup was made: release it if it is missing from the mailbox.", staged.MadeAt.UTC().Format("2006-01-02 15:04 UTC"))
	done, err := st.AfterRestore(ctx, why, conf.Quarantine.Retention, r.Deliver, present)
	if err != nil {
		return nil, err
	}
	view.Held, view.Ended = done.Held, done.Ended
	// The spool was copied after the ledger: a message may have come in between.
	err = staged.Spool.List(ctx, func(id mail.ID, _ time.Time) error {
		needed, err := st.Needed(ctx, id)
		if err != nil || needed {
			return err
		}
		return staged.Spool.Delete(ctx, id)
	})
	if err != nil {
		return nil, err
	}
	if err := st.Contents(ctx, func(store.Content) error { view.Messages++; return nil }); err != nil {
		return nil, err
	}
	a := &admin.Admin{Store: st, Root: root, Actor: "command line"}
	return view, a.NoteRestore(ctx, staged.MadeAt)
}

// opensTenants makes sure that the root key is the one of this store.
func opensTenants(ctx context.Context, st *store.Store, root *seal.Root) error {
	tenants, err := st.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if len(t.WrappedKey) == 0 {
			continue // erased on purpose
		}
		if _, err := root.Unwrap(t.WrappedKey); err != nil {
			return fmt.Errorf("the root key is not the one of this backup: it does not open the key of tenant %s", t.ID)
		}
	}
	return nil
}

// toBucket moves staged objects to the bucket, when the spool is one. Those that
// are there already are the same: an object never changes.
func toBucket(ctx context.Context, conf *Config, staged *backup.Staged) error {
	if conf.Spool.S3.Bucket == "" {
		return nil
	}
	to, err := openSpool(ctx, conf)
	if err != nil {
		return err
	}
	for _, id := range staged.Objects {
		r, err := staged.Spool.Open(ctx, id)
		if err != nil {
			return err
		}
		_, err = to.Put(ctx, id, r)
		r.Close()
		if err != nil && !errors.Is(err, spool.ErrExists) {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(staged.Folder, "spool"))
}

func (r *restoreCmd) print(w io.Writer, conf *Config, v *restoreView) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "The backup of %s is restored into %s: %d kept messages.\n", v.MadeAt.UTC().Format("2006-01-02 15:04 UTC"), conf.Data, v.Messages)
	if v.Held > 0 {
		fmt.Fprintf(&b, "%d copies were on their way and are held now, since they may have arrived after the backup was made: postern quarantine list shows them.\n", v.Held)
	}
	if v.Ended > 0 {
		fmt.Fprintf(&b, "%d copies had ended while the backup was made.\n", v.Ended)
	}
	b.WriteString("Mail that was accepted after the backup is not in it. Next: postern verify-data, then start Postern.\n")
	fmt.Fprint(w, strings.TrimLeft(b.String(), "\n"))
}
