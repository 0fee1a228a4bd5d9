// Package corpus finds the mail and the conformance suites that are too large, or
// not free enough, for this repository. Only tests import it.
package corpus

import (
	"os"
	"path/filepath"
	"testing"
)

// Path is a file or folder of the test data: below $POSTERN_TESTDATA, or below
// ../shared/data beside the checkout. Without it the test is skipped, and says so.
func Path(t testing.TB, elements ...string) string {
	t.Helper()
	dir := os.Getenv("POSTERN_TESTDATA")
	if dir == "" {
		dir = filepath.Join(Checkout(t), "..", "shared", "data")
	}
	path := filepath.Join(append([]string{dir}, elements...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the test data is not here; $POSTERN_TESTDATA can name its folder: %v", err)
	}
	return path
}

// Checkout is the folder of go.mod above the running test.
func Checkout(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		above := filepath.Dir(dir)
		if above == dir {
			t.Fatal("there is no go.mod above the test")
		}
		dir = above
	}
}
