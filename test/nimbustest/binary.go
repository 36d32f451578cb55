package nimbustest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds the program into a directory with the flags of `make build`, so that both share the build cache.
// module is the path from the working directory to the root of the module.
func Build(dir, module string) (binary string, err error) {
	binary = filepath.Join(dir, "nimbus")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./cmd/nimbus")
	build.Dir = module
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return binary, nil
}
