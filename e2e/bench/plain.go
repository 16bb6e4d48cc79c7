package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"github.com/trunkline-chat/trunkline/e2e/bench/load"
)

// partPlain is the part that is no measurement but what one needs.
const partPlain = "plain-relay"

// plainRelay is the simplest relay that clients can use: frames become a
// stream and a stream becomes frames, each written as it comes. It judges
// nothing, limits nothing and is for nothing but the comparison.
func plainRelay(ctx context.Context, listen, server string) error {
	h := http.Server{Addr: listen, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"xmpp"}, InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer ws.CloseNow()
		ws.SetReadLimit(1 << 20)
		var d net.Dialer
		tcp, err := d.DialContext(r.Context(), "tcp", server)
		if err != nil {
			return
		}
		defer tcp.Close()
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = framesOfStream(r.Context(), ws, tcp) // any error is the end
			_ = ws.Close(websocket.StatusNormalClosure, "")
		})
		_ = streamOfFrames(r.Context(), tcp, ws)
		_ = tcp.Close()
		wg.Wait()
	})}
	stop := context.AfterFunc(ctx, func() { _ = h.Close() })
	defer stop()
	if err := h.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// streamOfFrames carries the client's frames to the server.
func streamOfFrames(ctx context.Context, tcp io.Writer, ws *websocket.Conn) error {
	for {
		_, frame, err := ws.Read(ctx)
		if err != nil {
			return err
		}
		switch {
		case bytes.HasPrefix(frame, []byte("<open")):
			frame = fmt.Appendf(nil, "<?xml version='1.0'?><stream:stream to='%s' version='1.0' xmlns='jabber:client' "+
				"xmlns:stream='http://etherx.jabber.org/streams'>", domain)
		case bytes.HasPrefix(frame, []byte("<close")):
			frame = []byte("</stream:stream>")
		}
		if _, err := tcp.Write(frame); err != nil {
			return err
		}
	}
}

// framesOfStream carries the server's elements to the client.
func framesOfStream(ctx context.Context, ws *websocket.Conn, tcp io.Reader) error {
	buf, held := make([]byte, 16<<10), []byte(nil)
	for {
		n, err := tcp.Read(buf)
		if err != nil {
			return err
		}
		held = append(held, buf[:n]...)
		at := 0
		for {
			n, err := load.NextItem(held[at:])
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			if frame := frameOf(held[at : at+n]); frame != nil {
				if err := ws.Write(ctx, websocket.MessageText, frame); err != nil {
					return err
				}
			}
			at += n
		}
		held = append(held[:0], held[at:]...)
	}
}

// frameOf is the frame of an item of the server's stream, nil if there is none.
func frameOf(item []byte) []byte {
	switch name := string(item[1:min(len(item), 16)]); {
	case item[0] != '<' || item[1] == '?':
		return nil
	case strings.HasPrefix(name, "stream:stream"):
		return []byte("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' from='" + domain + "'/>")
	case strings.HasPrefix(name, "/stream:"):
		return []byte("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
	case strings.HasPrefix(name, "stream:"):
		return within(item, " xmlns:stream='http://etherx.jabber.org/streams'")
	}
	if tag := item[:bytes.IndexByte(item, '>')]; !bytes.Contains(tag, []byte(" xmlns=")) {
		return within(item, " xmlns='jabber:client'")
	}
	return item
}

// within writes a namespace into an element's tag.
func within(item []byte, namespace string) []byte {
	at := bytes.IndexAny(item, " />")
	out := make([]byte, 0, len(item)+len(namespace))
	return append(append(append(out, item[:at]...), namespace...), item[at:]...)
}
