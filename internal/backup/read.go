package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"postern/internal/mail"
	"postern/internal/spool"
)

// Staged is a backup that was read into a folder and verified.
type Staged struct {
	Info
	Folder  string
	Spool   *spool.Spool // in Folder
	Objects []mail.ID    // in Spool
}

// maxSmall is the largest file but database and spool objects, in octets; the list
// of checksums of ten million objects is the largest.
const maxSmall = 1 << 30

// Stage reads a backup into folder, which must be empty, and verifies all of it.
// The error is ErrBackup when it was cut or changed.
func Stage(ctx context.Context, r io.Reader, folder string, progress func(n int64)) (*Staged, error) {
	z, err := zstd.NewReader(r)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	s := &Staged{Folder: folder}
	if s.Spool, err = spool.Folder(filepath.Join(folder, "spool")); err != nil {
		return nil, err
	}
	got := map[string]string{}
	var sums []byte
	for t := tar.NewReader(countReader{z, progress}); sums == nil; {
		h, err := t.Next()
		if err != nil {
			return nil, explain(err)
		}
		if !allowed(h) {
			return nil, fmt.Errorf("%w: it has a file %q, which none of ours has", ErrBackup, h.Name)
		}
		if _, twice := got[h.Name]; twice {
			return nil, fmt.Errorf("%w: it has %s twice", ErrBackup, h.Name)
		}
		if h.Name == sumsName {
			if sums, err = io.ReadAll(io.LimitReader(t, maxSmall)); err != nil {
				return nil, explain(err)
			}
			break
		}
		if got[h.Name], err = s.put(ctx, h.Name, t); err != nil {
			return nil, err
		}
	}
	if err := compare(got, sums); err != nil {
		return nil, err
	}
	return s, s.readInfo()
}

// explain tells a damaged archive from a disk that cannot be read.
func explain(err error) error {
	var path *os.PathError
	if errors.As(err, &path) || errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends too early", ErrBackup)
	}
	return fmt.Errorf("%w: %w", ErrBackup, err)
}

// put writes one entry to its place in the folder, synced, and returns its checksum.
func (s *Staged) put(ctx context.Context, name string, r io.Reader) (string, error) {
	sum := sha256.New()
	r = io.TeeReader(r, sum)
	if id, ok := strings.CutPrefix(name, spoolDir); ok {
		if _, err := s.Spool.Put(ctx, mail.ID(id), r); err != nil {
			return "", explain(err)
		}
		s.Objects = append(s.Objects, mail.ID(id))
		return hex.EncodeToString(sum.Sum(nil)), nil
	}
	root, err := os.OpenRoot(s.Folder)
	if err != nil {
		return "", err
	}
	defer root.Close()
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return "", err
	}
	mode := os.FileMode(0o600)
	if name == keyName {
		mode = 0o400
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := io.Copy(f, r); err != nil {
		return "", explain(err)
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), f.Close()
}

// compare holds what was read against the list of checksums, both ways.
func compare(got map[string]string, list []byte) error {
	want, err := parseSums(list)
	if err != nil {
		return err
	}
	for name, sum := range want {
		switch {
		case got[name] == "":
			return fmt.Errorf("%w: %s is missing", ErrBackup, name)
		case got[name] != sum:
			return fmt.Errorf("%w: %s was changed or damaged", ErrBackup, name)
		}
	}
	for name := range got {
		if want[name] == "" {
			return fmt.Errorf("%w: %s is not in its list of checksums", ErrBackup, name)
		}
	}
	return nil
}

func (s *Staged) readInfo() error {
	text, err := os.ReadFile(filepath.Join(s.Folder, infoName))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", ErrBackup, infoName)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &s.Info); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBackup, infoName, err)
	}
	if s.Format > format {
		return fmt.Errorf("it was written by the newer Postern %s: restore it with that or a later one", s.Version)
	}
	return nil
}

// Config returns the configuration in a backup, which is near its beginning.
func Config(r io.Reader) ([]byte, error) {
	z, err := zstd.NewReader(r)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err != nil {
			return nil, explain(err)
		}
		switch h.Name {
		case configName:
			return io.ReadAll(io.LimitReader(t, 1<<20))
		case dbName, sumsName:
			return nil, errors.New("the backup has no configuration in it")
		}
	}
}

// Place moves what was staged to its place in folder, which must have nothing of
// the same names. The database comes last: a folder with it is complete.
func (s *Staged) Place(folder string) error {
	for _, name := range []string{"spool", "acme", keyName, dbName} {
		from, to := filepath.Join(s.Folder, name), filepath.Join(folder, name)
		if _, err := os.Lstat(from); errors.Is(err, os.ErrNotExist) {
			continue
		}
		if _, err := os.Lstat(to); err == nil {
			return fmt.Errorf("%s exists already", to)
		}
		if err := os.Rename(from, to); err != nil {
			return err
		}
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
