package gateway

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/coder/websocket"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// The endings of a stream whose server could not be reached. The close codes are
// those of RFC 6455's registry: 1014 for a bad gateway, 1013 for "try again
// later", which asks for a longer pause.
var (
	endUnreachable = ending{reason: "server_unreachable", condition: framing.RemoteConnectionFailed,
		code: websocket.StatusBadGateway, text: "The chat server cannot be reached now."}
	endMute = ending{reason: "server_mute", condition: framing.RemoteConnectionFailed,
		code: websocket.StatusBadGateway, text: "The chat server does not answer now.", server: cut}
	endNoPlain = ending{reason: "server_no_plain", condition: framing.RemoteConnectionFailed,
		code: websocket.StatusBadGateway, text: "The chat server takes no passwords from here."}
	endBusy = ending{reason: "server_busy", condition: framing.ResourceConstraint,
		code: websocket.StatusTryAgainLater, text: "Too many people are connecting. Please try again later."}
)

// unreached is the ending for an error of connect.
func unreached(err error) ending {
	if errors.Is(err, errBusy) {
		return endBusy
	}
	return endUnreachable.with(err)
}

// reach connects to the server, which has to greet in time from now on.
func (s *stream) reach() (net.Conn, error) {
	s.dialled.Store(1 + s.g.upstream.health.count())
	conn, release, err := s.g.upstream.begin(s.ctx, s.client)
	if err != nil {
		return nil, err
	}
	s.turnOver = release
	if err := conn.SetReadDeadline(time.Now().Add(s.g.limits.Answer)); err != nil {
		release()
		return nil, errors.Join(asFault(err, atAnswer, conn.RemoteAddr().String()), conn.Close())
	}
	return conn, nil
}

// greeting looks at the first features of a stream, on the goroutine that reads
// from the server: they show that it is there, and whether people can log in. If
// not, the stream is over.
func (s *stream) greeting(e *framing.Element) bool {
	s.greeted.Store(true)
	s.turnOver()
	conn := s.server.Load().sock
	_ = conn.SetReadDeadline(time.Time{}) // if it fails, so will the next read
	if err := offersLogin(e, conn.RemoteAddr().String()); err != nil {
		s.g.upstream.note(err)
		s.finish(endNoPlain.with(err))
		return false
	}
	s.g.upstream.greeted(s.dialled.Load() - 1)
	return true
}

// ungreeted is the ending for a server that went or fell silent before it had
// greeted. ok is false if it had, or if the stream is over for another reason. It
// may ask the server once more.
func (s *stream) ungreeted(conn net.Conn, err error) (e ending, ok bool) {
	if s.greeted.Load() || s.isOver() {
		return ending{}, false
	}
	f := asFault(err, atAnswer, conn.RemoteAddr().String())
	s.turnOver() // whoever asks needs no turn
	s.g.upstream.suspect(s.ctx, f)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return endMute.with(f), true
	}
	if errors.Is(err, io.EOF) || !errors.As(err, new(*framing.Error)) {
		return endUnreachable.with(f), true
	}
	return ending{}, false
}

// tooLate is the ending for a login that did not come in time: the server's fault
// if it has the word.
func (s *stream) tooLate() ending {
	s.mu.Lock()
	now := s.phase
	s.mu.Unlock()
	switch {
	case s.dialled.Load() != 0 && !s.greeted.Load():
		if c := s.server.Load(); c != nil {
			s.g.upstream.note(newFault(atAnswer, c.sock.RemoteAddr().String(), errTimeout))
		}
		return endMute
	case now == phaseAuth:
		return endMute
	default:
		return endAuthTime
	}
}
