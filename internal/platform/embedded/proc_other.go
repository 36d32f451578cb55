//go:build unix && !linux

package embedded

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// endWithParent has no equivalent here: a server that outlives its Nimbus is stopped by the next Start.
func endWithParent(*syscall.SysProcAttr) {}

// runsIn says whether pid is a living PostgreSQL. Without /proc its working directory is not to be had cheaply; the file
// that gave the number lies in dataDir, which will have to do.
func runsIn(pid int, _ string) bool {
	if pid == os.Getpid() {
		return false
	}
	out, err := exec.Command("ps", "-o", "stat=,comm=", "-p", strconv.Itoa(pid)).Output() //nolint:noctx // it answers at once
	return err == nil && strings.Contains(string(out), "postgres") && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

func leftBehind(string) []int { return nil }

func smallSharedMemory() bool { return false }
