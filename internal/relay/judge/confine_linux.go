//go:build linux && (amd64 || arm64)

package judge

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confine takes from this process, for ever and in all its threads, whatever
// judging does not need: new files, the network, other processes, executable
// memory. It returns a sentence for each wall that this kernel cannot build;
// the others stand.
//
// Order matters: after the seccomp filter none of the other calls is possible.
func confine(memory int64) (warnings []string) {
	time.Local = time.UTC // would be read from a file
	warn := func(wall string, err error) {
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("Judge workers run without %s: %v.", wall, err))
		}
	}
	warn("resource limits", limit(memory))
	runtime.LockOSThread() // no_new_privs is a thread's; the filter needs it on the thread that sets it
	defer runtime.UnlockOSThread()
	warn("no_new_privs", noNewPrivs())
	warn("landlock", landlock())
	warn("a system call filter (seccomp)", seccomp())
	return warnings
}

// grow gives a pipe the largest buffer an unprivileged process may have, so that
// most messages go through in one piece.
func grow(f *os.File) {
	if rc, err := f.SyscallConn(); err == nil {
		_ = rc.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	}
}

// limit sets what a child may use. The address space itself cannot be limited,
// because Go reserves far more than it uses; RLIMIT_DATA counts what is
// writable.
func limit(memory int64) error {
	const slack = 256 << 20 // Go's own tables, stacks, and arenas that are mapped but not yet used
	for _, l := range []struct {
		what int
		max  uint64
	}{
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_CORE, 0}, // a core would be a file with mail in it
		{unix.RLIMIT_NOFILE, 16},
		{unix.RLIMIT_MEMLOCK, 0},
		{unix.RLIMIT_MSGQUEUE, 0},
		{unix.RLIMIT_DATA, uint64(memory) + slack},
	} {
		if l.what == unix.RLIMIT_DATA && memory <= 0 {
			continue
		}
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.max, Max: l.max}); err != nil {
			return err
		}
	}
	return nil
}

// noNewPrivs sets the mark on all threads, or at least on this one: seccomp's
// TSYNC spreads it.
func noNewPrivs() error {
	_, _, e := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if e == syscall.ENOTSUP { // cgo
		return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	return errno(e)
}

// landlock denies every access to the file system and to TCP, whatever is known
// of by this kernel: a ruleset without a rule.
func landlock() error {
	abi, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 {
		return errno(e)
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: 1<<13 - 1} // ABI 1: LANDLOCK_ACCESS_FS_EXECUTE ... MAKE_SYM
	for v, right := range map[uintptr]uint64{2: unix.LANDLOCK_ACCESS_FS_REFER, 3: unix.LANDLOCK_ACCESS_FS_TRUNCATE, 5: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV} {
		if abi >= v {
			attr.Handled_access_fs |= right
		}
	}
	if abi >= 4 {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= 6 { // not SCOPE_SIGNAL: before Linux 6.15 it breaks signals between our own threads
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	}
	const size = 24 // of the fields above; later ones may be unknown to the kernel
	fd, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if e != 0 {
		return errno(e)
	}
	defer unix.Close(int(fd))
	_, _, e = syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0)
	if e == syscall.ENOTSUP {
		return errors.New("this binary was built with cgo")
	}
	return errno(e)
}

func errno(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}
