package spool

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"postern/internal/mail"
)

// /dev/null takes every write and refuses fsync, as a dying disk does.
func TestAFailedSyncSticks(t *testing.T) {
	s, err := Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	f := s.at.(*folder)
	if err := f.sync(null); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EINVAL) {
		t.Fatalf("sync: %v", err)
	}
	if _, err := s.Put(t.Context(), mail.NewID(), strings.NewReader("x")); !errors.Is(err, ErrFailed) {
		t.Errorf("the next put: %v", err)
	}
}
