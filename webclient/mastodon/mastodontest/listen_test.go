package mastodontest

import (
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// serve runs hs on a free port until the test ends.
func serve(t *testing.T, hs *http.Server) (origin string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = hs.Serve(ln)
	}()
	t.Cleanup(func() {
		hs.Close()
		<-done
	})
	return "http://" + ln.Addr().String()
}
