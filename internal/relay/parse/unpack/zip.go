package unpack

import (
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"encoding/binary"
	"io"
	"sort"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

type span struct{ from, to int64 }

// zip unpacks what the central directory names and then what else stands in the
// file: readers that stream it never look at the directory (APPNOTE §4.3.1).
func (a *archive) zip() error {
	r, err := zip.NewReader(bytes.NewReader(a.data), int64(len(a.data)))
	if r == nil || err != nil && len(r.File) == 0 {
		if !a.zipLocal(nil) {
			a.errs = append(a.errs, ErrDamaged)
		}
		return a.done()
	}
	r.RegisterDecompressor(12, func(r io.Reader) io.ReadCloser { return io.NopCloser(bzip2.NewReader(r)) })
	r.RegisterDecompressor(14, zipLZMA)
	r.RegisterDecompressor(93, zipZstd)
	r.RegisterDecompressor(95, zipXZ)
	spans, overlap := zipSpans(a.data, r)
	if overlap {
		a.errs = append(a.errs, ErrOverlap)
	}
	for _, f := range r.File {
		if !a.zipFile(f, overlap) {
			return a.done()
		}
	}
	if a.zipLocal(spans) {
		a.errs = append(a.errs, ErrHidden)
	}
	return a.done()
}

// zipSpans are the octets that the named members take, in order.
func zipSpans(data []byte, r *zip.Reader) (spans []span, overlap bool) {
	spans = make([]span, 0, len(r.File))
	for _, f := range r.File {
		if off, err := f.DataOffset(); err == nil && f.CompressedSize64 < 1<<40 {
			spans = append(spans, span{localHeader(data, off, len(f.Name)), off + int64(f.CompressedSize64)})
		}
	}
	sort.Slice(spans, func(i, j int) bool { return spans[i].from < spans[j].from })
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return spans, true
		}
	}
	return spans, false
}

// localHeader finds where the local header begins whose data begins at off; the
// extra field between them has a length of its own.
func localHeader(data []byte, off int64, name int) int64 {
	end := min(max(off-26-int64(name), 0), int64(len(data)))
	from := max(end-1024, 0)
	if i := bytes.LastIndex(data[from:end], []byte("PK\x03\x04")); i >= 0 {
		return from + int64(i)
	}
	return max(off-30-int64(name), 0)
}

// zipFile unpacks one named member. Of overlapping ones only the names are told,
// since each could hold all others (D. Fifield, "A better zip bomb").
func (a *archive) zipFile(f *zip.File, overlap bool) bool {
	if f.Mode().IsDir() && f.UncompressedSize64 == 0 {
		return true
	}
	size := int64(min(f.UncompressedSize64, 1<<62))
	if f.Flags&1 != 0 || f.Method == 99 {
		return a.named(locked(f.Name, size))
	}
	if overlap {
		return a.named(Member{Name: f.Name, Size: size, Truncated: true})
	}
	rc, err := f.Open()
	if err != nil {
		a.errs = append(a.errs, ErrDamaged)
		return a.named(Member{Name: f.Name, Size: size, Truncated: true})
	}
	defer rc.Close()
	return a.member(f.Name, int64(f.CompressedSize64), rc)
}

// zipLocal unpacks members that stand outside the spans, by their local headers
// alone (APPNOTE §4.3.7). It reports whether there were any.
func (a *archive) zipLocal(spans []span) (found bool) {
	pos := int64(0)
	for {
		for len(spans) > 0 && spans[0].to <= pos {
			spans = spans[1:]
		}
		i := bytes.Index(a.data[pos:], []byte("PK\x03\x04"))
		if i < 0 {
			return found
		}
		at := pos + int64(i)
		for len(spans) > 0 && spans[0].to <= at {
			spans = spans[1:]
		}
		if len(spans) > 0 && spans[0].from <= at {
			pos = max(spans[0].to, at+4)
			if pos >= int64(len(a.data)) {
				return found
			}
			continue
		}
		used, ok, more := a.zipLocalAt(a.data[at:])
		found = found || ok
		pos = at + max(used, 4)
		if !more || pos >= int64(len(a.data)) {
			return found
		}
	}
}

// zipLocalAt unpacks the member whose local header b starts with.
func (a *archive) zipLocalAt(b []byte) (used int64, ok, more bool) {
	if len(b) < 30 {
		return 0, false, true
	}
	flags, method := binary.LittleEndian.Uint16(b[6:]), binary.LittleEndian.Uint16(b[8:])
	packed, size := binary.LittleEndian.Uint32(b[18:]), binary.LittleEndian.Uint32(b[22:])
	n, extra := int(binary.LittleEndian.Uint16(b[26:])), int(binary.LittleEndian.Uint16(b[28:]))
	if n == 0 || n > 1024 || 30+n+extra > len(b) || method > 99 {
		return 0, false, true
	}
	name := string(b[30 : 30+n])
	start := 30 + n + extra
	body := b[start:]
	if flags&1 != 0 {
		return int64(start), true, a.named(locked(name, int64(size)))
	}
	if packed > 0 && int64(packed) <= int64(len(body)) {
		body = body[:packed]
	}
	if name[n-1] == '/' && packed == 0 {
		return int64(start), false, true
	}
	src := bytes.NewReader(body)
	var r io.Reader = src
	switch method {
	case 0:
	case 8:
		r = flate.NewReader(src)
	default:
		return int64(start), false, true
	}
	more = a.member(name, int64(len(body)), r)
	return int64(start + len(body) - src.Len()), true, more
}

func zipZstd(r io.Reader) io.ReadCloser {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxDictionary))
	if err != nil {
		return broken{}
	}
	return d.IOReadCloser()
}

func zipXZ(r io.Reader) io.ReadCloser {
	d, err := xz.NewReader(r)
	if err != nil {
		return broken{}
	}
	return io.NopCloser(d)
}

// zipLZMA reads method 14: two octets of version, two of length, then the
// properties and the stream (APPNOTE §5.8.8).
func zipLZMA(r io.Reader) io.ReadCloser {
	var head [9]byte
	if _, err := io.ReadFull(r, head[:]); err != nil || head[2] != 5 || head[3] != 0 {
		return broken{}
	}
	old := append(append([]byte{}, head[4:9]...), 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF)
	d, err := lzma.ReaderConfig{DictCap: maxDictionary}.NewReader(io.MultiReader(bytes.NewReader(old), r))
	if err != nil {
		return broken{}
	}
	return io.NopCloser(d)
}

// broken is a member that cannot be read.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, ErrDamaged }
func (broken) Close() error             { return nil }
