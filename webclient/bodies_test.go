package webclient

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// slowBodies waits for a body no longer than a test can, and as long as one that is
// there may take on a busy machine.
func slowBodies() pace {
	pace := usualPace()
	pace.body, pace.hookBody = 2*time.Second, 2*time.Second
	return pace
}

// A body that does not arrive must not hold its handler for ever.
func TestSlowBodies(t *testing.T) {
	w := newPacedWorld(t, slowBodies(), mastodontest.Options{}, func(c *Config) { c.WebhookSecret = []byte(hookSecret) })
	alice := w.in("alice")
	for _, route := range []string{"PUT /api/v1/consent", "POST /api/v1/imports", "POST /hooks/mastodon"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second))) // so that it fails and does not hang
		method, path, _ := strings.Cut(route, " ")
		_, err = io.WriteString(conn, method+" "+path+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
			"Cookie: trunkline_session="+alice.cookie("session")+"\r\nContent-Length: 100\r\n\r\n{")
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err, route)
		assert.Equal(t, http.StatusBadRequest, res.StatusCode, route)
		require.NoError(t, res.Body.Close())
		_, err = io.Copy(io.Discard, conn)
		require.NoError(t, err, "the connection is closed, not kept for the rest")
		require.NoError(t, conn.Close())
	}
}

// The time for the body is not a time for the answer: what comes after it lasts as
// long as it likes on the same connection.
func TestBodiesInTimeLeaveTheConnectionAlone(t *testing.T) {
	w := newPacedWorld(t, slowBodies(), mastodontest.Options{}, func(c *Config) { c.WebhookSecret = []byte(hookSecret) })
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	in := bufio.NewReader(conn)
	body := `{"event":"account.created"}`
	for range 3 {
		_, err = io.WriteString(conn, "POST /hooks/mastodon HTTP/1.1\r\nHost: x\r\nX-Hub-Signature: "+sign([]byte(body))+
			"\r\nContent-Length: 27\r\n\r\n"+body)
		require.NoError(t, err)
		res, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, res.StatusCode)
		require.NoError(t, res.Body.Close())
		<-time.After(w.s.pace.body * 3 / 2)
	}
}

// The same while a handler works: its request is not given up.
func TestBodiesInTimeLeaveTheHandlerAlone(t *testing.T) {
	w, k := deviceWorld(t, slowBodies())
	alice := w.in("alice")
	k.during = func() { <-time.After(w.s.pace.body * 3 / 2) }
	assert.Equal(t, http.StatusCreated, alice.do("POST", "/api/v1/devices", `{"name":"Phone","service":"xmpp"}`).status)
}
