package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"postern/internal/mail"
	"postern/internal/seal"
)

func open(t testing.TB) (*seal.Root, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.key")
	r, err := seal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return r, path
}

func tenantKey(t testing.TB, r *seal.Root) (wrapped []byte, k seal.TenantKey) {
	t.Helper()
	wrapped, k, err := r.NewTenantKey()
	if err != nil {
		t.Fatal(err)
	}
	return wrapped, k
}

func TestRootIsMadeOnceAndKept(t *testing.T) {
	r, path := open(t)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o400 || info.Size() != 32 {
		t.Fatalf("root key file: %v %v", info, err)
	}
	again, err := seal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if r.Derive("audit") != again.Derive("audit") {
		t.Error("the same label gave two keys")
	}
	if r.Derive("audit") == r.Derive("digest") {
		t.Error("two labels gave one key")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".root*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRootRefusesWhatIsNoKey(t *testing.T) {
	for _, tt := range []struct {
		name string
		mode os.FileMode
		size int
	}{
		{"empty", 0o400, 0},
		{"short", 0o400, 31},
		{"long", 0o400, 33},
		{"readable by the group", 0o440, 32},
		{"readable by all", 0o404, 32},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "root.key")
			if err := os.WriteFile(path, make([]byte, tt.size), tt.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			if _, err := seal.Open(path); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestWrappedTenantKeyOpensAndAnyFlippedBitDoesNot(t *testing.T) {
	r, _ := open(t)
	wrapped, k := tenantKey(t, r)
	got, err := r.Unwrap(wrapped)
	if err != nil || got != k {
		t.Fatalf("Unwrap: %v", err)
	}
	for i := range len(wrapped) * 8 {
		b := bytes.Clone(wrapped)
		b[i/8] ^= 1 << (i % 8)
		if _, err := r.Unwrap(b); !errors.Is(err, seal.ErrSealed) {
			t.Fatalf("bit %d: %v", i, err)
		}
	}
	other, _ := open(t)
	if _, err := other.Unwrap(wrapped); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("another root opened it: %v", err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); s != "tenant key tenant key tenant key tenant key" {
		t.Errorf("a key prints itself: %q", s)
	}
}

func TestBlobOpensOnlyWhereItBelongs(t *testing.T) {
	r, _ := open(t)
	_, a := tenantKey(t, r)
	_, b := tenantKey(t, r)
	id, other := mail.NewID(), mail.NewID()
	for _, n := range []int{0, 1, 15, 16, 17, 300} {
		plain := bytes.Repeat([]byte("x"), n)
		blob := a.Seal(id, "content", plain)
		if len(blob) != n+seal.Overhead {
			t.Errorf("%d octets became %d", n, len(blob))
		}
		if got, err := a.Open(id, "content", blob); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("open %d: %q %v", n, got, err)
		}
		for name, open := range map[string]func() ([]byte, error){
			"another tenant":  func() ([]byte, error) { return b.Open(id, "content", blob) },
			"another message": func() ([]byte, error) { return a.Open(other, "content", blob) },
			"another part":    func() ([]byte, error) { return a.Open(id, "note", blob) },
			"cut":             func() ([]byte, error) { return a.Open(id, "content", blob[:len(blob)-1]) },
			"longer":          func() ([]byte, error) { return a.Open(id, "content", append(bytes.Clone(blob), 0)) },
			"nothing":         func() ([]byte, error) { return a.Open(id, "content", nil) },
		} {
			if got, err := open(); !errors.Is(err, seal.ErrSealed) || got != nil {
				t.Errorf("%s: %q %v", name, got, err)
			}
		}
		for i := range len(blob) * 8 {
			bad := bytes.Clone(blob)
			bad[i/8] ^= 1 << (i % 8)
			if got, err := a.Open(id, "content", bad); !errors.Is(err, seal.ErrSealed) || got != nil {
				t.Fatalf("bit %d: %q %v", i, got, err)
			}
		}
	}
}

func sealStream(t testing.TB, k seal.TenantKey, id mail.ID, plain []byte, step int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := k.Writer(&out, id, "content")
	if err != nil {
		t.Fatal(err)
	}
	for p := plain; len(p) > 0; {
		n := min(step, len(p))
		if m, err := w.Write(p[:n]); m != n || err != nil {
			t.Fatal(m, err)
		}
		p = p[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Fatal("write after close")
	}
	return out.Bytes()
}

func openStream(k seal.TenantKey, id mail.ID, part string, sealed io.Reader) ([]byte, error) {
	r, err := k.Reader(sealed, id, part)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

const chunk = 64 << 10

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

func TestStreamOfEveryLengthComesBack(t *testing.T) {
	r, _ := open(t)
	_, k := tenantKey(t, r)
	id := mail.NewID()
	for _, n := range []int{0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3*chunk + 5} {
		for _, step := range []int{1000, chunk, 10 * chunk} {
			plain := content(n)
			sealed := sealStream(t, k, id, plain, step)
			got, err := openStream(k, id, "content", iotest.HalfReader(bytes.NewReader(sealed)))
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d octets by %d: %d back, %v", n, step, len(got), err)
			}
		}
	}
}

func TestDamagedStreamGivesOnlyVerifiedChunks(t *testing.T) {
	r, _ := open(t)
	_, k := tenantKey(t, r)
	_, stranger := tenantKey(t, r)
	id := mail.NewID()
	plain := content(2*chunk + 100)
	sealed := sealStream(t, k, id, plain, chunk)
	const head, step = 33, chunk + 16
	first, second, third := sealed[head:head+step], sealed[head+step:head+2*step], sealed[head+2*step:]
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

	for _, tt := range []struct {
		name   string
		sealed []byte
		most   int // octets that may come out before the error
	}{
		{"nothing", nil, 0},
		{"head only", sealed[:head], 0},
		{"cut in the head", sealed[:20], 0},
		{"cut after the first chunk", sealed[:head+step], 0},
		{"cut after the second chunk", sealed[:head+2*step], chunk},
		{"cut inside the second chunk", sealed[:head+step+50], chunk},
		{"last octet missing", sealed[:len(sealed)-1], 2 * chunk},
		{"one octet more", join(sealed, []byte{0}), 2 * chunk},
		{"chunks swapped", join(sealed[:head], second, first, third), 0},
		{"chunk left out", join(sealed[:head], first, third), chunk},
		{"chunk doubled", join(sealed[:head], first, first, second, third), chunk},
		{"last chunk doubled", join(sealed, third), 2 * chunk},
		{"empty chunk appended", join(sealed, make([]byte, 16)), 2 * chunk},
		{"a blob", k.Seal(id, "content", plain), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := openStream(k, id, "content", bytes.NewReader(tt.sealed))
			if !errors.Is(err, seal.ErrSealed) {
				t.Errorf("error %v", err)
			}
			if len(got) > tt.most || !bytes.Equal(got, plain[:len(got)]) {
				t.Errorf("%d octets came out, %d may", len(got), tt.most)
			}
		})
	}
	for _, at := range []int{0, 1, 32, 33, 40, head + step - 1, head + step, head + 2*step + 3, len(sealed) - 1} {
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[at] ^= 1 << bit
			got, err := openStream(k, id, "content", bytes.NewReader(bad))
			if !errors.Is(err, seal.ErrSealed) || len(got) > 2*chunk || !bytes.Equal(got, plain[:len(got)]) {
				t.Errorf("octet %d bit %d: %d octets, %v", at, bit, len(got), err)
			}
		}
	}
	for name, open := range map[string]func() ([]byte, error){
		"another tenant":  func() ([]byte, error) { return openStream(stranger, id, "content", bytes.NewReader(sealed)) },
		"another message": func() ([]byte, error) { return openStream(k, mail.NewID(), "content", bytes.NewReader(sealed)) },
		"another part":    func() ([]byte, error) { return openStream(k, id, "note", bytes.NewReader(sealed)) },
	} {
		if got, err := open(); !errors.Is(err, seal.ErrSealed) || len(got) > 0 {
			t.Errorf("%s: %d octets, %v", name, len(got), err)
		}
	}
}

func TestReaderPassesOnTheErrorOfItsSource(t *testing.T) {
	r, _ := open(t)
	_, k := tenantKey(t, r)
	id := mail.NewID()
	sealed := sealStream(t, k, id, content(3*chunk), chunk)
	broken := errors.New("disk on fire")
	_, err := openStream(k, id, "content", io.MultiReader(bytes.NewReader(sealed[:chunk]), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestErasedTenantKeyLeavesNothingReadable(t *testing.T) {
	r, _ := open(t)
	wrapped, k := tenantKey(t, r)
	var blobs [][]byte
	ids := make([]mail.ID, 1000)
	for i := range ids {
		ids[i] = mail.NewID()
		blobs = append(blobs, k.Seal(ids[i], "content", []byte("secret")))
	}
	clear(wrapped)
	if _, err := r.Unwrap(wrapped); !errors.Is(err, seal.ErrSealed) {
		t.Fatalf("erased key opened: %v", err)
	}
	_, fresh := tenantKey(t, r)
	for i, b := range blobs {
		if _, err := fresh.Open(ids[i], "content", b); !errors.Is(err, seal.ErrSealed) {
			t.Fatalf("blob %d: %v", i, err)
		}
		if bytes.Contains(b, []byte("secret")) {
			t.Fatal("content in the clear")
		}
	}
}

func BenchmarkSeal8KiB(b *testing.B) {
	r, _ := open(b)
	_, k := tenantKey(b, r)
	id, plain := mail.NewID(), content(8<<10)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		k.Seal(id, "content", plain)
	}
}
