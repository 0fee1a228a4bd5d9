package unpack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kdomanski/iso9660"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

func budget() *Budget {
	return &Budget{Deadline: time.Now().Add(time.Minute), Members: 100, Octets: 1 << 20, Keep: 1 << 20, KeepOne: 1 << 19, Ratio: 200, RatioFrom: 1 << 18}
}

// list opens b and tells "name:data" of each member.
func list(t *testing.T, b []byte, with *Budget) (members []string, err error) {
	t.Helper()
	err = Open(Kind(b), b, with, func(m Member) {
		s := m.Name + ":" + string(m.Data)
		if m.Encrypted {
			s += "(encrypted)"
		}
		if m.Truncated && !m.Encrypted {
			s += "(cut)"
		}
		members = append(members, s)
	})
	return members, err
}

func zipOf(files ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i+1 < len(files); i += 2 {
		f, _ := w.Create(files[i])
		f.Write([]byte(files[i+1]))
	}
	w.Close()
	return b.Bytes()
}

func gzipOf(name, data string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name = name
	w.Write([]byte(data))
	w.Close()
	return b.Bytes()
}

func tarOf(name, data string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o600})
	w.Write([]byte(data))
	w.Close()
	return b.Bytes()
}

func isoOf(t *testing.T, name, data string) []byte {
	w, err := iso9660.NewWriter()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Cleanup()
	if err := w.AddFile(strings.NewReader(data), name); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := w.WriteTo(&b, "volume"); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEveryKindIsRecognisedAndOpened(t *testing.T) {
	var xzb, zb bytes.Buffer
	xw, _ := xz.NewWriter(&xzb)
	xw.Write([]byte("hello"))
	xw.Close()
	zw, _ := zstd.NewWriter(&zb)
	zw.Write([]byte("hello"))
	zw.Close()
	bz, _ := base64.StdEncoding.DecodeString("QlpoOTFBWSZTWRkxZT0AAACBAAJEoAAhmmgzTQczi7kinChIDJiynoA=")
	for _, tt := range []struct {
		kind string
		b    []byte
		want string
	}{
		{"zip", zipOf("a.txt", "hello", "d/b.txt", "x"), "[a.txt:hello d/b.txt:x]"},
		{"ooxml", zipOf("[Content_Types].xml", "x", "word/document.xml", "y"), "[[Content_Types].xml:x word/document.xml:y]"},
		{"zip", append([]byte("MZ some program in front of it"), zipOf("a.txt", "hello")...), "[a.txt:hello]"},
		{"gzip", gzipOf("a.txt", "hello"), "[a.txt:hello]"},
		{"tar", tarOf("a.txt", "hello"), "[a.txt:hello]"},
		{"xz", xzb.Bytes(), "[:hello]"},
		{"zstd", zb.Bytes(), "[:hello]"},
		{"bzip2", bz, "[:hello]"},
		{"iso", isoOf(t, "dir/a.txt", "hello"), "[dir/a.txt:hello]"},
	} {
		if k := Kind(tt.b); k != tt.kind {
			t.Errorf("%s: recognised as %q", tt.kind, k)
			continue
		}
		got, err := list(t, tt.b, budget())
		if err != nil || !strings.EqualFold(fmt.Sprint(got), tt.want) {
			t.Errorf("%s: got %v %v, want %s", tt.kind, got, err, tt.want)
		}
	}
}

func TestOtherArchivesAreNamed(t *testing.T) {
	for kind, b := range map[string]string{
		"cab": "MSCF\x00\x00\x00\x00", "ace": "0123456**ACE**", "lha": "0a-lh5-" + strings.Repeat("x", 30), "ole": "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
		"tnef": "\x78\x9F\x3E\x22", "vhdx": "vhdxfile", "7z": "7z\xBC\xAF\x27\x1C", "rar": "Rar!\x1A\x07\x01\x00", "": "just text",
	} {
		if got := Kind([]byte(b)); got != kind {
			t.Errorf("%q is %q, want %q", b, got, kind)
		}
	}
}

func TestZipMembersThatTheDirectoryDoesNotNameAreFound(t *testing.T) {
	first, second := zipOf("hidden.exe", "evil"), zipOf("shown.txt", "good")
	got, err := list(t, append(first, second...), budget())
	if !errors.Is(err, ErrHidden) || fmt.Sprint(got) != "[shown.txt:good hidden.exe:evil]" {
		t.Errorf("two archives in one: %v %v", got, err)
	}
	got, err = list(t, first[:len(first)-30], budget())
	if fmt.Sprint(got) != "[hidden.exe:evil]" {
		t.Errorf("without directory: %v %v", got, err)
	}
	one := zipOf("a.zip", string(zipOf("b.txt", "x")))
	if got, err := list(t, one, budget()); err != nil || len(got) != 1 {
		t.Errorf("an archive stored in an archive is not hidden: %v %v", got, err)
	}
}

func TestEncryptedMembersAreTold(t *testing.T) {
	b := zipOf("a.txt", "hello")
	for i := 0; i+4 < len(b); i++ { // bit 0 of the general purpose flags (APPNOTE §4.4.4)
		if string(b[i:i+4]) == "PK\x03\x04" {
			b[i+6] |= 1
		} else if string(b[i:i+4]) == "PK\x01\x02" {
			b[i+8] |= 1
		}
	}
	if got, err := list(t, b, budget()); err != nil || fmt.Sprint(got) != "[a.txt:(encrypted)]" {
		t.Errorf("got %v %v", got, err)
	}
}

func TestBudgetsEndTheUnpacking(t *testing.T) {
	big := zipOf("a", strings.Repeat("0123456789", 50_000))
	for _, tt := range []struct {
		name  string
		b     []byte
		limit func(*Budget)
		want  error
	}{
		{"members", zipOf("a", "", "b", "", "c", ""), func(b *Budget) { b.Members = 2 }, ErrMembers},
		{"octets", big, func(b *Budget) { b.Octets = 1000 }, ErrOctets},
		{"ratio", big, func(b *Budget) { b.Ratio, b.RatioFrom = 10, 1000 }, ErrRatio},
		{"time", big, func(b *Budget) { b.Deadline = time.Now().Add(-time.Second) }, ErrTime},
	} {
		b := budget()
		tt.limit(b)
		if _, err := list(t, tt.b, b); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	b := budget()
	b.KeepOne, b.Ratio = 10, 0
	Open("zip", big, b, func(m Member) {
		if len(m.Data) != 10 || !m.Truncated || m.Size != 500_000 {
			t.Errorf("kept %d of %d, cut %v", len(m.Data), m.Size, m.Truncated)
		}
	})
}

func TestDamageIsAnErrorAndNoPanic(t *testing.T) {
	for name, b := range map[string][]byte{
		"zip": zipOf("a.txt", strings.Repeat("hello", 100)), "gzip": gzipOf("a", strings.Repeat("hello", 100)), "tar": tarOf("a", strings.Repeat("hello", 1000)), "iso": isoOf(t, "a.txt", "hello"),
		"7z": append([]byte("7z\xBC\xAF\x27\x1C\x00\x04"), bytes.Repeat([]byte{9}, 100)...), "rar": append([]byte("Rar!\x1A\x07\x01\x00"), bytes.Repeat([]byte{9}, 100)...),
	} {
		kind := Kind(b)
		errs := 0
		for cut := 1; cut < len(b); cut += max(1, len(b)/200) {
			if err := Open(kind, b[:len(b)-cut], budget(), func(Member) {}); err != nil {
				errs++
			}
		}
		if errs == 0 {
			t.Errorf("%s: no cut was an error", name)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(zipOf("a.txt", "hello", "b", "c"))
	f.Add(gzipOf("a", "b"))
	f.Add(tarOf("a", "b"))
	f.Add([]byte("7z\xBC\xAF\x27\x1C\x00\x04"))
	f.Add([]byte("Rar!\x1A\x07\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		kept, n := 0, 0
		Open(Kind(b), b, budget(), func(m Member) { kept += len(m.Data); n++ })
		if kept > 1<<20 || n > 101 {
			t.Errorf("%d octets, %d members", kept, n)
		}
	})
}
