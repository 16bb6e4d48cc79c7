package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// LevelTrace is the level below debug. At it every frame is logged by its
// structure, see Redact.
const LevelTrace = slog.LevelDebug - 4

// What Redact shows at most of one frame.
const (
	traceElements = 64 // then it says how much there is
	traceDepth    = 8
	traceAttrs    = 16
	traceName     = 40
	traceSpace    = 100
)

// Redact describes an element for a log: the names of elements and attributes,
// how they nest, and in place of every text and nearly every value how many
// bytes it has: <message type='chat' to=(17)><body>(9)</body></message>. Shown
// as they are: values that the standards prescribe (types, SASL mechanisms,
// versions), counts of XEP-0198, and namespaces that are spelt like those of the
// standards. A name that is no plain word is told by its length too, so that
// nothing that a person wrote is in it, and no secret.
func Redact(e *framing.Element) string {
	r := redactor{left: traceElements}
	r.element(e, "", 1)
	return r.out.String()
}

type redactor struct {
	out  strings.Builder
	left int // elements that may still be shown
}

func (r *redactor) element(e *framing.Element, outer string, depth int) {
	if r.left == 0 {
		r.out.WriteString("<…/>")
		return
	}
	r.left--
	name := word(e.Name.Local)
	r.out.WriteString("<" + name)
	if e.Name.Space != outer {
		r.out.WriteString(" xmlns=" + namespace(e.Name.Space))
	}
	r.attributes(e)
	if e.First() == nil || depth == traceDepth {
		r.leaf(e, name)
		return
	}
	r.out.WriteString(">")
	r.text(e)
	for c := range e.Children() {
		r.element(c, e.Name.Space, depth+1)
		if r.left == 0 {
			r.out.WriteString("…")
			break
		}
	}
	r.out.WriteString("</" + name + ">")
}

// leaf ends an element of which no further element is shown: there is none, or
// it lies deeper than a log has to tell.
func (r *redactor) leaf(e *framing.Element, name string) {
	n, more := len(e.Text()), e.First() != nil
	if n == 0 && !more {
		r.out.WriteString("/>")
		return
	}
	r.out.WriteString(">(" + strconv.Itoa(n) + ")")
	if more {
		r.out.WriteString("…")
	}
	r.out.WriteString("</" + name + ">")
}

func (r *redactor) text(e *framing.Element) {
	if n := len(strings.TrimSpace(e.Text())); n > 0 {
		r.out.WriteString("(" + strconv.Itoa(n) + ")")
	}
}

func (r *redactor) attributes(e *framing.Element) {
	for i := range e.Attrs {
		if i == traceAttrs {
			r.out.WriteString(" …")
			return
		}
		a := &e.Attrs[i]
		name := word(a.Name.Local)
		if a.Name.Space == framing.NSXML {
			name = "xml:" + name
		}
		r.out.WriteString(" " + name + "=")
		if prescribed(a) {
			r.out.WriteString("'" + a.Value + "'")
		} else {
			r.out.WriteString("(" + strconv.Itoa(len(a.Value)) + ")")
		}
	}
}

// shown are attribute values that the standards prescribe.
var shown = map[string][]string{
	"type": {"get", "set", "result", "error", "chat", "groupchat", "headline", "normal", "available", "unavailable",
		"subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe", "cancel", "continue", "modify", "auth", "wait",
		"submit", "form"},
	"mechanism": {"PLAIN", "ANONYMOUS", "EXTERNAL", "OAUTHBEARER", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512",
		"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"},
	"version": {"1.0"},
	"resume":  {"true", "false", "1", "0"},
}

// counts are attributes of XEP-0198 whose value is a number.
var counts = map[string]bool{"h": true, "max": true}

func prescribed(a *framing.Attr) bool {
	if a.Name.Space != "" {
		return false
	}
	if counts[a.Name.Local] {
		return a.Value != "" && len(a.Value) <= 10 && strings.Trim(a.Value, "0123456789") == ""
	}
	for _, v := range shown[a.Name.Local] {
		if a.Value == v {
			return true
		}
	}
	return false
}

// word is a name if it looks like one of the standards, else its length.
func word(s string) string {
	if s != "" && len(s) <= traceName && strings.Trim(s, nameLetters) == "" {
		return s
	}
	return "(" + strconv.Itoa(len(s)) + ")"
}

const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

// standardSpaces are how the namespaces of the standards begin.
var standardSpaces = []string{
	"jabber:", "urn:xmpp:", "urn:ietf:params:xml:ns:xmpp-", "urn:trunkline:",
	"http://jabber.org/", "http://etherx.jabber.org/", "storage:", "vcard-temp",
}

// namespace is one that looks like those of the standards, else its length.
func namespace(s string) string {
	for _, begin := range standardSpaces {
		if strings.HasPrefix(s, begin) && len(s) <= traceSpace && strings.Trim(s, nameLetters+":/#") == "" {
			return "'" + s + "'"
		}
	}
	return "(" + strconv.Itoa(len(s)) + ")"
}

// trace logs a frame on its way, at LevelTrace only.
func (s *stream) trace(way string, e *framing.Element) {
	if s.traces {
		s.log().Log(context.Background(), LevelTrace, "gateway: frame", "way", way, "frame", Redact(e))
	}
}

// errLogin stands for a frame that is not parsed again.
var errLogin = errors.New("gateway: a login")

// traceBytes is trace for what the gateway sends.
func (s *stream) traceBytes(way string, b []byte) {
	if !s.traces {
		return
	}
	var e *framing.Element
	err := errLogin
	if !bytes.HasPrefix(b, []byte("<auth ")) {
		e, err = framing.ParseFrame(b, framing.ServerLimits)
	}
	if err != nil { // a stream header, or several elements; of a login no second copy is made
		s.log().Log(context.Background(), LevelTrace, "gateway: frame", "way", way, "bytes", len(b))
		return
	}
	s.trace(way, e)
}
