package store_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"postern/internal/store"
)

// A child process accepts a message, says so and is killed while another process
// has the folder open: what it had leased is free at once.
func TestAProcessThatIsKilledLosesItsLeasesAtOnce(t *testing.T) {
	if folder := os.Getenv("POSTERN_TEST_LEASE"); folder != "" {
		s, err := store.Open(t.Context(), store.Options{Folder: folder})
		if err != nil {
			t.Fatal(err)
		}
		accept(t, s, newMail("acme", 10))
		os.Stdout.WriteString("accepted\n")
		time.Sleep(time.Minute)
	}
	folder := t.TempDir()
	beside, err := store.Open(t.Context(), store.Options{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	child := exec.Command(os.Args[0], "-test.run=^TestAProcessThatIsKilledLosesItsLeasesAtOnce$")
	child.Env = append(os.Environ(), "POSTERN_TEST_LEASE="+folder)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := out.Read(make([]byte, 9)); n == 0 {
		t.Fatalf("the child said nothing: %v", err)
	}
	if got := claim(t, beside, time.Now(), 10); len(got) != 0 {
		t.Errorf("claimed what a living process holds: %+v", got)
	}
	child.Process.Kill()
	child.Wait()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // dead processes are looked for once a second
		got := claim(t, beside, time.Now(), 10)
		if len(got) == 1 {
			return
		}
		if len(got) > 1 || time.Now().After(deadline) {
			t.Fatalf("claimed %+v", got)
		}
	}
}
