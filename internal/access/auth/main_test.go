package auth_test

import (
	"testing"

	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }
