package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
)

// format is the number of the layout that doc.go describes.
const format = 1

// Names in the archive.
const (
	infoName   = "postern-backup.json"
	configName = "postern.yaml"
	keyName    = "root.key"
	dbName     = "postern.db"
	sumsName   = "SHA256SUMS"
	spoolDir   = "spool/"
	acmeDir    = "acme/"
)

// Info says what a backup is of.
type Info struct {
	Format   int       `json:"format"`
	Version  string    `json:"version"` // of the Postern that wrote it
	Hostname string    `json:"hostname"`
	Database string    `json:"database"` // "sqlite", or "postgres" when the database is not in it
	MadeAt   time.Time `json:"made_at"`
	Key      bool      `json:"key"` // root.key is in it
}

// ErrBackup means that a file is not a whole, unchanged backup.
var ErrBackup = errors.New("not a whole backup")

// files writes entries into an archive and remembers their checksums.
type files struct {
	tar   *tar.Writer
	at    time.Time
	sums  bytes.Buffer
	moved func(n int64)
}

// add writes one entry of exactly size octets.
func (f *files) add(name string, size int64, r io.Reader) error {
	if err := f.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: f.at, Format: tar.FormatPAX}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f.tar, sum), countReader{r, f.moved})
	if err == nil && n != size {
		err = fmt.Errorf("it has %d octets, not %d", n, size)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Fprintf(&f.sums, "%x  %s\n", sum.Sum(nil), name)
	return nil
}

// countReader tells how far reading has come.
type countReader struct {
	io.Reader
	moved func(n int64)
}

func (c countReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.moved != nil {
		c.moved(int64(n))
	}
	return n, err
}

// end writes the checksums.
func (f *files) end() error {
	sums := f.sums.Bytes()
	if err := f.tar.WriteHeader(&tar.Header{Name: sumsName, Size: int64(len(sums)), Mode: 0o600, ModTime: f.at, Format: tar.FormatPAX}); err != nil {
		return err
	}
	if _, err := f.tar.Write(sums); err != nil {
		return err
	}
	return f.tar.Close()
}

// allowed reports whether a backup may have an entry of that name and type: no
// other file of the machine can be reached through an archive.
func allowed(h *tar.Header) bool {
	if h.Typeflag != tar.TypeReg || h.Name != path.Clean(h.Name) {
		return false
	}
	if id, ok := strings.CutPrefix(h.Name, spoolDir); ok {
		return mail.ID(id).Valid()
	}
	if strings.HasPrefix(h.Name, acmeDir) {
		return !slices.Contains(strings.Split(h.Name, "/"), "..") && !strings.ContainsRune(h.Name, 0)
	}
	return slices.Contains([]string{infoName, configName, keyName, dbName, sumsName}, h.Name)
}

// parseSums reads what end wrote.
func parseSums(text []byte) (map[string]string, error) {
	sums := map[string]string{}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		sum, name, ok := strings.Cut(s.Text(), "  ")
		if b, err := hex.DecodeString(sum); !ok || err != nil || len(b) != sha256.Size {
			return nil, fmt.Errorf("%w: its list of checksums is damaged", ErrBackup)
		}
		sums[name] = sum
	}
	return sums, nil
}
