package clamd

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

var _ scan.Engine = (*Engine)(nil)

func from(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

// serve is a clamd that gives one answer, and its version.
func serve(t *testing.T, answer func(stream string) string, version string) *Engine {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				verb, err := r.ReadString(0)
				if err != nil {
					return
				}
				if verb == "zVERSION\x00" {
					io.WriteString(c, version+"\x00")
					return
				}
				var all strings.Builder
				for {
					var n uint32
					if binary.Read(r, binary.BigEndian, &n) != nil || n == 0 {
						break
					}
					io.CopyN(&all, r, int64(n))
				}
				io.WriteString(c, answer(all.String()))
			}()
		}
	}()
	return &Engine{Address: l.Addr().String()}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		answer, want string
		fails        bool
	}{
		{"stream: OK\x00", "", false},
		{"stream: Win.Test.EICAR_HDB-1 FOUND\x00", "clamd.found malware", false},
		{"stream: Heuristics.Phishing.Email.SpoofedDomain FOUND\x00", "clamd.phish phish", false},
		{"stream: Sanesecurity.Junk.1 FOUND\x00", "clamd.spam spam", false},
		{"stream: Heuristics.Encrypted.Zip FOUND\x00", "clamd.encrypted suspicious", false},
		{"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\x00", "clamd.limit suspicious", false},
		{"INSTREAM size limit exceeded. ERROR\x00", "clamd.limit suspicious", false},
		{"stream: Can't allocate memory ERROR\x00", "", true},
		{"", "", true},
	} {
		e := serve(t, func(string) string { return tt.answer }, "ClamAV 1.4.6")
		found, err := e.Check(t.Context(), nil, mail.Origin{}, 0, from("hello"))
		got := ""
		if len(found) > 0 {
			got = found[0].Rule + " " + string(found[0].Class)
		}
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("%q: %+v, %v", tt.answer, found, err)
		}
	}
}

func TestTheWholeMessageIsStreamed(t *testing.T) {
	big := strings.Repeat("0123456789", 100_000)
	e := serve(t, func(s string) string { return fmt.Sprintf("stream: Len.%d FOUND\x00", len(s)) }, "ClamAV 1.4.6")
	found, err := e.Check(t.Context(), nil, mail.Origin{}, 0, from(big))
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Detail, "Len.1000000 ") {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestOldSignaturesAreMentioned(t *testing.T) {
	e := serve(t, func(string) string { return "stream: OK\x00" }, "ClamAV 1.4.6/27800/Fri Nov 20 08:27:33 2026")
	for hours, want := range map[int]int{1: 0, 30: 1} {
		e.Now = func() time.Time { return time.Date(2026, 11, 20, 8+hours, 28, 0, 0, time.UTC) }
		found, err := e.Check(t.Context(), nil, mail.Origin{}, 0, from("x"))
		if err != nil || len(found) != want || want == 1 && found[0].Score > 5 {
			t.Errorf("%d hours: %+v, %v", hours, found, err)
		}
	}
}

func TestFaultsAreErrors(t *testing.T) {
	e := &Engine{Address: "127.0.0.1:1"}
	if _, err := e.Check(t.Context(), nil, mail.Origin{}, 0, from("x")); err == nil {
		t.Error("nobody listens")
	}
	e = serve(t, func(string) string { return "stream: OK\x00" }, "")
	broken := func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(errors.New("disk"))), nil }
	if _, err := e.Check(t.Context(), nil, mail.Origin{}, 0, broken); err == nil {
		t.Error("the source is broken")
	}
	hangs := serve(t, func(string) string { time.Sleep(time.Second); return "stream: OK\x00" }, "")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := hangs.Check(ctx, nil, mail.Origin{}, 0, from("x")); err == nil {
		t.Error("it did not answer")
	}
}

// TestRealClamd starts a clamd of its own with a database of one signature.
func TestRealClamd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts clamd")
	}
	exe, err := exec.LookPath("clamd")
	if err != nil {
		t.Skip("clamd is not installed (apt-get install clamav-daemon)")
	}
	dir, err := os.MkdirTemp("", "clamd") // short: a socket's path has at most 107 octets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	mark := "POSTERN-CLAMD-TEST-8RV2"
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("test.ndb", "Postern.Test:0:*:"+hex.EncodeToString([]byte(mark))+"\n")
	conf := write("clamd.conf", fmt.Sprintf("Foreground yes\nDatabaseDirectory %s\nLocalSocket %s/s\nLogFile %s/log\nScanMail yes\nStreamMaxLength 1M\nTemporaryDirectory %s\n", dir, dir, dir, dir))
	cmd := exec.Command(exe, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })

	e := &Engine{Address: filepath.Join(dir, "s")}
	var v Version
	for range 300 {
		if v, err = e.Version(t.Context()); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Skipf("clamd does not come up here: %v\n%s", err, log)
	}
	t.Log(v.Program)
	mime := "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\nUE9TVEVSTi1DTEFNRC1URVNULThSVjI=\r\n"
	for name, tt := range map[string]struct{ msg, want string }{
		"clean":     {"Subject: x\r\n\r\nhello\r\n", ""},
		"in base64": {mime, "clamd.found"},
		"too large": {strings.Repeat("x", 3<<20), "clamd.limit"},
	} {
		found, err := e.Check(t.Context(), nil, mail.Origin{}, int64(len(tt.msg)), from(tt.msg))
		got := ""
		if len(found) > 0 {
			got = found[0].Rule
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %q", name, found, err, tt.want)
		}
	}
}
