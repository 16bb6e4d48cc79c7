package gateway_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == extauthWord {
		os.Exit(runExtauth(os.Args[2]))
	}
	goleak.VerifyTestMain(tests{m})
}

// tests ends what they share before anybody looks for leaks.
type tests struct{ *testing.M }

func (t tests) Run() int {
	defer sharedEjabberd.end()
	return t.M.Run()
}
