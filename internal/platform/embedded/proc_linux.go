package embedded

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// endWithParent has the kernel send SIGINT, PostgreSQL's fast shutdown, when we die, however we die. Strictly it is sent
// when the thread ends that started the process: see runOnOneThread.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }

// runsIn says whether pid is a living process of the server in dataDir: PostgreSQL makes that its working directory. A
// zombie has none and counts as gone.
func runsIn(pid int, dataDir string) bool {
	cwd, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
	if err != nil {
		return false
	}
	real, err := filepath.EvalSymlinks(dataDir)
	return err == nil && cwd == real && pid != os.Getpid()
}

// leftBehind lists the processes of a server whose postmaster is gone. They end by themselves when they next look up from
// their work, which in the middle of a long query can take minutes.
func leftBehind(dataDir string) []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && runsIn(pid, dataDir) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// smallSharedMemory says whether /dev/shm is too small for parallel queries, as in a container, where it is 64 MB unless
// asked for otherwise: a hash join would fail there with "no space left on device".
func smallSharedMemory() bool {
	var fs syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &fs); err != nil {
		return true
	}
	return uint64(fs.Bsize)*fs.Blocks < 256<<20
}
