//go:build linux && (amd64 || arm64)

package judge

import (
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// allowed are the system calls that the Go runtime and reading and writing pipes
// need once a process has started. Every other one fails with EPERM, so that a
// library that tries one in vain gets an error instead of killing the worker.
var allowed = []uintptr{
	unix.SYS_READ, unix.SYS_READV, unix.SYS_WRITE, unix.SYS_WRITEV, unix.SYS_CLOSE,
	unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY,
	unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_RESTART_SYSCALL,
	unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_MEMBARRIER,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
	unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2,
	unix.SYS_GETRANDOM, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
}

// Offsets in struct seccomp_data (linux/seccomp.h); both architectures are
// little endian, so the low half of an argument comes first.
const (
	dataNr   = 0
	dataArch = 4
	dataArgs = 16
)

// seccomp installs the filter in all threads of the process.
func seccomp() error {
	prog := filter(uint32(os.Getpid()))
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	thread, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if e != 0 {
		return errno(e)
	}
	if thread != 0 {
		return unix.ESRCH // that thread could not be brought into the filter
	}
	return nil
}

// filter is the BPF program for the process pid.
func filter(pid uint32) []unix.SockFilter {
	const allow, deny, kill = unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), unix.SECCOMP_RET_KILL_PROCESS
	p := []unix.SockFilter{
		load(dataArch),
		jump(unix.BPF_JEQ, auditArch, 1, 0),
		ret(kill), // a call by another ABI has other numbers
		load(dataNr),
	}
	if syscallMask != 0 { // x32: the same numbers with a bit on top
		p = append(p, jump(unix.BPF_JGE, syscallMask, 0, 1), ret(kill))
	}
	// Memory must never become executable.
	p = onArg(p, unix.SYS_MMAP, 2, jump(unix.BPF_JSET, unix.PROT_EXEC, 1, 0), allow, deny)
	p = onArg(p, unix.SYS_MPROTECT, 2, jump(unix.BPF_JSET, unix.PROT_EXEC, 1, 0), allow, deny)
	// Threads, never processes.
	p = onArg(p, unix.SYS_CLONE, 0, jump(unix.BPF_JSET, unix.CLONE_THREAD, 0, 1), allow, deny)
	// Its arguments lie in memory, where a filter cannot see them; the C library of a
	// cgo build takes "no such call" as a reason to use clone, and anything else as
	// the end.
	p = append(p, jump(unix.BPF_JEQ, unix.SYS_CLONE3, 0, 1), ret(unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)))
	// Signals to our own threads: the runtime's way to interrupt a loop.
	p = onArg(p, unix.SYS_TGKILL, 0, jump(unix.BPF_JEQ, pid, 0, 1), allow, deny)
	for _, nr := range slices.Concat(allowed, allowedHere) {
		p = append(p, jump(unix.BPF_JEQ, uint32(nr), 0, 1), ret(allow))
	}
	return append(p, ret(deny))
}

// onArg adds a rule for the call nr: test looks at its argument n and jumps by
// one to deny it.
func onArg(p []unix.SockFilter, nr uintptr, n uint32, test unix.SockFilter, allow, deny uint32) []unix.SockFilter {
	return append(p,
		jump(unix.BPF_JEQ, uint32(nr), 0, 4),
		load(dataArgs+8*n),
		test,
		ret(allow),
		ret(deny),
	)
}

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func jump(op uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | op, K: k, Jt: yes, Jf: no}
}

func ret(v uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: v}
}
