package framingtest

// Good returns frames that real clients send, for tests and as seeds. None of them ends a stream.
func Good() [][]byte {
	frames := []string{
		`<presence xmlns='jabber:client'/>`,
		`<presence xmlns="jabber:client" type="unavailable"><status>off to Mantua</status></presence>`,
		`<message xmlns='jabber:client' to='juliet@capulet.example' type='chat' id='m1'><body>Art thou not Romeo, and a Montague?</body>` +
			`<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/></message>`,
		`<message xmlns='jabber:client' to='juliet@capulet.example' xml:lang='de'><body>1 &lt; 2 &amp; &#x1F339; ` + "\u00fc \U0001F339" + `</body></message>`,
		`<iq xmlns='jabber:client' type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>orchard</resource></bind></iq>`,
		`<iq xmlns='jabber:client' type='get' id='d1' to='capulet.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
		`<c:message xmlns:c='jabber:client' to='a@b'><c:body><![CDATA[a < b]]></c:body><x:x xmlns:x='urn:x' x:y='&apos;'/></c:message>`,
		"<message xmlns='jabber:client'\n\tto = 'a@b'\r\n><body>two\r\nlines</body >\n</message >\n",
		`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHJvbWVvAHNlY3JldA==</auth>`,
		`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`,
		`<a xmlns='urn:xmpp:sm:3' h='12'/>`,
		`<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='capulet.example' version='1.0'/>`,
		`<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>`,
	}
	out := make([][]byte, len(frames))
	for i, f := range frames {
		out[i] = []byte(f)
	}
	return out
}
