package main

import (
	"bufio"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/tokens"
)

// Nothing is offered but what Trunkline can answer.
func TestEjabberdOffersPlainAlone(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	conn, err := net.Dial("tcp", s.ej.Addr())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='"+ejDomain+"'>")
	require.NoError(t, err)
	features := ""
	for r := bufio.NewReader(conn); !strings.Contains(features, "</stream:features>"); {
		part, err := r.ReadString('>')
		require.NoError(t, err)
		features += part
	}
	var offered []string
	for _, m := range regexp.MustCompile(`<mechanism>([^<]*)`).FindAllStringSubmatch(features, -1) {
		offered = append(offered, m[1])
	}
	assert.Equal(t, []string{"PLAIN"}, offered)
}
