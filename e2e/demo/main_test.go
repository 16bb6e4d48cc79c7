package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trunkline-chat/trunkline/e2e/stack"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The terminal says so when Prosody dies under a demo, once, and the rest stays.
func TestTheEndOfProsodyIsTold(t *testing.T) {
	prosody, err := integration.Launch(t.Context(), t.TempDir(), integration.ProsodyConfig{
		Domain: "social.example", VerifyURL: "http://127.0.0.1:1/verify", VerifySecret: "not-asked-for", ModulePath: "../../contrib/prosody",
	})
	require.NoError(t, err)
	defer prosody.Kill()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	defer out.Close()
	stayed := make(chan struct{})
	exited := prosody.Exited()
	go func() { // ended by cancel
		stay(ctx, in, part{name: "Prosody", log: "/demo/prosody.log", exited: exited}, part{name: "Trunkline"})
		in.Close()
		close(stayed)
	}()
	prosody.Kill()
	terminal := bufio.NewScanner(out)
	var said []string
	for len(said) < 4 && terminal.Scan() {
		said = append(said, terminal.Text())
	}
	assert.Contains(t, strings.Join(said, "\n"), "Prosody has ended by itself, and nobody can chat now. Its log is\n  /demo/prosody.log\n")
	select {
	case <-stayed:
		t.Fatal("the demo ended with it")
	default:
	}
	cancel()
	assert.False(t, terminal.Scan(), "no more than that")
	<-stayed
}

func TestWhatTheDemoPrints(t *testing.T) {
	for _, c := range []struct{ mastodon, folder, again string }{
		{"", "", "`make demo CLEAN=1` starts afresh"},
		{"", "/var/tmp/two", "`make demo CLEAN=1 DIR=/var/tmp/two` starts afresh"},
		{"https://social.example", "/my demo", "`make demo CLEAN=1 MASTODON=https://social.example DIR='/my demo'` starts afresh"},
	} {
		var b strings.Builder
		greet(&b, stack.Options{Dir: "/demo/4.6", Mastodon: c.mastodon}, "http://127.0.0.1:1/home", c.folder)
		assert.Contains(t, b.String(), c.again)
		assert.Contains(t, b.String(), "Open    http://127.0.0.1:1/home\n")
		assert.Equal(t, c.folder == "", strings.Contains(b.String(), "every checkout of yours"))
	}
}
