//go:build !race && !poison

package framing_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// demanding makes use of everything that could need memory: values and a namespace that are not as they were written, CDATA, a
// prefix that may be the stream's, more elements than one block holds, characters beyond ASCII.
var demanding = "<message xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a&amp;b' p='1\n2'>" +
	"<x xmlns='urn:&#120;' a='&lt;' b='&gt;'/><body>&amp;<![CDATA[<]]>\u00fc\U0001F339</body><stream:y/>" +
	strings.Repeat("<z/>", 100) + "</message>"

func TestParserTakesNoMemory(t *testing.T) {
	p := framing.NewParser(framing.ClientLimits)
	for name, text := range map[string]string{"rich": rich, "presence": benchFrames["presence"], "demanding": demanding} {
		raw := []byte(text)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if e, err := p.Frame(raw); err != nil || peek(e) == 0 {
				t.Error("not read:", err)
			}
		}), name)
	}
}

func TestSplitterTakesNoMemory(t *testing.T) {
	for name, text := range map[string]string{"rich": rich, "demanding": demanding} {
		s := framing.NewSplitter(framing.ServerLimits)
		s.Feed([]byte(header))
		_, err := s.Next()
		require.NoError(t, err)
		from := &relay{text: asServersWriteIt(text)}
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			if item, err := nextFrom(s, from); err != nil || peek(item.Element) == 0 {
				t.Error("not read:", err)
			}
		}), name)
	}
}

// Streams that wait for something to happen, as most do most of the time, hold next to nothing.
func TestIdleStreamsHoldNoMemory(t *testing.T) {
	const streams, most = 2000, 1 << 10 // bytes each
	type stream struct {
		parser   *framing.Parser
		splitter *framing.Splitter
	}
	all := make([]stream, streams)
	before := heapInUse()
	for i := range all {
		st := stream{framing.NewParser(framing.ClientLimits), framing.NewSplitter(framing.ServerLimits)}
		st.splitter.Feed([]byte(header + demanding))
		for range 2 {
			_, err := st.splitter.Next()
			require.NoError(t, err)
		}
		_, err := st.parser.Frame([]byte(demanding))
		require.NoError(t, err)
		st.parser.Release()
		st.splitter.Release()
		all[i] = st
	}
	held := heapInUse() - before
	require.Less(t, held, int64(streams*most), "bytes of %d idle streams", streams)
	_, err := all[0].parser.Frame([]byte(rich))
	require.NoError(t, err)
	all[0].splitter.Feed([]byte("<r xmlns='urn:xmpp:sm:3'/>"))
	item, err := all[0].splitter.Next()
	require.NoError(t, err)
	require.Equal(t, "<r xmlns='urn:xmpp:sm:3'/>", string(item.Element.Raw))
	runtime.KeepAlive(all)
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what the pools held is gone with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
