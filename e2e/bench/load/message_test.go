package load

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	alice = "alice@social.example/4k3jh5"
	bob   = "bob@social.example/9d8f7g"
)

// delivered is a message as a server hands it on.
func delivered(m message, n int) []byte {
	return bytes.Replace(m.numbered(n), []byte(" id='"), []byte(" from='"+alice+"' id='"), 1)
}

func TestMessage(t *testing.T) {
	m := newMessage(bob)
	assert.Len(t, m.text, MessageBytes)
	assert.Len(t, m.at, 3)
	assert.Contains(t, string(m.numbered(41)), "<body>7000000042 ")
	n, err := NextItem(m.numbered(0))
	require.NoError(t, err)
	assert.Equal(t, MessageBytes, n)
}

func TestChecker(t *testing.T) {
	m := newMessage(bob)
	received := func(n int) []byte { return bytes.Clone(delivered(m, n)) }
	change := func(n int, from, to string) []byte {
		require.Contains(t, string(received(n)), from)
		return bytes.ReplaceAll(received(n), []byte(from), []byte(to))
	}
	for name, c := range map[string]struct {
		items [][]byte
		bad   bool
	}{
		"as sent":           {[][]byte{received(0), received(1), received(2)}, false},
		"lost":              {[][]byte{received(0), received(2)}, true},
		"the first is lost": {[][]byte{received(1)}, true},
		"doubled":           {[][]byte{received(0), received(1), received(1)}, true},
		"an old one":        {[][]byte{received(0), received(1), received(2), received(0)}, true},
		"another's":         {[][]byte{received(0), change(1, alice, "alixe@social.example/4k3jh5")}, true},
		"text changed":      {[][]byte{received(0), change(1, "shaken", "stired")}, true},
		"first changed":     {[][]byte{change(0, "shaken", "stired")}, true},
		"id changed":        {[][]byte{received(0), change(1, "id='m7", "id='m8")}, true},
		"child changed":     {[][]byte{received(0), change(1, "receipts", "receiptz")}, true},
		"shortened":         {[][]byte{received(0), change(1, "<request xmlns='urn:xmpp:receipts'/>", "")}, true},
		"an error":          {[][]byte{[]byte("<message type='error' from='" + alice + "'/>")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			checker := checker{from: alice, sent: newMessage(bob)}
			for i, item := range c.items {
				err := checker.check(item)
				if c.bad && i == len(c.items)-1 {
					require.ErrorIs(t, err, errVerify)
					assert.NotEmpty(t, strings.TrimPrefix(err.Error(), errVerify.Error()))
					return
				}
				require.NoError(t, err)
			}
		})
	}
}
