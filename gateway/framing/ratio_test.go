//go:build unix

package framing_test

import (
	"bytes"
	"encoding/xml"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// BenchmarkBesideEncodingXML reads the rich message with the parser, with the splitter and with encoding/xml, taking turns in
// one run, and reports what each takes by the processor's clock: other programs on the machine slow all of them down alike.
func BenchmarkBesideEncodingXML(b *testing.B) {
	raw := []byte(rich)
	p, s := framing.NewParser(framing.ClientLimits), framing.NewSplitter(framing.ServerLimits)
	s.Feed([]byte(header))
	_, err := s.Next()
	require.NoError(b, err)
	from := &relay{text: asServersWriteIt(rich)}
	ways := []struct {
		name string
		read func()
		took []time.Duration // for each turn
	}{
		{name: "parser", read: func() {
			if e, err := p.Frame(raw); err != nil || peek(e) == 0 {
				b.Fatal("not read:", err)
			}
		}},
		{name: "splitter", read: func() {
			if item, err := nextFrom(s, from); err != nil || peek(item.Element) == 0 {
				b.Fatal("not read:", err)
			}
		}},
		{name: "encoding-xml", read: func() { drain(b, xml.NewDecoder(bytes.NewReader(raw))) }},
	}
	const turn = 10_000 // some processors are watched by a slow clock
	for b.Loop() {
		for i := range ways {
			begin := processorTime(b)
			for range turn {
				ways[i].read()
			}
			ways[i].took = append(ways[i].took, processorTime(b)-begin)
		}
	}
	each := func(i int) float64 { // the median turn, for one message
		slices.Sort(ways[i].took)
		return float64(ways[i].took[len(ways[i].took)/2]) / turn
	}
	slow := each(len(ways) - 1)
	for i, w := range ways {
		b.ReportMetric(each(i), w.name+"-ns")
		b.ReportMetric(float64(len(raw))/each(i), w.name+"-GB/s")
		b.ReportMetric(slow/each(i), w.name+"-times")
	}
	b.ReportMetric(0, "ns/op") // of a turn of all, which says nothing
}

// processorTime is what this process has had of the processor, the garbage collector's part included.
func processorTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
