package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"postern/internal/mail"
	"postern/internal/spool"
	"postern/internal/store"
)

// Source is what a backup is made of.
type Source struct {
	Store    *store.Store
	Spool    *spool.Spool
	Key      string // file of the root key; "" leaves it out
	Config   string // file; "" leaves it out
	ACME     string // folder; may be missing
	Scratch  string // folder on a disk with room for another copy of the database
	Info     Info   // Version and Hostname; the rest is filled in
	Progress func(done, total int64)
}

// Summary says what a backup has.
type Summary struct {
	Info
	Objects int       `json:"objects"` // of the spool
	Octets  int64     `json:"octets"`  // before compression
	Missing []mail.ID `json:"missing"` // messages whose content should be in the spool and is not
}

// Write writes a backup to w while mail goes on. After an error what was written
// is no backup, and Read says so.
func (s *Source) Write(ctx context.Context, w io.Writer) (Summary, error) {
	sum := Summary{Info: s.Info, Missing: []mail.ID{}}
	sum.Format, sum.Database, sum.MadeAt, sum.Key = format, "sqlite", time.Now().UTC().Truncate(time.Second), s.Key != ""
	folder, err := os.MkdirTemp(s.Scratch, ".backup-")
	if err != nil {
		return sum, err
	}
	defer os.RemoveAll(folder)
	db := filepath.Join(folder, dbName)
	if err := s.Store.Snapshot(ctx, db); errors.Is(err, store.ErrNotSQLite) {
		sum.Database, db = "postgres", ""
	} else if err != nil {
		return sum, err
	}
	objects, total, err := s.plan(ctx, db)
	if err != nil {
		return sum, err
	}
	z, err := zstd.NewWriter(w)
	if err != nil {
		return sum, err
	}
	f := &files{tar: tar.NewWriter(z), at: sum.MadeAt, moved: func(n int64) {
		sum.Octets += n
		if s.Progress != nil {
			s.Progress(sum.Octets, total)
		}
	}}
	if err := s.small(f, sum.Info); err != nil {
		return sum, err
	}
	if db != "" {
		if err := f.addFile(dbName, db); err != nil {
			return sum, err
		}
	}
	if err := s.objects(ctx, f, objects, &sum); err != nil {
		return sum, err
	}
	return sum, errors.Join(f.end(), z.Close())
}

// plan lists the spooled messages and guesses how much there is to write.
func (s *Source) plan(ctx context.Context, db string) (objects []store.Content, total int64, err error) {
	if db != "" {
		info, err := os.Stat(db)
		if err != nil {
			return nil, 0, err
		}
		total = info.Size()
	}
	err = s.Store.Contents(ctx, func(c store.Content) error {
		if c.Spooled {
			objects = append(objects, c)
			total += c.Size
		}
		return nil
	})
	return objects, total, err
}

// small adds all but the database and the spool.
func (s *Source) small(f *files, info Info) error {
	text, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return err
	}
	if err := f.add(infoName, int64(len(text)), bytes.NewReader(text)); err != nil {
		return err
	}
	for name, file := range map[string]string{configName: s.Config, keyName: s.Key} {
		if file != "" {
			if err := f.addFile(name, file); err != nil {
				return err
			}
		}
	}
	if s.ACME == "" {
		return nil
	}
	return filepath.WalkDir(s.ACME, func(file string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !e.Type().IsRegular() {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(s.ACME, file)
		if err != nil {
			return err
		}
		return f.addFile(acmeDir+filepath.ToSlash(name), file)
	})
}

func (f *files) addFile(name, file string) error {
	r, err := os.Open(file)
	if err != nil {
		return err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return err
	}
	return f.add(name, info.Size(), r)
}

// objects adds the spool. An object that went meanwhile is of a message that
// ended; one that is still needed is missing.
func (s *Source) objects(ctx context.Context, f *files, list []store.Content, sum *Summary) error {
	for _, c := range list {
		err := s.object(ctx, f, c.ID)
		if errors.Is(err, spool.ErrNotFound) {
			needed, err := s.Store.Needed(ctx, c.ID)
			if err != nil {
				return err
			}
			if needed {
				sum.Missing = append(sum.Missing, c.ID)
			}
			continue
		}
		if err != nil {
			return err
		}
		sum.Objects++
	}
	return nil
}

// object opens before it asks for the size: an open file stays whole when its name
// goes.
func (s *Source) object(ctx context.Context, f *files, id mail.ID) error {
	r, err := s.Spool.Open(ctx, id)
	if err != nil {
		return err
	}
	defer r.Close()
	size, err := s.Spool.Size(ctx, id)
	if err != nil {
		return err
	}
	return f.add(spoolDir+string(id), size, r)
}
