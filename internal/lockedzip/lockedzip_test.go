package lockedzip

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/yeka/zip" // reads AES; only here, and only what was written here
)

func TestOthersOpenIt(t *testing.T) {
	for _, size := range []int{0, 1, 15, 16, 17, 100_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			content := make([]byte, size)
			rand.Read(content)
			var b bytes.Buffer
			if err := Write(&b, "01ABC.eml", "infected", content, time.Date(2026, 5, 4, 3, 2, 2, 0, time.UTC)); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b.Bytes(), content) && size > 8 {
				t.Error("it is not encrypted")
			}
			r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
			if err != nil || len(r.File) != 1 {
				t.Fatalf("%v", err)
			}
			f := r.File[0]
			if f.Name != "01ABC.eml" || !f.IsEncrypted() || !f.ModTime().Equal(time.Date(2026, 5, 4, 3, 2, 2, 0, time.UTC)) {
				t.Errorf("%s, %v, encrypted %v", f.Name, f.ModTime(), f.IsEncrypted())
			}
			f.SetPassword("infected")
			in, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(in)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d octets, %v", len(got), err)
			}
			f.SetPassword("wrong")
			if in, err := f.Open(); err == nil {
				if _, err = io.ReadAll(in); err == nil {
					t.Error("a wrong password opens it")
				}
			}
			sevenZip(t, b.Bytes(), content)
		})
	}
}

// sevenZip opens the archive with 7-Zip, where it is installed.
func sevenZip(t *testing.T, archive, content []byte) {
	exe := ""
	for _, name := range []string{"7zz", "7z", "7za"} {
		if path, err := exec.LookPath(name); err == nil {
			exe = path
		}
	}
	if exe == "" {
		return
	}
	file := filepath.Join(t.TempDir(), "a.zip")
	if err := os.WriteFile(file, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(exe, "x", "-so", "-pinfected", file).Output()
	if err != nil || !bytes.Equal(out, content) {
		t.Errorf("7-Zip gives %d octets, %v", len(out), err)
	}
	if exec.Command(exe, "x", "-so", "-pwrong", file).Run() == nil && len(content) > 0 {
		t.Error("7-Zip opens it with a wrong password")
	}
}
