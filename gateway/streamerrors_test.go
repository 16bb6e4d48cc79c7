package gateway

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// TestOnlyKnownConditionsComeIntoLogs: what a server calls its stream error by is
// its own; only the words of RFC 6120 section 4.9.3 are passed on to an admin.
func TestOnlyKnownConditionsComeIntoLogs(t *testing.T) {
	for child, want := range map[string]string{
		"<host-unknown xmlns='" + framing.NSStreams + "'/>":                                      "host-unknown",
		"<please-call-555 xmlns='" + framing.NSStreams + "'/>":                                   "undefined-condition",
		"<text xmlns='" + framing.NSStreams + "'>why</text><conflict xmlns='urn:x'/>":            "undefined-condition",
		"<text xmlns='" + framing.NSStreams + "'/><conflict xmlns='" + framing.NSStreams + "'/>": "conflict",
	} {
		near, far := net.Pipe()
		c := newOwnServer(near, time.Minute)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.Copy(io.Discard, far) })
		wg.Go(func() {
			_, _ = io.WriteString(far, "<stream:stream xmlns='jabber:client' xmlns:stream='"+framing.NSStream+"' version='1.0'>"+
				"<stream:error>"+child+"</stream:error></stream:stream>")
		})
		_, err := c.open("social.example")
		require.EqualError(t, err, "the server ended the stream: "+want)
		c.close()
		wg.Wait()
	}
}
