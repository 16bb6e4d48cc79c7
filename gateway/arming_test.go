package gateway_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClientWaitsUntilTheListIsActive: an unrelated stanza in the middle of the
// hiding does not let the client's frames go early.
func TestClientWaitsUntilTheListIsActive(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.Close()
	early, active := make(chan string, 1), make(chan struct{})
	wg.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		until := func(text string) string { // what came up to it
			var seen strings.Builder
			for !strings.HasSuffix(seen.String(), text) {
				b, err := r.ReadByte()
				if err != nil {
					break
				}
				seen.WriteByte(b)
			}
			return seen.String()
		}
		for _, a := range answers {
			until(a.seen)
			_, _ = io.WriteString(conn, a.say)
		}
		ids := [2]string{}
		for i := range ids {
			seen := until("</iq>")
			_, rest, _ := strings.Cut(seen, "id='")
			ids[i], _, _ = strings.Cut(rest, "'")
		}
		_, _ = io.WriteString(conn, "<message from='"+domain+"'><body>welcome</body></message><iq type='result' id='"+ids[0]+"'/>")
		<-active
		_, _ = io.WriteString(conn, "<iq type='result' id='"+ids[1]+"'/>")
		early <- until("</message>")
		until("</stream:stream>")
	})
	s := newStack(t, stackConfig{upstream: l.Addr().String()})
	alice := s.connect("")
	alice.login("alice", s.password("alice"))
	alice.say("<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
	alice.say("<message xmlns='jabber:client' to='bob@" + domain + "'><body>held</body></message>")
	require.Equal(t, "message", alice.next().Name.Local)
	close(active)
	bound := alice.next()
	require.Equal(t, "bind", bound.ID(), "%s", bound.Raw)
	require.Contains(t, string(bound.Raw), "delivery='live'")
	require.Contains(t, <-early, "held", "it arrives, and only now")
	alice.cut()
}
