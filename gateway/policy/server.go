package policy

import (
	"strings"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

const nsSASL = "urn:ietf:params:xml:ns:xmpp-sasl"

// maxDepth is how deeply elements may nest in what a browser gets: XML parsers there give up at 256.
const maxDepth = 200

// FromServer judges an element of the XMPP server: stream features are trimmed, the bind result is held until presence is
// safe, answers to substitutes become the stanza errors the client has to see.
func (s *Stream) FromServer(e *framing.Element) Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.Is(framing.NSStream, "features"):
		return s.trim(e)
	case !e.IsStanza():
		return Verdict{}
	}
	if s.phase < running {
		return s.beforeRunning(e)
	}
	if v, ok := s.answer(e); ok {
		return v
	}
	then := s.afterBlocking(e)
	if e.Depth > maxDepth {
		// It came from some third person, and must not end the stream; a stanza has to arrive all the same.
		return Verdict{Action: Replace, Frame: e.WithContent(nil), Reason: "too-deep", Then: then}
	}
	return Verdict{Then: then}
}

// beforeRunning looks for the bind result and for the answers about blocking and the list.
func (s *Stream) beforeRunning(e *framing.Element) Verdict {
	t := e.Type()
	answer := e.Is(framing.NSClient, "iq") && (t == "result" || t == "error") && s.fromServer(e)
	switch {
	case answer && e.ID() == s.arm.blocks && s.arm.blocks != "":
		s.arm.blocks = ""
		s.state.Blocks.read(e)
		return s.advance()
	case s.phase == armed:
		return s.arming(e, answer)
	case s.phase != binding || !answer || e.ID() != s.bind:
		return Verdict{}
	case t == "error":
		s.phase = fresh
		return Verdict{}
	}
	jid := ""
	if bind := e.Child(nsBind, "bind"); bind != nil && bind.Child(nsBind, "jid") != nil {
		jid = strings.TrimSpace(bind.Child(nsBind, "jid").Text())
	}
	if jid == "" {
		return end(framing.InternalServerError, "the server bound no address", "bind-result")
	}
	s.state.JID = strings.Clone(jid)
	if !s.hidden() && s.arm.blocks == "" {
		s.phase = running
		return Verdict{}
	}
	s.phase, s.bound = armed, e.Clone() // it outlives this call
	return s.advance()
}

// arming is what a stream waits for between its bind and the client's hearing of it. Ids are "" once they were answered.
type arming struct {
	blocks        string // whom the person blocks; asked right behind the bind request, so that it costs no round trip
	set, activate string // the pair of requests that hide the stream
	listed        bool   // the pair was sent
	changed       bool   // blocking changed meanwhile
}

// advance takes the next step once the answers are there that it needs.
func (s *Stream) advance() Verdict {
	v := Verdict{Action: Swallow, Reason: "arming"}
	switch {
	case s.phase != armed || s.arm.blocks != "" || s.arm.set != "" || s.arm.activate != "":
	case s.arm.listed:
		return s.release()
	case s.arm.changed:
		s.arm = arming{blocks: s.id("blocks")}
		v.Inject = [][]byte{blocksRequest(s.arm.blocks)}
	case !s.hidden():
		v = Verdict{Action: Replace, Frame: s.bound.Raw, Reason: "bound"}
		s.phase, s.bound = running, nil
	case s.state.Blocks.Unknown:
		return s.release()
	default:
		s.arm = arming{set: s.id("list"), activate: s.id("active"), listed: true}
		v.Inject = [][]byte{privacyIQ(s.arm.set, s.state.Blocks.forList()), privacyIQ(s.arm.activate, activate)}
	}
	return v
}

// arming waits for both answers about the list. The lists of other sessions are pushed to this one as well (XEP-0016 §2.6), as is
// what changes about blocking, and the client could not make sense of that yet.
func (s *Stream) arming(e *framing.Element, answer bool) Verdict {
	done := e.Type() == "result"
	switch {
	case answer && e.ID() == s.arm.set && s.arm.set != "":
		s.arm.set = ""
		s.listStep(setting, done, e)
		return s.advance()
	case answer && e.ID() == s.arm.activate && s.arm.activate != "":
		s.arm.activate = ""
		s.listStep(activating, done, e)
		return s.advance()
	case !e.Is(framing.NSClient, "iq") || !s.fromServer(e):
		return Verdict{}
	case changesBlocks(e) != nil:
		s.arm.changed = !s.state.Blocks.Apart
	case e.Type() != "set" || e.Child(nsPrivacy, "query") == nil:
		return Verdict{}
	}
	reply := framing.AppendAttr([]byte("<iq xmlns='"+framing.NSClient+"' type='result'"), "id", e.ID())
	return Verdict{Action: Swallow, Reason: "arming", Inject: [][]byte{append(reply, "/>"...)}}
}

// release hands the bind result on, with how messages will arrive in it.
func (s *Stream) release() Verdict {
	delivery := "live"
	if !s.state.ListActive {
		delivery, s.state.NoLists = "archive", true
	}
	bound := s.bound
	s.phase, s.bound = running, nil
	frame := bound.Appended(bound.Child(nsBind, "bind"), []byte("<hidden xmlns='"+NSGateway+"' delivery='"+delivery+"'/>"))
	v := Verdict{Action: Replace, Frame: frame, Reason: "hidden-" + delivery}
	if s.arm.changed {
		s.state.Blocks.Changed, v.Then = true, EndStream
	}
	return v
}

// unwanted are stream features that would change what the gateway sees, or how the client proves who it is.
var unwanted = map[framing.Name]bool{
	{Space: "urn:ietf:params:xml:ns:xmpp-tls", Local: "starttls"}:        true,
	{Space: "urn:xmpp:sasl:2", Local: "authentication"}:                  true,
	{Space: "urn:xmpp:sasl-cb:0", Local: "sasl-channel-binding"}:         true,
	{Space: "http://jabber.org/features/compress", Local: "compression"}: true,
	{Space: "http://jabber.org/features/iq-register", Local: "register"}: true,
	{Space: "http://jabber.org/features/iq-auth", Local: "auth"}:         true,
	{Space: "urn:xmpp:bind:0", Local: "bind"}:                            true,
	{Space: "urn:xmpp:invite", Local: "register"}:                        true,
	{Space: "urn:xmpp:ibr-token:0", Local: "register"}:                   true,
}

// blockingApart is the feature by which contrib/prosody says that whoever is blocked stays so behind any privacy list.
var blockingApart = framing.Name{Space: NSGateway, Local: "blocking-apart"}

// trim takes unwanted features out and leaves one SASL mechanism: PLAIN. A server that offers others only cannot be used.
func (s *Stream) trim(e *framing.Element) Verdict {
	var edits []framing.Edit
	for c := range e.Children() {
		switch {
		case c.Is(nsSASL, "mechanisms"):
			if !OffersPlain(c) {
				return end(framing.RemoteConnectionFailed, "the server does not take passwords from the gateway", "no-plain")
			}
			edits = append(edits, framing.Edit{Element: c, With: []byte("<mechanisms xmlns='" + nsSASL + "'><mechanism>PLAIN</mechanism></mechanisms>")})
		case c.Name == blockingApart:
			s.state.Blocks.Apart = true
			edits = append(edits, framing.Edit{Element: c})
		case unwanted[c.Name]:
			edits = append(edits, framing.Edit{Element: c})
		}
	}
	if len(edits) == 0 {
		return Verdict{}
	}
	return Verdict{Action: Replace, Frame: e.Rewrite(edits...), Reason: "features"}
}

// OffersPlain tells whether SASL PLAIN is among the mechanisms of stream features (RFC 6120 §6.4.1).
func OffersPlain(mechanisms *framing.Element) bool {
	for m := range mechanisms.Children() {
		if m.Is(nsSASL, "mechanism") && strings.TrimSpace(m.Text()) == "PLAIN" {
			return true
		}
	}
	return false
}
