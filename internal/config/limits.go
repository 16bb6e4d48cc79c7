package config

// Limits is the section [limits]. In the rates 0 is no limit.
type Limits struct {
	Streams           int64 `toml:"streams" default:"20000" doc:"Connections in all."`
	StreamsPerAddress int64 `toml:"streams_per_address" default:"100" doc:"Connections from one IPv4 address, or from one IPv6 network of /64. Raise it if many of your people share an address, such as a university's."`
	StreamsPerAccount int64 `toml:"streams_per_account" default:"20" doc:"Connections of one person: browser windows, at most."`

	HandshakesPerAddress int64 `toml:"handshakes_per_address" default:"20" doc:"Connections per second that one address may open. 0: as many as come."`
	LoginsPerAccount     int64 `toml:"logins_per_account" default:"2" doc:"Logins per second of one person, with the right password. 0: as many as come."`

	LoginTime  Duration `toml:"login_time" default:"'10s'" doc:"How long a connection may take until it is logged in."`
	LoginBytes int64    `toml:"login_bytes" default:"10000" doc:"How many bytes a connection may send until it is logged in; beyond that, 1,024 for what the WebSocket adds to them: headers of frames, pings."`
	LoginDelay Duration `toml:"login_delay" default:"'5s'" doc:"The longest that the answer to a wrong password is held back. It doubles with each wrong one; a right password is never held back. '0s': not at all."`

	StanzasPerStream  int64 `toml:"stanzas_per_stream" default:"50" doc:"Stanzas per second of one connection. Whoever is faster is read from later. 0: as many as come."`
	StanzasPerAccount int64 `toml:"stanzas_per_account" default:"100" doc:"Stanzas per second of all connections of one person."`
	StanzasPerAddress int64 `toml:"stanzas_per_address" default:"1000" doc:"Stanzas per second of all connections from one address."`
	BytesPerStream    int64 `toml:"bytes_per_stream" default:"131072" doc:"Bytes per second of one connection. Whoever is faster is read from later. 0: as many as come."`
	BytesPerAccount   int64 `toml:"bytes_per_account" default:"262144" doc:"Bytes per second of all connections of one person."`
	BytesPerAddress   int64 `toml:"bytes_per_address" default:"4194304" doc:"Bytes per second of all connections from one address."`

	Burst    Duration `toml:"burst" default:"'10s'" doc:"How much of each rate may be saved up: after that long without use, as much comes through at once as the rate gives in that time."`
	Patience Duration `toml:"patience" default:"'5s'" doc:"How long a stanza, a login or a new connection is held back for its rate before it is refused instead."`

	StanzaDepth      int64 `toml:"stanza_depth" default:"64" doc:"How deeply the elements of a stanza may nest. The largest size is xmpp.max_stanza_bytes."`
	StanzaAttributes int64 `toml:"stanza_attributes" default:"64" doc:"How many attributes one element of a stanza may have."`
}
