package gateway

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

func TestSecretIsForgotten(t *testing.T) {
	p, err := parsePlain([]byte(base64.StdEncoding.EncodeToString([]byte("\x00alice\x00secret"))), "social.example")
	require.NoError(t, err)
	require.Equal(t, "secret", string(p.secret))
	buffer := p.secret
	p.forget()
	require.Equal(t, make([]byte, 6), buffer)
	require.Nil(t, p.secret)
}

// TestLoginIsWrittenInOnePlace: memory that it grows out of on the way would keep it.
func TestLoginIsWrittenInOnePlace(t *testing.T) {
	p := plain{username: "alice", secret: []byte(strings.Repeat("secret", 150))}
	auth := p.appendAuth(nil)
	small := make([]byte, len(auth)-3)
	require.Equal(t, auth, p.appendAuth(small[:0]))
	require.Equal(t, make([]byte, len(auth)-3), small)

	e, err := framing.ParseFrame(auth, framing.ClientLimits)
	require.NoError(t, err)
	small = make([]byte, len(e.Text())-3)
	require.Equal(t, e.Text(), string(e.AppendText(small[:0])))
	require.Equal(t, make([]byte, len(small)), small)
}

// FuzzPlain holds that what is accepted has one form only, in which the server
// sees nobody but the one who was looked up.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{"\x00alice\x00secret", "alice\x00alice\x00s", "bob\x00alice\x00s", "\x00a\x00b\x00c", "\x00Al\u00efce\x00\u00e9",
		"alice@social.example\x00alice\x00s", "\x00a@b\x00c", "\x00\x00", ""} {
		f.Add([]byte(base64.StdEncoding.EncodeToString([]byte(s))))
	}
	f.Add([]byte("AGFsaWNlAHM"))
	f.Add([]byte("AGFs\nAHM="))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parsePlain(text, "social.example")
		if err != nil {
			require.Empty(t, p.username)
			require.Empty(t, p.secret)
			return
		}
		require.NotEmpty(t, p.username)
		require.NotEmpty(t, p.secret)
		require.NotContains(t, p.username, "@")
		require.NotContains(t, p.username, "\x00")
		require.NotContains(t, string(p.secret), "\x00")
		auth := p.appendAuth(nil)
		e, err := framing.ParseFrame(auth, framing.ClientLimits)
		require.NoError(t, err)
		again, err := parsePlain([]byte(e.Text()), "social.example")
		require.NoError(t, err)
		require.Equal(t, p, again)
		plain, err := base64.StdEncoding.DecodeString(e.Text())
		require.NoError(t, err)
		require.Equal(t, "\x00"+p.username+"\x00"+string(p.secret), string(plain))
		require.True(t, strings.HasPrefix(string(plain), "\x00"), "no authorization identity")
	})
}
