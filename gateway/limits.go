package gateway

import (
	"time"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// Limits bounds what one stream, one address and one account may use. Zero
// fields take the defaults.
//
// AuthBytes is for the text in frames. Of the connection, with everything that
// the WebSocket adds (headers of frames and fragments, pings, pongs) and with
// what has not become a message, 1,024 bytes more may come. It is looked at after
// each read.
type Limits struct {
	Frame        framing.Limits // one frame of a browser, framing.ClientLimits
	AuthTime     time.Duration  // from accept to SASL success, 10 s
	AuthBytes    int            // bytes before SASL success, 10,000; see above
	LoginTries   int            // refused logins per stream, 3
	Queue        int            // bytes waiting for a slow browser, 256 KiB
	Stall        time.Duration  // no progress with a slow browser or server, 10 s
	PingEvery    time.Duration  // time between looks at the silence, and pings, 15 s
	DeadAfter    time.Duration  // silence before the browser counts as gone, 44 s: noticed within 60 s
	Dial         time.Duration  // reaching the server, TLS included, 9 s
	Lookup       time.Duration  // of that, an answer from DNS, 3 s
	Connect      time.Duration  // of that, TCP to one address, 4 s
	Secure       time.Duration  // of that, TLS or STARTTLS at one address, 5 s
	Answer       time.Duration  // the server's first words on a new stream, 5 s
	Dials        int            // connections to the server that are made at a time, 64
	ProbeEvery   time.Duration  // silence after which the server is asked whether it is there, 1 min; negative: never
	Grace        time.Duration  // for an aware client to go hidden by itself, 3 s
	Goodbye      time.Duration  // for each side's part of an orderly end, 1 s
	PerAddress   int            // streams from one IPv4 address or IPv6 /64, 100
	PerAccount   int            // streams of one account, 20
	Streams      int            // streams in all, 20,000
	EndedAtOnce  int            // hibernating sessions being ended at a time, 4
	Hibernation  time.Duration  // longest time a server keeps a cut session, 1 h
	RefreshState time.Duration  // how often a live stream's saved state is renewed, 30 min
	SaveEvery    time.Duration  // how often a change that nobody sees is saved, 1 s

	// Rates. Who is faster is read from later; see Patience.
	Stream     Pace // of one stream: 50 stanzas and 128 KiB a second
	Account    Pace // of all streams of an account: 100 and 256 KiB
	Address    Pace // of all streams from an address: 1,000 and 4 MiB
	Handshakes int  // connections per second that an address may open, 20; negative: as many as come
	Logins     int  // logins per second of an account, 2; negative: as many as come
	// Burst is how long a rate may have been saved up: after that long without
	// use, as much comes through at once as the rate gives in it. 10 s.
	Burst time.Duration
	// Patience is how long one stanza, handshake or login is held back for its
	// rate before it is refused instead. 5 s.
	Patience time.Duration
	// Oversized is how many bytes of a stanza that is too big are read, and
	// thrown away, so that it can be answered; beyond that the stream ends. 4 MiB.
	Oversized int
	// LoginDelay is the longest that the answer to a wrong login waits. 5 s;
	// negative: it does not.
	LoginDelay time.Duration
}

// Pace is how much may come in each second. Zero fields take the defaults,
// negative ones mean no limit.
type Pace struct {
	Stanzas int // and other elements of the stream
	Bytes   int // of the connection, all of the WebSocket's included
}

// SessionsPerAccount is how many sessions of one account are remembered for a
// resumption. Beyond it the one that the server ends first is left to the server.
func (l Limits) SessionsPerAccount() int { return sleepersPerLive * l.complete().PerAccount }

func (l Limits) complete() Limits {
	if l.Frame.MaxBytes <= 0 {
		l.Frame.MaxBytes = framing.ClientLimits.MaxBytes
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&l.AuthTime, 10 * time.Second}, {&l.Stall, 10 * time.Second}, {&l.PingEvery, 15 * time.Second},
		{&l.DeadAfter, 44 * time.Second}, {&l.Dial, 9 * time.Second}, {&l.Grace, 3 * time.Second},
		{&l.Goodbye, time.Second}, {&l.Hibernation, time.Hour}, {&l.RefreshState, 30 * time.Minute}, {&l.SaveEvery, time.Second},
		{&l.Lookup, 3 * time.Second}, {&l.Connect, 4 * time.Second}, {&l.Secure, 5 * time.Second},
		{&l.Answer, 5 * time.Second},
		{&l.Burst, 10 * time.Second}, {&l.Patience, 5 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	for _, n := range []struct {
		field *int
		value int
	}{
		{&l.AuthBytes, 10_000}, {&l.LoginTries, 3}, {&l.Queue, 256 << 10}, {&l.PerAddress, 100},
		{&l.PerAccount, 20}, {&l.Streams, 20_000}, {&l.EndedAtOnce, 4}, {&l.Dials, 64}, {&l.Oversized, 4 << 20},
	} {
		if *n.field <= 0 {
			*n.field = n.value
		}
	}
	return l.completeRates()
}

// completeRates leaves negative fields, which stand for no limit.
func (l Limits) completeRates() Limits {
	for _, n := range []struct {
		field *int
		value int
	}{
		{&l.Stream.Stanzas, 50}, {&l.Stream.Bytes, 128 << 10}, {&l.Account.Stanzas, 100}, {&l.Account.Bytes, 256 << 10},
		{&l.Address.Stanzas, 1000}, {&l.Address.Bytes, 4 << 20}, {&l.Handshakes, 20}, {&l.Logins, 2},
	} {
		if *n.field == 0 {
			*n.field = n.value
		}
	}
	if l.ProbeEvery == 0 {
		l.ProbeEvery = time.Minute
	}
	if l.LoginDelay == 0 {
		l.LoginDelay = 5 * time.Second
	}
	return l
}
