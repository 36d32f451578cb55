package embedded

import (
	"fmt"
	"syscall"
)

// DiskSpace returns how many bytes are free for a directory, and how many there are.
func DiskSpace(dir string) (free, all uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("the file system of %s: %w", dir, err)
	}
	return uint64(s.Bavail) * uint64(s.Bsize), uint64(s.Blocks) * uint64(s.Bsize), nil //nolint:unconvert // the types differ between systems
}
