package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"postern/internal/mail"
)

const (
	unfinished = "unfinished" // folder of objects that are being written
	// forgotten is the age at which an unfinished object is of a process that died:
	// writing takes as long as one SMTP transaction at most.
	forgotten = 6 * time.Hour
)

// folder spreads objects over 32 × 32 folders by the last two characters of their
// ids, which are random (the first ones are the time).
type folder struct {
	root   *os.Root
	failed atomic.Pointer[error]
}

// Folder opens a spool in a folder, which is made if need be. Nothing outside the
// folder is ever touched, even if someone puts links into it.
func Folder(path string) (*Spool, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("spool folder: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("spool folder: %w", err)
	}
	f := &folder{root: root}
	if err := f.begin(); err != nil {
		root.Close()
		return nil, fmt.Errorf("spool folder %s: %w", path, err)
	}
	return &Spool{at: f}, nil
}

// begin makes the folder of unfinished objects, and removes what a crash left
// there.
func (f *folder) begin() error {
	if err := f.mkdir(unfinished); err != nil {
		return err
	}
	left, err := fs.ReadDir(f.root.FS(), unfinished)
	if err != nil {
		return err
	}
	for _, e := range left {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > forgotten {
			if err := f.root.Remove(unfinished + "/" + e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

func folderOf(id mail.ID) (outer, inner string) {
	n := len(id)
	outer = string(id[n-1:])
	return outer, outer + "/" + string(id[n-2:n-1])
}

func pathOf(id mail.ID) string {
	_, inner := folderOf(id)
	return inner + "/" + string(id)
}

func (f *folder) put(ctx context.Context, id mail.ID, r io.Reader) (size int64, err error) {
	if p := f.failed.Load(); p != nil {
		return 0, *p
	}
	if _, err := f.root.Lstat(pathOf(id)); err == nil {
		return 0, ErrExists
	}
	temp := unfinished + "/" + string(id)
	w, err := f.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return 0, ErrExists // another Put of it is at work
	}
	if err != nil {
		return 0, err
	}
	defer func() {
		w.Close()
		if err != nil {
			f.root.Remove(temp) // begin does it later if this cannot
		}
	}()
	if size, err = io.Copy(w, while{ctx, r}); err != nil {
		return 0, err
	}
	if err := f.sync(w); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, f.fail(err)
	}
	if err := f.name(id, temp); err != nil {
		return 0, err
	}
	return size, nil
}

// name moves a whole object to its place. On Linux a synced file can still lose
// its name until its folder is synced too.
func (f *folder) name(id mail.ID, temp string) error {
	outer, inner := folderOf(id)
	if err := f.mkdir(outer); err != nil {
		return err
	}
	if err := f.mkdir(inner); err != nil {
		return err
	}
	if err := f.root.Rename(temp, pathOf(id)); err != nil {
		return err
	}
	if err := f.syncFolder(inner); err != nil {
		f.root.Remove(pathOf(id)) // it was not promised to anyone
		return err
	}
	return nil
}

// mkdir makes a folder if there is none, durably.
func (f *folder) mkdir(name string) error {
	err := f.root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	parent := "."
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		parent = name[:i]
	}
	return f.syncFolder(parent)
}

func (f *folder) syncFolder(name string) error {
	d, err := f.root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return f.sync(d)
}

func (f *folder) sync(file *os.File) error {
	if err := file.Sync(); err != nil {
		return f.fail(err)
	}
	return nil
}

// fail makes a failed sync stick: the kernel may have thrown the pages away, and
// the next sync would succeed without them.
func (f *folder) fail(err error) error {
	err = fmt.Errorf("%w: %w", ErrFailed, err)
	f.failed.CompareAndSwap(nil, &err)
	return err
}

func (f *folder) open(ctx context.Context, id mail.ID) (io.ReadCloser, error) {
	file, err := f.root.Open(pathOf(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{while{ctx, file}, file}, nil
}

func (f *folder) size(_ context.Context, id mail.ID) (int64, error) {
	info, err := f.root.Lstat(pathOf(id))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, ErrNotFound
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *folder) delete(_ context.Context, id mail.ID) error {
	err := f.root.Remove(pathOf(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (f *folder) list(ctx context.Context, fn func(id mail.ID, modified time.Time) error) error {
	return fs.WalkDir(f.root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // deleted meanwhile
			return nil
		case err != nil:
			return err
		case d.IsDir() && path == unfinished:
			return fs.SkipDir
		case !d.Type().IsRegular():
			return ctx.Err()
		}
		id := mail.ID(d.Name())
		if !id.Valid() || path != pathOf(id) { // not ours
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return fn(id, info.ModTime())
	})
}

func (f *folder) free(context.Context) (uint64, error) {
	d, err := f.root.Open(".")
	if err != nil {
		return 0, err
	}
	defer d.Close()
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(int(d.Fd()), &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
