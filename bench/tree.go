package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tree is a process and all that come from it.
type tree []int // its roots

// process is what /proc/PID/stat says (proc(5)).
type process struct {
	pid, parent int
	ended       bool  // and not waited for yet
	ticks       int64 // user and system time, its own and of children it has waited for
}

// members are the living processes of the tree.
func (t tree) members() []process {
	dirs, _ := os.ReadDir("/proc")
	children := make(map[int][]process)
	var found []process
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		if p, ok := stat(pid); ok {
			children[p.parent] = append(children[p.parent], p)
			for _, root := range t {
				if root == pid {
					found = append(found, p)
				}
			}
		}
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found
}

func stat(pid int) (p process, ok bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	end := bytes.LastIndexByte(b, ')') // the name before may hold anything
	if err != nil || end < 0 {
		return p, false
	}
	f := strings.Fields(string(b[end+1:]))
	if len(f) < 15 {
		return p, false
	}
	p.pid, p.ended = pid, f[0] == "Z"
	p.parent, _ = strconv.Atoi(f[1])
	for _, s := range f[11:15] {
		n, _ := strconv.ParseInt(s, 10, 64)
		p.ticks += n
	}
	return p, true
}

// cpu is the time that the tree has used so far, that of its dead included as
// long as their parents live.
func (t tree) cpu() time.Duration {
	var ticks int64
	for _, p := range t.members() {
		ticks += p.ticks
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ is 100 on every Linux that matters
}

// memory is the tree's proportional and resident set size in octets now.
func (t tree) memory() (pss, rss int64) {
	for _, p := range t.members() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 2 {
				continue
			}
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			switch f[0] {
			case "Pss:":
				pss += kib << 10
			case "Rss:":
				rss += kib << 10
			}
		}
	}
	return pss, rss
}

// watch looks at the tree's memory until stop is called, which returns the peak.
func (t tree) watch() (stop func() (pss, rss int64)) {
	var pss, rss int64
	var all sync.WaitGroup
	end := make(chan struct{})
	all.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			p, r := t.memory()
			pss, rss = max(pss, p), max(rss, r)
			select {
			case <-end:
				return
			case <-tick.C:
			}
		}
	})
	return func() (int64, int64) {
		close(end)
		all.Wait()
		return pss, rss
	}
}
