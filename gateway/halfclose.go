package gateway

import (
	"net"
	"time"
)

// hangUp ends a connection without a word, and gives the server time to notice:
// until it has read all that was sent and closed its side, or patience is over.
// A server that hears of a resumption while it still reads the old connection
// takes what it reads after that for nobody's: ejabberd answers it, but has not
// counted it, so that the client sends it again, and loses what comes in for the
// client in that moment.
func (c *server) hangUp(patience time.Duration) {
	c.leaving.Store(true)
	if closeWrite(c.sock.Conn) != nil {
		return
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-c.done.wait():
	case <-t.C:
	}
}

// closeWrite sends a TCP FIN, beneath TLS if there is TLS: to the server that is
// a connection which broke, as it is meant to be.
func closeWrite(conn net.Conn) error {
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return closeWrite(t.NetConn())
	}
	if t, ok := conn.(interface{ CloseWrite() error }); ok {
		return t.CloseWrite()
	}
	return net.ErrClosed
}

// maxLate is how much of what nobody will get any more is read for the sake of
// the server's end of the connection.
const maxLate = 1 << 20

// tooLate reports whether a server that was hung up on goes on for too long.
func (c *server) tooLate(n int) bool {
	if c.leaving.Load() {
		c.late += n
	}
	return c.late > maxLate
}
