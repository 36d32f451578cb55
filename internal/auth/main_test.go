package auth_test

import (
	"testing"

	"github.com/bahagh/nimbus/internal/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }
