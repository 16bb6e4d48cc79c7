package load

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// MessageBytes is how long a message is as a browser sends it, with its
// namespace: about what today's clients send for a line of chat.
const MessageBytes = 540

// digits is how long a message's number is, of which no other text is made.
const digits = 10

const firstNumber = 7_000_000_001

const line = "So shaken as we are, so wan with care, find we a time for frighted peace to pant, and breathe short-winded accents of new broils "

// message is what one client sends to another, again and again: the number in
// it is all that changes.
type message struct {
	text []byte
	at   []int // where the number stands
}

// newMessage makes the message of one way of a pair. It is as long as it would
// be on a WebSocket, whatever the way.
func newMessage(to string) message {
	number := fmt.Sprint(firstNumber)
	before := "<message xmlns='jabber:client' type='chat' to='" + to + "' id='m" + number + "' xml:lang='en'><body>" + number + " "
	after := "</body><active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>" +
		"<markable xmlns='urn:xmpp:chat-markers:0'/><origin-id xmlns='urn:xmpp:sid:0' id='m" + number + "'/></message>"
	room := max(MessageBytes-len(before)-len(after), 0)
	return templateOf([]byte(before + strings.Repeat(line, room/len(line)+1)[:room] + after))
}

// templateOf finds the places of the first message's number.
func templateOf(first []byte) message {
	m := message{text: bytes.Clone(first)}
	number := fmt.Append(nil, firstNumber)
	for from := 0; ; {
		i := bytes.Index(m.text[from:], number)
		if i < 0 {
			return m
		}
		m.at = append(m.at, from+i)
		from += i + digits
	}
}

// numbered is the n-th message, from 0. It is overwritten by the next call.
func (m *message) numbered(n int) []byte {
	var number [digits]byte
	for i, rest := digits-1, n+firstNumber; i >= 0; i, rest = i-1, rest/10 {
		number[i] = byte('0' + rest%10)
	}
	for _, at := range m.at {
		copy(m.text[at:], number[:])
	}
	return m.text
}

var errVerify = errors.New("a message was lost, doubled, out of order or changed")

// checker verifies what one client receives from another.
type checker struct {
	from string
	sent message // what the other sends
	seen message // what the first of them looked like when it came
	next int
}

// check takes the next message. The first is judged by its parts; all that
// follow must be the same but for the number, every byte.
func (c *checker) check(item []byte) error {
	n := c.next
	c.next++
	if n > 0 {
		if want := c.seen.numbered(n); !bytes.Equal(item, want) {
			return fmt.Errorf("%w: expected %q, got %q", errVerify, want, item)
		}
		return nil
	}
	want := c.sent.numbered(n)
	body, _ := text(want, "body")
	got, ok := text(item, "body")
	head, _, _ := bytes.Cut(item, []byte("<body>"))
	if !ok || !bytes.Equal(body, got) || attribute(head, "from") != c.from || attribute(head, "id") != attribute(want, "id") {
		return fmt.Errorf("%w: expected from %s %q, got %q", errVerify, c.from, want, item)
	}
	c.seen = templateOf(item)
	return nil
}
