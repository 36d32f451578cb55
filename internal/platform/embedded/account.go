package embedded

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is who runs the server. cred is nil when that is simply us.
type account struct {
	uid, gid int
	name     string
	cred     *syscall.Credential
}

// accountFor chooses the account for a cluster at dataDir, which need not exist. PostgreSQL refuses to run as root and
// refuses a data directory that belongs to someone else, so as root an existing cluster decides for itself: a Nimbus that
// was first run by an ordinary user can later be run by root without a change of owner.
func accountFor(dataDir string) (account, error) {
	owner, exists := ownerOf(dataDir)
	euid := os.Geteuid()
	if euid != 0 {
		if exists && owner.uid != euid {
			return account{}, fmt.Errorf("data directory %s belongs to %s: run Nimbus as %s, or choose another NIMBUS_DATA_DIR",
				dataDir, owner.name, owner.name)
		}
		return account{uid: euid, gid: os.Getegid(), name: userName(euid)}, nil
	}
	who := owner
	if !exists || owner.uid == 0 {
		who = account{uid: 65534, gid: 65534, name: "nobody"} // what Linux calls nobody where no name is known
		for _, name := range []string{"postgres", "nobody"} {
			u, err := user.Lookup(name)
			if err != nil {
				continue
			}
			uid, err1 := strconv.Atoi(u.Uid)
			gid, err2 := strconv.Atoi(u.Gid)
			if err1 == nil && err2 == nil && uid != 0 {
				who = account{uid: uid, gid: gid, name: name}
				break
			}
		}
	}
	who.cred = &syscall.Credential{Uid: uint32(who.uid), Gid: uint32(who.gid)}
	return who, nil
}

// give hands a directory to the account and closes it to everyone else.
func (a account) give(dir string) error {
	if a.cred != nil {
		if err := os.Lchown(dir, a.uid, a.gid); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o700)
}

// canReach says whether the account can pass through every directory on the way to path, path included, and names the
// first that it cannot. Only root can differ from the account, so for anyone else the system's own answer is enough.
func (a account) canReach(path string) error {
	if a.cred == nil {
		return nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for _, dir := range parents(real) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			continue
		}
		var bit os.FileMode = 0o001
		switch {
		case int(st.Uid) == a.uid:
			bit = 0o100
		case int(st.Gid) == a.gid:
			bit = 0o010
		}
		if info.Mode().Perm()&bit == 0 {
			return &unreachableError{path: path, dir: dir, mode: info.Mode().Perm(), who: a.name}
		}
	}
	return nil
}

type unreachableError struct {
	path, dir, who string
	mode           os.FileMode
}

func (e *unreachableError) Error() string {
	return fmt.Sprintf("PostgreSQL runs as %s, which cannot enter %s (mode %04o) on the way to %s", e.who, e.dir, e.mode, e.path)
}

// parents lists path and every directory above it, from the root down.
func parents(path string) []string {
	var up []string
	for {
		up = append([]string{path}, up...)
		next := filepath.Dir(path)
		if next == path {
			return up
		}
		path = next
	}
}

func ownerOf(path string) (account, bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return account{}, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return account{}, false
	}
	return account{uid: int(st.Uid), gid: int(st.Gid), name: userName(int(st.Uid))}, true
}

func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "uid " + id
}
