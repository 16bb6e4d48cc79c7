package gateway_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// loopback are the proxies of tests that say whose address is whose.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// enters logs somebody in on a real server and binds.
func (w *wire) enters(s *stack, name string) {
	w.t.Helper()
	w.say(openClient)
	require.True(w.t, framing.IsOpen(w.element()))
	w.element()
	w.say(auth("", name, s.password(name)))
	e := w.element()
	require.True(w.t, e.Is(nsSASL, "success"), "%s", e.Raw)
	w.say(openClient)
	require.True(w.t, framing.IsOpen(w.element()))
	w.element()
	w.say(iqBind)
	require.Equal(w.t, "result", w.element().Type())
}

// ends passes over what comes before the stream error.
func (w *wire) ends(condition string, code int) {
	w.t.Helper()
	for {
		e := w.element()
		if e.Is(framing.NSStream, "error") {
			require.Equal(w.t, condition, e.First().Name.Local, "%s", e.Raw)
			w.closed(nil, code)
			return
		}
	}
}

// answers makes a round trip to the server.
func (w *wire) answers(id string) {
	w.t.Helper()
	w.say("<iq xmlns='jabber:client' type='get' id='" + id + "' to='" + domain + "'><ping xmlns='urn:xmpp:ping'/></iq>")
	for {
		if e := w.element(); e.Name.Local == "iq" && e.ID() == id {
			return
		}
	}
}

// pieces cuts a message into fragments of one byte.
func pieces(xml string) []wsFrame {
	var list []wsFrame
	for i := range len(xml) {
		list = append(list, wsFrame{opcode: opContinuation, payload: []byte{xml[i]}})
	}
	list[0].opcode, list[len(list)-1].last = opText, true
	return list
}

// TestAttacksOnTheRunningGateway has somebody who may log in do their worst
// before a real Prosody, while somebody else chats on.
func TestAttacksOnTheRunningGateway(t *testing.T) {
	s := newStack(t, stackConfig{change: func(c *gateway.Config) {
		c.Limits.Goodbye = 300 * time.Millisecond
		c.Limits.Oversized = 1 << 20
		c.Limits.Stream.Bytes, c.Limits.Account.Bytes = -1, -1 // so that the test is quick
	}})
	bystander := s.online("bob", "")
	for name, attack := range map[string]func(t *testing.T, w *wire){
		"a message in one-byte fragments": func(t *testing.T, w *wire) {
			w.send(pieces("<iq xmlns='jabber:client' type='get' id='small' to='" + domain + "'><ping xmlns='urn:xmpp:ping'/>" +
				strings.Repeat(" ", 20_000) + "</iq>")...)
			require.Equal(t, "small", w.element().ID())
			w.answers("after")
		},
		"fragments without an end": func(t *testing.T, w *wire) {
			list := pieces("<message xmlns='jabber:client'><body>" + strings.Repeat("x", 4096))
			list[len(list)-1].last = false
			w.send(list...)
			big := wsFrame{opcode: opContinuation, payload: bytes.Repeat([]byte("x"), 100_000)}
			for range 15 {
				w.send(big)
			}
			w.refused(nil, "policy-violation", 1009)
		},
		"a flood of pings": func(t *testing.T, w *wire) {
			var all []byte
			for range 20_000 {
				all = append(all, control(opPing, "p").bytes()...)
			}
			go func() { _, _ = w.conn.Write(all) }()
			pongs := 0
			for pongs == 0 { // of many that come together one is answered (RFC 6455 section 5.5.3)
				f, err := w.receive()
				require.NoError(t, err)
				if f.opcode == opPong {
					pongs++
				}
			}
		},
		"a frame that says it is compressed": func(t *testing.T, w *wire) {
			w.send(wsFrame{last: true, reserved: 4, opcode: opText, payload: bytes.Repeat([]byte{0x4a, 0x04}, 1000)})
			code, _ := w.closing()
			require.Equal(t, 1002, code)
		},
		"a frame of 2^62 bytes": func(t *testing.T, w *wire) {
			head := binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, 1<<62)
			_, err := w.conn.Write(append(head, 1, 2, 3, 4))
			require.NoError(t, err)
			w.refused(nil, "policy-violation", 1009)
		},
		"a stanza with 10,000 attributes": func(t *testing.T, w *wire) {
			var b strings.Builder
			for i := range 10_000 {
				fmt.Fprintf(&b, " a%d='v'", i)
			}
			w.say("<message xmlns='jabber:client'" + b.String() + "/>")
			w.refused(nil, "policy-violation", 1008)
		},
		"80,000 elements in one another that do not end": func(t *testing.T, w *wire) {
			w.say("<message xmlns='jabber:client' id='deep'>" + strings.Repeat("<a>", 80_000))
			require.Equal(t, "deep", w.element().ID())
			w.answers("after")
		},
		"SASL once more": func(t *testing.T, w *wire) {
			w.say(auth("", "bob", "tlt_guess"))
			w.refused(nil, "unsupported-stanza-type", 1008)
		},
		"open once more": func(t *testing.T, w *wire) {
			w.say(openClient)
			w.refused(nil, "bad-format", 1007)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := dialWire(t, s.url)
			w.enters(s, "alice")
			w.t = t
			attack(t, w)
			_ = w.conn.Close()
			require.Empty(t, bystander.sync(), "others notice nothing")
		})
	}
	s.awaitStreams(1)
}

// TestAttacksBeforeTheLogin needs no account.
func TestAttacksBeforeTheLogin(t *testing.T) {
	s := newStack(t, stackConfig{change: func(c *gateway.Config) {
		c.Limits.Goodbye = 300 * time.Millisecond
	}})
	bystander := s.online("bob", "")
	first, second, third := s.password("alice"), s.password("alice"), s.password("alice")
	attacks := map[string]func(t *testing.T, w *wire){
		"a stanza before <open/>": func(t *testing.T, w *wire) {
			w.say("<message xmlns='jabber:client' to='bob@" + domain + "'><body>sneaked</body></message>")
			w.ends("invalid-namespace", 1007)
		},
		"a stanza behind the login, before its answer": func(t *testing.T, w *wire) {
			w.send(text(openClient), text(auth("", "alice", "tlt_wrong")), text("<presence xmlns='jabber:client'/>"))
			w.ends("not-authorized", 1008)
		},
		"two right logins in a row": func(t *testing.T, w *wire) {
			login := auth("", "alice", first)
			w.send(text(openClient), text(login), text(login))
			w.ends("not-authorized", 1008)
		},
		"everything in one go": func(t *testing.T, w *wire) {
			w.send(text(openClient), text(auth("", "alice", second)), text(openClient), text(iqBind),
				text("<message xmlns='jabber:client' to='bob@"+domain+"'><body>sneaked</body></message>"))
			w.ends("bad-format", 1007)
		},
		"many small frames": func(t *testing.T, w *wire) {
			w.say(openClient)
			abort := text("<abort xmlns='" + nsSASL + "'>" + strings.Repeat(" ", 5000) + "</abort>")
			w.send(abort, abort, abort)
			w.ends("policy-violation", 1009)
		},
		"one-byte fragments without an end": func(t *testing.T, w *wire) {
			list := pieces(strings.Repeat(" ", 10_001))
			list[len(list)-1].last = false
			w.send(list...)
			w.ends("policy-violation", 1009)
		},
		"a login nearly as large as it may be, and pongs": func(t *testing.T, w *wire) {
			login := auth("", "alice", third)
			w.say(openClient)
			w.send(repeat(control(opPong, "p"), 100)...)
			w.say(strings.Replace(login, "<auth ", "<auth "+strings.Repeat(" ", 9_500-len(openClient)-len(login)), 1))
			require.True(t, framing.IsOpen(w.element()))
			w.element()
			e := w.element()
			require.True(t, e.Is(nsSASL, "success"), "%s", e.Raw)
			w.say(openClient)
			require.True(t, framing.IsOpen(w.element()))
			w.element()
			w.send(repeat(control(opPong, "p"), 5000)...)
			w.say(iqBind)
			require.Equal(t, "result", w.element().Type(), "after it, none of this counts")
			w.send(closeWith(1000, ""))
		},
	}
	s.attacked(t, attacks)
	s.awaitStreams(1)
	require.Empty(t, bystander.sync(), "nothing has come through")
}

// attacked carries out all of them at once, and returns when they are over.
func (s *stack) attacked(t *testing.T, attacks map[string]func(t *testing.T, w *wire)) {
	t.Run("all", func(t *testing.T) {
		for name, attack := range attacks {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				attack(t, dialWire(t, s.url))
			})
		}
	})
}

// TestAttacksThatTakeTheirTime is about those who would stay for ever. None logs
// in, so that a slow server is not in their way.
func TestAttacksThatTakeTheirTime(t *testing.T) {
	s, _ := recorded(t, func(c *gateway.Config) { c.Limits.AuthTime = 4 * time.Second })
	attacks := map[string]func(t *testing.T, w *wire){
		"half a frame and silence": func(t *testing.T, w *wire) {
			_, err := w.conn.Write(text(openClient).bytes()[:20])
			require.NoError(t, err)
			w.ends("connection-timeout", 1008)
		},
		"a byte now and then": func(t *testing.T, w *wire) {
			done := make(chan struct{})
			defer func() { <-done }()
			defer w.conn.Close()
			go func() {
				defer close(done)
				tick := time.NewTicker(100 * time.Millisecond)
				defer tick.Stop()
				for _, b := range text(openClient + strings.Repeat(" ", 1000)).bytes() {
					if _, err := w.conn.Write([]byte{b}); err != nil {
						return
					}
					<-tick.C
				}
			}()
			require.True(t, framing.IsOpen(w.element()))
			e := w.element()
			require.Equal(t, "connection-timeout", e.First().Name.Local, "%s", e.Raw)
		},
		"pings and no login": func(t *testing.T, w *wire) {
			for range 200 {
				w.send(control(opPing, "p"))
			}
			for {
				f, err := w.receive()
				require.NoError(t, err)
				if f.opcode == opText {
					return // the stream error, after AuthTime
				}
			}
		},
	}
	s.attacked(t, attacks)
	s.awaitStreams(0)
}

// Whatever it is that somebody sends who does not log in, it is not much: also
// what never becomes a frame of the stream.
func TestBytesBeforeTheLogin(t *testing.T) {
	s, _ := wired(t, func(c *gateway.Config) { c.Limits.AuthTime = time.Hour })
	unfinished := pieces(strings.Repeat(" ", 5000))
	unfinished[len(unfinished)-1].last = false
	for name, frames := range map[string][]wsFrame{
		"pings":                    repeat(control(opPing, "p"), 5000),
		"pongs":                    repeat(control(opPong, strings.Repeat("p", 125)), 200),
		"empty fragments":          append([]wsFrame{{opcode: opText}}, repeat(wsFrame{opcode: opContinuation}, 5000)...),
		"a message without an end": unfinished,
	} {
		t.Run(name, func(t *testing.T) {
			w := dialWire(t, s.url)
			w.send(frames...)
			w.passPongs()
			w.ends("policy-violation", 1009)
		})
	}
}

// passPongs passes over the pongs that have come, and come before all else.
func (w *wire) passPongs() {
	w.t.Helper()
	for {
		next, err := w.in.Peek(1)
		require.NoError(w.t, err)
		if next[0]&0xF != opPong {
			return
		}
		_, err = w.receive()
		require.NoError(w.t, err)
	}
}

func repeat(f wsFrame, n int) []wsFrame {
	list := make([]wsFrame, n)
	for i := range list {
		list[i] = f
	}
	return list
}

// permessage-deflate is offered by nearly all browsers, and never agreed on.
func TestCompressionIsNotAgreedOn(t *testing.T) {
	s, _ := wired(t, nil)
	for _, offer := range []string{"permessage-deflate", "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame"} {
		w := dialWire(t, s.url, "Sec-WebSocket-Extensions: "+offer)
		require.Empty(t, w.response.Header.Values("Sec-WebSocket-Extensions"))
	}
}
