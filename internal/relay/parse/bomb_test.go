package parse

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"postern/internal/mail"
)

// zeros writes n zero octets.
func zeros(w io.Writer, n int64) {
	buf := make([]byte, 1<<20)
	for n > 0 {
		k := min(n, int64(len(buf)))
		w.Write(buf[:k])
		n -= k
	}
}

func gzipZeros(n int64) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	zeros(w, n)
	w.Close()
	return b.Bytes()
}

func zipZeros(files int, each int64) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range files {
		f, _ := w.Create(fmt.Sprintf("%d.bin", i))
		zeros(f, each)
	}
	w.Close()
	return b.Bytes()
}

// zipNested is 42.zip's shape: width archives in each archive, depth levels.
func zipNested(width, depth int, leaf []byte) []byte {
	data, name := leaf, "0.bin"
	for d := range depth {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for i := range width {
			f, _ := w.Create(fmt.Sprintf("%d-%s", i, name))
			f.Write(data)
		}
		w.Close()
		data, name = b.Bytes(), fmt.Sprintf("level%d.zip", d)
	}
	return data
}

// zipOverlap is D. Fifield's: every directory entry points at one kernel.
func zipOverlap(files int, kernel int64) []byte {
	var packed bytes.Buffer
	fw, _ := flate.NewWriter(&packed, flate.BestCompression)
	crc := crc32.NewIEEE()
	zeros(io.MultiWriter(fw, crc), kernel)
	fw.Close()
	var b bytes.Buffer
	local := make([]byte, 30)
	binary.LittleEndian.PutUint32(local, 0x04034b50)
	binary.LittleEndian.PutUint16(local[8:], 8)
	binary.LittleEndian.PutUint32(local[14:], crc.Sum32())
	binary.LittleEndian.PutUint32(local[18:], uint32(packed.Len()))
	binary.LittleEndian.PutUint32(local[22:], uint32(kernel))
	binary.LittleEndian.PutUint16(local[26:], 1)
	b.Write(local)
	b.WriteString("a")
	b.Write(packed.Bytes())
	start := b.Len()
	for range files {
		e := make([]byte, 46)
		binary.LittleEndian.PutUint32(e, 0x02014b50)
		binary.LittleEndian.PutUint16(e[10:], 8)
		binary.LittleEndian.PutUint32(e[16:], crc.Sum32())
		binary.LittleEndian.PutUint32(e[20:], uint32(packed.Len()))
		binary.LittleEndian.PutUint32(e[24:], uint32(kernel))
		binary.LittleEndian.PutUint16(e[28:], 1)
		b.Write(e)
		b.WriteString("a")
	}
	end := make([]byte, 22)
	binary.LittleEndian.PutUint32(end, 0x06054b50)
	binary.LittleEndian.PutUint16(end[8:], uint16(files))
	binary.LittleEndian.PutUint16(end[10:], uint16(files))
	binary.LittleEndian.PutUint32(end[12:], uint32(b.Len()-start))
	binary.LittleEndian.PutUint32(end[16:], uint32(start))
	b.Write(end)
	return b.Bytes()
}

func tarOf(files int, each int64) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range files {
		w.WriteHeader(&tar.Header{Name: fmt.Sprintf("f%d", i), Size: each, Mode: 0o644})
		zeros(w, each)
	}
	w.Close()
	return b.Bytes()
}

// tarSparse is a GNU sparse file of size octets without data.
func tarSparse(size int64) []byte {
	h := make([]byte, 1024)
	copy(h, "sparse.bin")
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], "00000000000\x0000000000000\x00")
	h[156] = 'S'
	copy(h[257:], "ustar  \x00")
	copy(h[386:], fmt.Sprintf("%011o\x00%011o\x00", size, 0))
	copy(h[483:], fmt.Sprintf("%011o", size))
	copy(h[148:], "        ")
	sum := 0
	for _, c := range h[:512] {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return append(h, make([]byte, 1024)...)
}

func xzZeros(n int64) []byte {
	var b bytes.Buffer
	w, _ := xz.NewWriter(&b)
	zeros(w, n)
	w.Close()
	return b.Bytes()
}

func zstdZeros(n int64) []byte {
	var b bytes.Buffer
	w, _ := zstd.NewWriter(&b)
	zeros(w, n)
	w.Close()
	return b.Bytes()
}

func gzipChain(n int) []byte {
	data := []byte("the end")
	for range n {
		data = gz(data)
	}
	return data
}

// bombs are files and messages made to exhaust a scanner. Each must be held.
func bombs() map[string]func() string {
	at := func(f func() []byte) func() string { return func() string { return attached(f()) } }
	return map[string]func() string{
		"gzip of 1 GiB":           at(func() []byte { return gzipZeros(1 << 30) }),
		"gzip of gzip of 1 GiB":   at(func() []byte { return gz(gzipZeros(1 << 30)) }),
		"gzip chain of 200":       at(func() []byte { return gzipChain(200) }),
		"xz of 300 MiB":           at(func() []byte { return xzZeros(300 << 20) }),
		"xz with 4 GiB window":    at(xzWindow),
		"zstd of 1 GiB":           at(func() []byte { return zstdZeros(1 << 30) }),
		"zip of 1 GiB":            at(func() []byte { return zipZeros(1, 1<<30) }),
		"zip of 100 x 10 MiB":     at(func() []byte { return zipZeros(100, 10<<20) }),
		"zip of 20000 files":      at(func() []byte { return zipZeros(20000, 1) }),
		"zip overlapping":         at(func() []byte { return zipOverlap(20000, 100<<20) }),
		"zip in zip 16 wide":      at(func() []byte { return zipNested(16, 5, make([]byte, 1<<20)) }),
		"zip in zip 200 deep":     at(func() []byte { return zipNested(1, 200, []byte("x")) }),
		"docx with huge strings":  at(func() []byte { return officeBomb("xl/sharedStrings.xml", 600<<20) }),
		"docx with huge document": at(func() []byte { return officeBomb("word/document.xml", 600<<20) }),
		"tar of 1e5 files":        at(func() []byte { return tarOf(20_000, 0) }),
		"tar.gz of 512 MiB":       at(func() []byte { return gz(tarOf(4, 20<<20)) }),
		"tar sparse of 8 GiB":     at(func() []byte { return tarSparse(8<<30 - 1) }),
		"7z of 100 MB of counts": at(func() []byte {
			return append([]byte("7z\xBC\xAF\x27\x1C\x00\x04"), bytes.Repeat([]byte{0xFF}, 1<<20)...)
		}),
		"rar of noise":             at(func() []byte { return append([]byte("Rar!\x1a\x07\x01\x00"), noise(1<<20)...) }),
		"tnef in tnef":             at(tnefNested),
		"1e5 parts":                func() string { return generators["parts"](12 * 100_000) },
		"1e6 header fields":        func() string { return generators["header fields"](6_000_000) },
		"1e6 recipients":           func() string { return generators["To list"](13_000_000) },
		"messages 1000 deep":       func() string { return generators["nested messages"](32_000) },
		"messages 1e6 deep":        func() string { return generators["nested messages"](20 << 20) },
		"multiparts 1000 deep":     func() string { return generators["nested multiparts"](60_000) },
		"multiparts 3e5 deep":      func() string { return generators["nested multiparts"](20 << 20) },
		"base64 messages deep":     func() string { return generators["nested messages in base64"](20 << 20) },
		"header of 20 MB":          func() string { return "Subject: " + strings.Repeat("a", 20<<20) + "\r\n\r\nx" },
		"header of folded lines":   func() string { return generators["header field folded"](20 << 20) },
		"1e6 boundaries":           func() string { return generators["many boundaries"](20 << 20) },
		"1e6 links":                func() string { return generators["html links"](20 << 20) },
		"tag with 2e6 attributes":  func() string { return generators["html attributes"](20 << 20) },
		"html 4e6 deep":            func() string { return generators["html tags"](20 << 20) },
		"one line of 100 MB":       func() string { return generators["long line"](100 << 20) },
		"text of 100 MB":           func() string { return top + "\r\n" + strings.Repeat("a few words here\r\n", 6_000_000) },
		"1e6 uuencoded files":      func() string { return top + "\r\n" + strings.Repeat("begin 644 a\r\n#86)C\r\nend\r\n", 500_000) },
		"1e5 base64 runs":          func() string { return generators["base64 short runs"](20 << 20) },
		"ambiguous with 1e6 lines": func() string { return generators["two types, many parts"](20 << 20) },
		"ambiguous zip bomb": func() string {
			return strings.Replace(attached(gzipZeros(1<<30)), "boundary=foo", "boundary=foo; boundary=bar", 1)
		},
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func xzWindow() []byte {
	b := xzZeros(1 << 20)
	if i := bytes.Index(b[:32], []byte{0x21, 0x01}); i >= 0 {
		b[i+2] = 40
	}
	return b
}

func officeBomb(name string, n int64) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, _ := w.Create("[Content_Types].xml")
	f.Write([]byte("<Types/>"))
	f, _ = w.Create(name)
	zeros(f, n)
	w.Close()
	return b.Bytes()
}

func tnefNested() []byte {
	data := []byte("x")
	for range 100 {
		b := []byte("\x78\x9f\x3e\x22\x01\x00\x02\x02\x90\x06\x00\x00\x00\x00\x00\x00\x00")
		b = append(b, 0x02, 0x0F, 0x80, 0x06, 0x00)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
		data = append(append(b, data...), 0, 0)
	}
	return data
}

func TestBombsEndSoonAndAreHeld(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	all := bombs()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		octets := []byte(all[name]())
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		peak, stop := watchHeap()
		start := time.Now()
		m := Parse(octets, Limits{})
		took := time.Since(start)
		used := int64(stop(peak)) - int64(before.HeapAlloc)
		if took > 10*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		if used > 192<<20 {
			t.Errorf("%s: used %d MiB beside the message's %d", name, used>>20, len(octets)>>20)
		}
		if weight(m) < 50 {
			t.Errorf("%s: not held: %v", name, m.Anomalies)
		}
		t.Logf("%-28s %8d KiB %10v %4d MiB %5d parts %v", name, len(octets)>>10, took.Round(time.Millisecond), used>>20, len(m.Parts), rules(m))
	}
}

func rules(m *mail.Message) (list []string) {
	for _, a := range m.Anomalies {
		list = append(list, a.Rule)
	}
	return list
}

// watchHeap samples the heap until stopped and gives its highest level.
func watchHeap() (peak *uint64, stop func(*uint64) uint64) {
	quit, done := make(chan struct{}), make(chan struct{})
	peak = new(uint64)
	go func() {
		defer close(done)
		for {
			var s runtime.MemStats
			runtime.ReadMemStats(&s)
			*peak = max(*peak, s.HeapAlloc)
			select {
			case <-quit:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return peak, func(p *uint64) uint64 { close(quit); <-done; return *p }
}
