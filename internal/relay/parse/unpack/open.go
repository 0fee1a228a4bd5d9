package unpack

import (
	"archive/tar"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/bodgit/sevenzip"
	"github.com/kdomanski/iso9660"
	"github.com/klauspost/compress/zstd"
	"github.com/nwaples/rardecode/v2"
	"github.com/ulikunitz/xz"
)

// maxDictionary is the largest window a decompressor may allocate. The strongest
// settings of today's programs use 64 MiB.
const maxDictionary = 64 << 20

// Open unpacks one level of the container of that kind and hands each member to
// emit, which may open it in turn with the same budget.
func Open(kind string, data []byte, b *Budget, emit func(Member)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	if time.Now().After(b.Deadline) {
		return ErrTime
	}
	a := archive{data: data, budget: b, emit: emit}
	switch kind {
	case "zip", "ooxml":
		return a.zip()
	case "7z":
		return a.sevenZip()
	case "rar":
		return a.rar()
	case "tar":
		return a.tar()
	case "gzip":
		return a.gzip()
	case "zlib":
		r, err := zlib.NewReader(bytes.NewReader(data))
		return a.stream("", r, err)
	case "xz":
		if bigXZ(data) {
			return ErrOctets
		}
		r, err := xz.NewReader(bytes.NewReader(data))
		return a.stream("", r, err)
	case "zstd":
		r, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxDictionary))
		if err == nil {
			defer r.Close()
		}
		return a.stream("", r, err)
	case "bzip2":
		return a.stream("", bzip2.NewReader(bytes.NewReader(data)), nil)
	case "iso":
		return a.iso()
	}
	return nil
}

type archive struct {
	data   []byte
	budget *Budget
	emit   func(Member)
	total  int64 // unpacked so far
	errs   []error
}

// member unpacks one and hands it on. false: nothing more of this archive.
func (a *archive) member(name string, packed int64, r io.Reader) bool {
	m, err := a.budget.readMember(name, packed, r)
	a.total += m.Size
	if m.Size > 0 || err == nil {
		a.emit(m)
	}
	if err == nil && a.budget.Ratio > 0 && a.total > a.budget.RatioFrom && a.total/a.budget.Ratio > int64(len(a.data)) {
		err = ErrRatio
	}
	if err != nil {
		a.errs = append(a.errs, err)
	}
	return !over(err)
}

// named hands on a member of which no more than the directory's entry is known.
func (a *archive) named(m Member) bool {
	if a.budget.Members--; a.budget.Members < 0 {
		a.errs = append(a.errs, ErrMembers)
		return false
	}
	a.emit(m)
	return true
}

func locked(name string, size int64) Member {
	return Member{Name: name, Size: size, Encrypted: true, Truncated: true}
}

func (a *archive) done() error { return errors.Join(a.errs...) }

// fail notes why reading the archive itself ended.
func (a *archive) fail(err error) error {
	if err != nil && err != io.EOF {
		a.errs = append(a.errs, ErrDamaged)
	}
	return a.done()
}

func (a *archive) stream(name string, r io.Reader, err error) error {
	if err != nil {
		return ErrDamaged
	}
	a.member(name, int64(len(a.data)), r)
	return a.done()
}

func (a *archive) gzip() error {
	r, err := gzip.NewReader(bytes.NewReader(a.data))
	if err != nil {
		return ErrDamaged
	}
	return a.stream(r.Name, r, nil)
}

// bigXZ reads the dictionary size from the first block header (xz format 1.1.0
// §5.3.1): the library allocates whatever stands there.
func bigXZ(b []byte) bool {
	if len(b) < 24 {
		return false
	}
	head := b[12:min(len(b), 12+64)]
	i := bytes.Index(head, []byte{0x21, 0x01})
	return i >= 0 && i+2 < len(head) && head[i+2] > 28 && head[i+2] <= 40 // 28 is 64 MiB
}

func (a *archive) tar() error {
	r := tar.NewReader(bytes.NewReader(a.data))
	for {
		h, err := r.Next()
		if err != nil {
			return a.fail(err)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if !a.member(h.Name, int64(len(a.data)), r) {
			return a.done()
		}
	}
}

func (a *archive) rar() error {
	r, err := rardecode.NewReader(bytes.NewReader(a.data), rardecode.MaxDictionarySize(maxDictionary), rardecode.SkipCheck)
	if err != nil {
		return rarError(err)
	}
	for {
		h, err := r.Next()
		if err != nil {
			if err != io.EOF {
				a.errs = append(a.errs, rarError(err))
			}
			return a.done()
		}
		if h.IsDir {
			continue
		}
		more := true
		if h.Encrypted || h.HeaderEncrypted {
			more = a.named(locked(h.Name, h.UnPackedSize))
		} else {
			more = a.member(h.Name, max(h.PackedSize, int64(len(a.data))), r)
		}
		if !more {
			return a.done()
		}
	}
}

func rarError(err error) error {
	switch {
	case errors.Is(err, rardecode.ErrArchiveEncrypted), errors.Is(err, rardecode.ErrArchivedFileEncrypted), errors.Is(err, rardecode.ErrBadPassword):
		return ErrEncrypted
	case errors.Is(err, rardecode.ErrDictionaryTooLarge):
		return ErrOctets
	}
	return ErrDamaged
}

func (a *archive) sevenZip() error {
	r, err := sevenzip.NewReader(bytes.NewReader(a.data), int64(len(a.data)))
	if err != nil {
		return sevenError(err)
	}
	for _, f := range r.File {
		if f.FileInfo().IsDir() {
			continue
		}
		rc, err := f.Open()
		if err != nil {
			if sevenError(err) == ErrEncrypted {
				if !a.named(locked(f.Name, int64(f.UncompressedSize))) {
					return a.done()
				}
				continue
			}
			a.errs = append(a.errs, ErrDamaged)
			continue
		}
		e := &watched{r: rc}
		before := len(a.errs)
		more := a.member(f.Name, int64(len(a.data)), e)
		rc.Close()
		if e.err != nil && sevenError(e.err) == ErrEncrypted { // known only once its octets are read
			a.errs = append(a.errs[:before], ErrEncrypted)
			more = a.named(locked(f.Name, int64(f.UncompressedSize)))
		}
		if !more {
			break
		}
	}
	return a.done()
}

// watched remembers the error that ended reading.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

func sevenError(err error) error {
	var re *sevenzip.ReadError
	if errors.As(err, &re) && re.Encrypted {
		return ErrEncrypted
	}
	return ErrDamaged
}

const maxISODepth = 16 // folders inside folders; ECMA-119 §7.6.3 allows 8

func (a *archive) iso() error {
	img, err := iso9660.OpenImage(bytes.NewReader(a.data))
	if err != nil {
		return ErrDamaged
	}
	root, err := img.RootDir()
	if err != nil {
		return ErrDamaged
	}
	a.isoFolder(root, "", 0)
	return a.done()
}

func (a *archive) isoFolder(dir *iso9660.File, at string, depth int) bool {
	files, err := dir.GetChildren()
	if err != nil || depth > maxISODepth {
		a.errs = append(a.errs, ErrDamaged)
		return true
	}
	for _, f := range files {
		name := path.Join(at, f.Name())
		if f.IsDir() {
			if a.budget.Members--; a.budget.Members < 0 {
				a.errs = append(a.errs, ErrMembers)
				return false
			}
			if !a.isoFolder(f, name, depth+1) {
				return false
			}
			continue
		}
		if !a.member(name, int64(len(a.data)), f.Reader()) {
			return false
		}
	}
	return true
}
