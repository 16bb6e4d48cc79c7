package ldap

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// deepFilter is n "not"s around an equality, as bytes: an encoder of our own,
// for the library's would refuse or take a day.
func deepFilter(n int) []byte {
	f := compiled(nopTB{}, "(uid=alice)").Bytes()
	for range n {
		f = append(header(0xa2, len(f)), f...)
	}
	return f
}

type nopTB struct{ testing.TB }

func (nopTB) Helper()               {}
func (nopTB) Errorf(string, ...any) {}
func (nopTB) FailNow()              { panic("a filter does not compile") }

func header(tag byte, length int) []byte {
	return []byte{tag, 0x84, byte(length >> 24), byte(length >> 16), byte(length >> 8), byte(length)}
}

func TestHostileMessagesAreToldAndLeft(t *testing.T) {
	whole := searchOp(compiled(t, "(uid=alice)")).Children
	deep := func(n int) []byte {
		var content []byte
		for i, c := range whole {
			if i == 6 {
				content = append(content, deepFilter(n)...)
				continue
			}
			content = append(content, c.Bytes()...)
		}
		op := append(header(0x63, len(content)), content...)
		op = append([]byte{0x02, 0x01, 0x07}, op...)
		return append(header(0x30, len(op)), op...)
	}
	for name, sent := range map[string][]byte{
		"10,000 deep":           deep(10_000),
		"33 deep":               deep(33),
		"a huge value":          message(1, bindOp(3, alice, strings.Repeat("x", 1<<20))),
		"a promise of 2 GiB":    append(header(0x30, 1<<31-1), bytes.Repeat([]byte{0x04, 0x01, 'x'}, 1<<13)...),
		"endless length":        append([]byte{0x30, 0x80}, bytes.Repeat([]byte{0x04, 0x01, 'x'}, 1<<13)...),
		"deep without lengths":  bytes.Repeat([]byte{0x30, 0x80}, 1<<14),
		"HTTP":                  []byte("GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a browser that lost its way\r\nAccept: */*\r\n\r\n"),
		"zeros":                 make([]byte, 100),
		"no sequence":           {0x04, 0x03, 'a', 'b', 'c'},
		"id only":               {0x30, 0x03, 0x02, 0x01, 0x01},
		"no id":                 append([]byte{0x30, 0x05}, 0x42, 0x00, 0x02, 0x01, 0x01),
		"id zero":               message(0, bindOp(3, alice, "alice-phone")),
		"id negative":           message(-1, bindOp(3, alice, "alice-phone")),
		"id too large":          message(1<<31, bindOp(3, alice, "alice-phone")),
		"id of 9 bytes":         append([]byte{0x30, 0x0d, 0x02, 0x09}, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x42, 0x00),
		"four parts":            message(1, bindOp(3, alice, "alice-phone"), ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, ""), octetString("")),
		"a response":            message(1, encodeResult(goldap.ApplicationBindResponse, success)),
		"an unknown operation":  message(1, application(25)),
		"an operation of none":  message(1, octetString("bind")),
		"empty bind":            message(1, application(goldap.ApplicationBindRequest)),
		"bind by a number":      message(1, application(goldap.ApplicationBindRequest, number(ber.TagInteger, 3), number(ber.TagInteger, 3), contextString(0, "x"))),
		"empty search":          message(1, application(goldap.ApplicationSearchRequest)),
		"search, odd scope":     message(1, changed(searchOp(compiled(t, "(uid=alice)")), 1, number(ber.TagEnumerated, 4))),
		"search, size below 0":  message(1, changed(searchOp(compiled(t, "(uid=alice)")), 3, number(ber.TagInteger, -1))),
		"search, no filter":     message(1, changed(searchOp(compiled(t, "(uid=alice)")), 6, octetString("(uid=alice)"))),
		"search, flat not":      message(1, searchOp(contextString(goldap.FilterNot, "x"))),
		"search, half equality": message(1, searchOp(ber.Encode(ber.ClassContext, ber.TypeConstructed, goldap.FilterEqualityMatch, nil, ""))),
		"search, numbers asked": message(1, changed(searchOp(compiled(t, "(uid=alice)")), 7, sequence(number(ber.TagInteger, 1)))),
		"empty extended":        message(1, application(goldap.ApplicationExtendedRequest)),
		"controls of nothing":   message(1, bindOp(3, alice, "alice-phone"), octetString("")),
		"an empty control":      message(1, bindOp(3, alice, "alice-phone"), controls(ber.NewSequence(""))),
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, nil)
			r := d.raw(t)
			_, _ = r.Write(sent) // the server may hang up in the middle
			if name == "zeros" || name == "no sequence" {
				r.expectNotice(t, goldap.LDAPResultProtocolError)
			} else if p, err := ber.ReadPacket(r); err == nil { // a reset may overtake the notice
				assert.EqualValues(t, 0, p.Children[0].Value)
				assert.EqualValues(t, goldap.LDAPResultProtocolError, p.Children[1].Children[0].Value)
				r.expectEnd(t)
			} else {
				assert.ErrorContains(t, err, "reset")
			}
			assert.Empty(t, d.core.questions())
			require.NoError(t, d.dial(t).Bind(alice, "alice-phone"), "others are served")
			assert.NotContains(t, d.log.String(), "alice-phone")
		})
	}
}

func changed(op *ber.Packet, child int, to *ber.Packet) *ber.Packet {
	children := append([]*ber.Packet(nil), op.Children...)
	children[child] = to
	return application(op.Tag, children...)
}

func sequence(children ...*ber.Packet) *ber.Packet {
	s := ber.NewSequence("")
	for _, c := range children {
		s.AppendChild(c)
	}
	return s
}

func controls(list ...*ber.Packet) *ber.Packet {
	p := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
	for _, c := range list {
		p.AppendChild(c)
	}
	return p
}

func TestFilterOfReasonableDepthIsReadAndRefused(t *testing.T) {
	d := start(t, nil)
	client := d.service(t)
	filter := strings.Repeat("(!", 20) + "(uid=alice)" + strings.Repeat(")", 20)
	_, err := client.Search(search(filter))
	assert.Equal(t, goldap.LDAPResultUnwillingToPerform, code(err))
	filter = strings.Repeat("(&", 20) + "(uid=alice)" + strings.Repeat(")", 20)
	result, err := client.Search(search(filter))
	require.NoError(t, err)
	assert.Equal(t, alice, found(result))
}

func TestOperationsAreCounted(t *testing.T) {
	d := start(t, nil)
	abandon := message(1, ber.NewInteger(ber.ClassApplication, ber.TypePrimitive, goldap.ApplicationAbandonRequest, int64(1), ""))
	stranger := d.raw(t)
	stranger.send(t, bytes.Repeat(abandon, maxOperations+1))
	stranger.expectNotice(t, goldap.LDAPResultUnavailable)
	service := d.raw(t)
	service.send(t, message(1, bindOp(3, serviceDN, serviceSecret)))
	service.expect(t, 1, goldap.ApplicationBindResponse, 0)
	service.send(t, append(bytes.Repeat(abandon, 2*maxOperations), message(2, bindOp(3, alice, "alice-phone"))...))
	service.expect(t, 2, goldap.ApplicationBindResponse, 0)
}

// pipes is a listener whose connections are handed to it.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// dial is a client's end of a new connection.
func (p *pipes) dial() raw {
	client, server := net.Pipe()
	p.conns <- server
	return raw{client}
}

// bubble runs a test in fake time on a server of pipes.
func bubble(t *testing.T, test func(t *testing.T, s *Server, p *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := newServer(t, nil)
		p := newPipes()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, p, false) }()
		test(t, s, p)
		cancel()
		require.NoError(t, <-done)
	})
}

// lifetime is how long a connection stays open from now on when its client is
// silent.
func lifetime(t *testing.T, r raw) time.Duration {
	t.Helper()
	began := time.Now()
	r.expectEnd(t)
	return time.Since(began)
}

func TestSilentConnectionsEnd(t *testing.T) {
	bubble(t, func(t *testing.T, _ *Server, p *pipes) {
		assert.Equal(t, strangerIdle, lifetime(t, p.dial()))
		person := p.dial()
		person.send(t, message(1, bindOp(3, alice, "alice-phone")))
		person.expect(t, 1, goldap.ApplicationBindResponse, 0)
		began := time.Now()
		person.expectNotice(t, goldap.LDAPResultUnavailable)
		assert.Equal(t, personTime, time.Since(began))
		service := p.dial()
		service.send(t, message(1, bindOp(3, serviceDN, serviceSecret)))
		service.expect(t, 1, goldap.ApplicationBindResponse, 0)
		// ejabberd checks its people's passwords on that connection.
		service.send(t, message(2, bindOp(3, alice, "wrong")))
		service.expect(t, 2, goldap.ApplicationBindResponse, goldap.LDAPResultInvalidCredentials)
		assert.Equal(t, serviceIdle, lifetime(t, service))
	})
}

// expectAlice reads what a search for her finds.
func (r raw) expectAlice(tb testing.TB, id int64) {
	tb.Helper()
	p, err := ber.ReadPacket(r)
	require.NoError(tb, err)
	require.Equal(tb, id, p.Children[0].Value)
	require.Equal(tb, alice, p.Children[1].Children[0].Value)
	r.expect(tb, id, goldap.ApplicationSearchResultDone, 0)
}

// The password may have been revoked since: who bound with it is told nothing
// after a minute, however much is asked in between.
func TestAPersonsBindEnds(t *testing.T) {
	ask := func(r raw, id int64) { r.send(t, message(id, searchOp(compiled(t, "(uid=alice)")))) }
	bubble(t, func(t *testing.T, _ *Server, p *pipes) {
		person := p.dial()
		began := time.Now()
		person.send(t, message(1, bindOp(3, alice, "alice-phone")))
		person.expect(t, 1, goldap.ApplicationBindResponse, 0)
		for id := int64(2); id < 7; id++ {
			<-time.After(personTime / 6)
			ask(person, id)
			person.expectAlice(t, id)
		}
		person.send(t, message(7, bindOp(3, alice, "alice-phone"))) // another minute
		person.expect(t, 7, goldap.ApplicationBindResponse, 0)
		<-time.After(personTime - time.Second)
		ask(person, 8)
		person.expectAlice(t, 8)
		person.expectNotice(t, goldap.LDAPResultUnavailable)
		assert.Equal(t, personTime*5/6+personTime, time.Since(began))
	})
}

// The connection on which a server checks everybody's passwords goes on, as
// nobody's.
func TestAPersonsBindEndsOnAServiceConnectionToo(t *testing.T) {
	bubble(t, func(t *testing.T, _ *Server, p *pipes) {
		service := p.dial()
		service.send(t, message(1, bindOp(3, serviceDN, serviceSecret)))
		service.expect(t, 1, goldap.ApplicationBindResponse, 0)
		service.send(t, message(2, bindOp(3, alice, "alice-phone")))
		service.expect(t, 2, goldap.ApplicationBindResponse, 0)
		<-time.After(personTime)
		service.send(t, message(3, searchOp(compiled(t, "(uid=alice)"))))
		service.expect(t, 3, goldap.ApplicationSearchResultDone, goldap.LDAPResultInsufficientAccessRights)
		service.send(t, message(4, bindOp(3, serviceDN, serviceSecret)))
		service.expect(t, 4, goldap.ApplicationBindResponse, 0)
		service.send(t, message(5, searchOp(compiled(t, "(uid=alice)"))))
		service.expectAlice(t, 5)
	})
}

func TestSlowMessagesEnd(t *testing.T) {
	bubble(t, func(t *testing.T, _ *Server, p *pipes) {
		slow := p.dial()
		began := time.Now()
		for _, b := range message(1, bindOp(3, alice, "alice-phone")) {
			if _, err := slow.Write([]byte{b}); err != nil {
				break
			}
			<-time.After(time.Second)
		}
		assert.InDelta(t, messageTime, time.Since(began), float64(time.Second))
		deaf := p.dial() // asks and does not read
		deaf.send(t, message(1, bindOp(3, alice, "alice-phone")))
		<-time.After(messageTime)
		synctest.Wait()
		_, err := deaf.Write([]byte{0x30})
		assert.Error(t, err)
	})
}

func TestCrowdMakesRoomForWhoComesNext(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, p *pipes) {
		first := p.dial()
		first.send(t, message(1, bindOp(3, serviceDN, serviceSecret)))
		first.expect(t, 1, goldap.ApplicationBindResponse, 0)
		crowd := make([]raw, maxConns+50)
		for i := range crowd {
			crowd[i] = p.dial()
		}
		synctest.Wait()
		assert.Len(t, s.conns, maxConns)
		crowd[0].expectEnd(t)
		last := crowd[len(crowd)-1]
		last.send(t, message(1, bindOp(3, alice, "alice-phone")))
		last.expect(t, 1, goldap.ApplicationBindResponse, 0)
		first.send(t, message(2, searchOp(compiled(t, "(uid=carol)"))))
		first.expect(t, 2, goldap.ApplicationSearchResultDone, 0)
	})
}

func TestServiceConnectionsAreNeverClosedForOthers(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, p *pipes) {
		services := make([]raw, maxConns)
		for i := range services {
			services[i] = p.dial()
			services[i].send(t, message(1, bindOp(3, serviceDN, serviceSecret)))
			services[i].expect(t, 1, goldap.ApplicationBindResponse, 0)
		}
		p.dial().expectEnd(t)
		services[0].send(t, message(2, searchOp(compiled(t, "(uid=carol)"))))
		services[0].expect(t, 2, goldap.ApplicationSearchResultDone, 0)
		require.NoError(t, services[1].Close())
		synctest.Wait()
		assert.Len(t, s.conns, maxConns-1)
	})
}

func TestServeEndsWithItsConnections(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, p *pipes) {
		idle, half := p.dial(), p.dial()
		half.send(t, []byte{0x30})
		t.Cleanup(func() {
			idle.expectEnd(t)
			half.expectEnd(t)
			assert.Empty(t, s.conns)
		})
	})
}

// failing is a listener that fails before it works.
type failing struct {
	*pipes
	fail chan error
}

func (f failing) Accept() (net.Conn, error) {
	select {
	case err := <-f.fail:
		return nil, err
	default:
		return f.pipes.Accept()
	}
}

type passing struct{ error }

func (passing) Temporary() bool { return true }

func TestAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := newServer(t, nil)
		f := failing{newPipes(), make(chan error, 2)}
		f.fail <- passing{context.DeadlineExceeded}
		done := make(chan error, 1)
		go func() { done <- s.Serve(t.Context(), f, false) }()
		r := f.dial()
		r.send(t, message(1, bindOp(3, alice, "alice-phone")))
		r.expect(t, 1, goldap.ApplicationBindResponse, 0)
		require.NoError(t, f.pipes.Close())
		require.ErrorIs(t, <-done, net.ErrClosed)
	})
}
