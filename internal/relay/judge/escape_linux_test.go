//go:build linux && (amd64 || arm64)

package judge

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"postern/internal/mail"
)

// parent is read before the walls stand.
var parent = os.Getppid()

// escapes are what a compromised parser would try. Each returns nil if it got
// through. arg is a path in the test's folder or an address it listens on.
var escapes = map[string]func(arg string) error{
	"read a file":            func(arg string) error { _, err := os.ReadFile(arg); return err },
	"read /etc/passwd":       func(string) error { _, err := os.ReadFile("/etc/passwd"); return err },
	"read /etc/shadow":       func(string) error { _, err := os.ReadFile("/etc/shadow"); return err },
	"list a folder":          func(string) error { _, err := os.ReadDir("/"); return err },
	"read parent's memory":   func(string) error { return open(fmt.Sprintf("/proc/%d/mem", parent), os.O_RDWR) },
	"read own memory map":    func(string) error { return open("/proc/self/maps", os.O_RDONLY) },
	"write a file":           func(arg string) error { return os.WriteFile(arg+".new", []byte("x"), 0o600) },
	"append to a file":       func(arg string) error { return open(arg, os.O_WRONLY|os.O_APPEND) },
	"truncate a file":        func(arg string) error { return os.Truncate(arg, 0) },
	"remove a file":          func(arg string) error { return os.Remove(arg) },
	"rename a file":          func(arg string) error { return os.Rename(arg, arg+".gone") },
	"link a file":            func(arg string) error { return os.Link(arg, arg+".link") },
	"symlink":                func(arg string) error { return os.Symlink(arg, arg+".sym") },
	"make a folder":          func(arg string) error { return os.Mkdir(arg+".dir", 0o700) },
	"change a mode":          func(arg string) error { return os.Chmod(arg, 0o777) },
	"make a device":          func(arg string) error { return unix.Mknod(arg+".dev", unix.S_IFCHR|0o600, 0x103) },
	"connect by TCP":         func(arg string) error { return dial("tcp", arg) },
	"send by UDP":            func(arg string) error { return dial("udp", "127.0.0.1:53") },
	"connect by unix socket": func(arg string) error { return dial("unix", arg+".sock") },
	"listen":                 func(string) error { l, err := net.Listen("tcp", "127.0.0.1:0"); return shut(l, err) },
	"raw socket":             func(string) error { return fd(unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)) },
	"netlink socket":         func(string) error { return fd(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0)) },
	"socket pair":            func(string) error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err },
	"run a program":          func(string) error { return exec.Command("/bin/true").Run() },
	"replace itself":         func(string) error { return unix.Exec("/bin/true", []string{"true"}, nil) },
	"fork":                   func(string) error { return call(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0) },
	"clone3": func(string) error {
		err := call(unix.SYS_CLONE3, 0, 0, 0)
		if errors.Is(err, unix.ENOSYS) { // how this one is denied, see filter; outside the filter it is EINVAL
			return unix.EPERM
		}
		return err
	},
	"trace the parent":       func(string) error { return unix.PtraceAttach(parent) },
	"read parent with vm":    func(string) error { return readv() },
	"kill the parent":        func(string) error { return unix.Kill(parent, 0) },
	"signal parent's thread": func(string) error { return unix.Tgkill(parent, parent, 0) },
	"signal by pidfd":        func(string) error { return fd(unix.PidfdOpen(parent, 0)) },
	"take the parent's file": func(string) error { return call(unix.SYS_PIDFD_GETFD, 0, 0, 0) },
	"executable memory":      func(string) error { return mmap(unix.PROT_READ | unix.PROT_EXEC) },
	"make memory executable": makeExecutable,
	"executable by pkey":     func(string) error { return call(unix.SYS_PKEY_MPROTECT, 0, 4096, unix.PROT_EXEC) },
	"file in memory":         func(string) error { return fd(unix.MemfdCreate("x", 0)) },
	"new user namespace":     func(string) error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"mount":                  func(arg string) error { return unix.Mount("none", filepath.Dir(arg), "tmpfs", 0, "") },
	"change root":            func(string) error { return unix.Chroot("/") },
	"change folder":          func(string) error { return unix.Chdir("/") },
	"change user":            func(string) error { return call(unix.SYS_SETUID, 0, 0, 0) },
	"raise a limit":          func(string) error { return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 16, Max: 16}) },
	"limit the parent":       func(string) error { return unix.Prlimit(parent, unix.RLIMIT_CPU, nil, &unix.Rlimit{}) },
	"load BPF":               func(string) error { return call(unix.SYS_BPF, 0, 0, 0) },
	"io_uring":               func(string) error { return call(unix.SYS_IO_URING_SETUP, 1, 0, 0) },
	"userfaultfd":            func(string) error { return call(unix.SYS_USERFAULTFD, 0, 0, 0) },
	"keys of the kernel":     func(string) error { return call(unix.SYS_KEYCTL, 0, 0, 0) },
	"shared memory":          func(string) error { return call(unix.SYS_SHMGET, 0, 4096, 0o1600) },
	"terminal input":         func(string) error { return call(unix.SYS_IOCTL, 0, unix.TIOCSTI, 0) },
	"another seccomp filter": func(string) error { return call(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, 0) },
	"duplicate a descriptor": func(string) error { return fd(unix.Dup(1)) },
	"set the clock":          func(string) error { return call(unix.SYS_SETTIMEOFDAY, 0, 0, 0) },
}

func open(path string, flag int) error { f, err := os.OpenFile(path, flag, 0); return shut(f, err) }

func shut[C interface{ Close() error }](c C, err error) error {
	if err == nil {
		c.Close()
	}
	return err
}

func dial(network, addr string) error { c, err := net.Dial(network, addr); return shut(c, err) }

func fd(n int, err error) error {
	if err == nil {
		unix.Close(n)
	}
	return err
}

func call(nr, a, b, c uintptr) error {
	r, _, e := syscall.RawSyscall(nr, a, b, c)
	if e == 0 && nr == unix.SYS_CLONE && r == 0 {
		unix.Exit(0) // the child of a fork that worked
	}
	return errno(e)
}

func readv() error {
	buf := make([]byte, 8)
	_, err := unix.ProcessVMReadv(parent, []unix.Iovec{{Base: &buf[0], Len: 8}}, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
	return err
}

func mmap(prot int) error {
	b, err := unix.Mmap(-1, 0, 4096, prot, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil {
		unix.Munmap(b)
	}
	return err
}

func makeExecutable(string) error {
	b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil // not what is tried here
	}
	_, _, e := syscall.Syscall(unix.SYS_MPROTECT, uintptr(unsafe.Pointer(&b[0])), 4096, unix.PROT_READ|unix.PROT_EXEC)
	return errno(e)
}

// escape runs inside the child.
func escape(what string, j *mail.Judgement) {
	name, arg, _ := strings.Cut(what, "|")
	err := escapes[name](arg)
	switch {
	case err == nil:
		j.From = "escaped"
	case errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES):
		j.From = "denied: " + err.Error()
	default:
		j.From = "failed for another reason: " + err.Error()
	}
}

// Outside the walls the same attempts work, so it is the walls that stop them.
func TestEscapesWorkOutside(t *testing.T) {
	target := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(target, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"read a file", "read /etc/passwd", "list a folder", "read own memory map", "append to a file", "link a file", "symlink", "make a folder", "change a mode",
		"listen", "socket pair", "run a program", "executable memory", "make memory executable", "file in memory", "duplicate a descriptor", "truncate a file", "rename a file",
	} {
		if err := escapes[name](target); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoEscapeWorks(t *testing.T) {
	if len(escapes) < 30 {
		t.Fatalf("only %d escapes are tried", len(escapes))
	}
	target := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(target, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, err := net.Listen("unix", target+".sock")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()

	p := newPool(t, func(p *Pool) { p.Size = 1; p.PerWorker = 1000 })
	if _, err := p.Judge(t.Context(), jobOf("fine")); err != nil {
		t.Fatal(err)
	}
	for _, w := range p.Warnings() {
		if strings.Contains(w, "seccomp") {
			t.Skipf("this kernel lacks what the walls are built of: %s", w)
		}
		t.Log(w)
	}
	names := make([]string, 0, len(escapes))
	for n := range escapes {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, name := range names {
		arg := target
		if name == "connect by TCP" {
			arg = l.Addr().String()
		}
		j, err := p.Judge(t.Context(), jobOf("escape "+name+"|"+arg))
		if err != nil {
			t.Errorf("%s: the worker died of it: %v", name, err)
			continue
		}
		if !strings.HasPrefix(j.From, "denied: ") {
			t.Errorf("%s: %s", name, j.From)
		}
		if testing.Verbose() {
			t.Logf("%-24s %s", name, j.From)
		}
	}
	left, err := os.ReadDir(filepath.Dir(target))
	if err != nil || len(left) != 2 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
}

// Landlock alone must hold as well, should the filter have a hole: it is tried in
// a process without one.
func TestLandlockAloneDeniesFiles(t *testing.T) {
	if os.Getenv("POSTERN_TEST_LANDLOCK") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLandlockAloneDeniesFiles$", "-test.v")
		cmd.Env = append(os.Environ(), "POSTERN_TEST_LANDLOCK=1")
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), "--- SKIP") {
			t.Skip(string(out))
		}
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if err := noNewPrivs(); err != nil {
		t.Fatal(err)
	}
	if err := landlock(); err != nil {
		t.Skipf("no landlock here: %v", err)
	}
	for _, name := range []string{"read /etc/passwd", "list a folder", "run a program", "connect by TCP"} {
		if err := escapes[name]("127.0.0.1:1"); err == nil || strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
