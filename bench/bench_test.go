package main

import (
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWhatIsSentComesToTheSinkAsItWas(t *testing.T) {
	w := &world{dir: t.TempDir()}
	if err := w.makeCertificate(); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.sink, err = newSink(); err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	go floor("127.0.0.1:"+port, w.cert, w.key, w.sink.listener.Addr().String(), filepath.Join(w.dir, "wal"))
	if err := reach("127.0.0.1:"+port, w.dir); err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	l := load{Addr: "127.0.0.1:" + port, Header: "x-key: secret\r\n", Sessions: 3, Count: 60, Mail: []*sample{
		newSample(compose(rnd, 1, 2<<10)), newSample(compose(rnd, 2, 100<<10)), newSample([]byte("From: a@b.example\r\n\r\n..dots\r\n.\r\nend\r\n")),
	}}
	out := l.run("test")
	if out.Err != nil || out.Taken != 60 || len(out.Latency) != 60 {
		t.Fatalf("%d taken, %v", out.Taken, out.Err)
	}
	if n, twice, changed, last := w.sink.count(); n != 60 || twice != 0 || changed != 0 || last.IsZero() {
		t.Errorf("the sink has %d messages, %d twice, %d changed", n, twice, changed)
	}
}

func TestTheSinkSeesAMessageThatChangedAndOneThatCameTwice(t *testing.T) {
	s, err := newSink()
	if err != nil {
		t.Fatal(err)
	}
	c, err := dialPlain(s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	right := bodySum(crc32.Checksum([]byte("body\r\n"), castagnoli), 6)
	for _, body := range []string{"body\r\n", "bodi\r\n"} {
		c.w.WriteString("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
		if err := c.expect('2', 2); err != nil {
			t.Fatal(err)
		}
		c.w.WriteString("DATA\r\n")
		if err := c.expect('3', 1); err != nil {
			t.Fatal(err)
		}
		if err := c.command(idField + ": 1\r\n" + bodyField + ": " + right + "\r\n\r\n" + body + ".\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	if n, twice, changed, _ := s.count(); n != 1 || twice != 1 || changed != 1 {
		t.Errorf("%d messages, %d twice, %d changed; want one of each", n, twice, changed)
	}
}

func TestATreeCountsItsDead(t *testing.T) {
	cmd := exec.Command("sh", "-c", "(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done); sleep 20 & wait")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	tr := tree{cmd.Process.Pid}
	defer tr.end()
	for range 200 {
		if len(tr.members()) == 2 && tr.cpu() > 20*time.Millisecond { // the shell and sleep; what counted has ended
			if pss, rss := tr.memory(); pss <= 0 || rss < pss {
				t.Errorf("PSS %d, RSS %d", pss, rss)
			}
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%d processes, %v of CPU", len(tr.members()), tr.cpu())
}

func TestTheReportHasMediansAndWhatWentWrong(t *testing.T) {
	r := newReport(&plan{rounds: 3}, &world{dir: t.TempDir(), mail: &corpus{mix: []*sample{{raw: make([]byte, 100)}}, where: "nowhere"}})
	for i, p := range peers() {
		if i == 0 {
			r.leaveOut(p, os.ErrNotExist)
			continue
		}
		for _, cpu := range []float64{9, 1, 2} {
			r.add(p, figures{CPU: cpu, Delivered: 100, Lost: 1})
		}
	}
	folder := t.TempDir()
	if err := r.write(folder); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "latest.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 2.00 |", "3 messages lost", "was left out: file does not exist"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}
