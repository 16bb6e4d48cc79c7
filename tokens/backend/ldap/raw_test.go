package ldap

import (
	"io"
	"net"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// raw is a client that says whatever it is told to.
type raw struct{ net.Conn }

func (d *directory) raw(tb testing.TB) raw {
	tb.Helper()
	c, err := net.Dial("tcp", d.addr)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = c.Close() })
	require.NoError(tb, c.SetDeadline(time.Now().Add(20*time.Second)))
	return raw{c}
}

func (r raw) send(tb testing.TB, b []byte) {
	tb.Helper()
	_, err := r.Write(b)
	require.NoError(tb, err)
}

// expect reads an answer with this id, operation and result.
func (r raw) expect(tb testing.TB, id int64, op ber.Tag, want int) *ber.Packet {
	tb.Helper()
	p, err := ber.ReadPacket(r)
	require.NoError(tb, err)
	require.Equal(tb, id, p.Children[0].Value)
	require.Equal(tb, op, p.Children[1].Tag)
	assert.EqualValues(tb, want, p.Children[1].Children[0].Value)
	return p.Children[1]
}

// expectEnd reads to the end of the connection, which must come.
func (r raw) expectEnd(tb testing.TB) {
	tb.Helper()
	b, err := io.ReadAll(r)
	if err != nil { // what we sent and was not read makes it a reset
		require.ErrorContains(tb, err, "reset")
	}
	assert.Empty(tb, b)
}

// expectNotice reads a notice of disconnection and the end.
func (r raw) expectNotice(tb testing.TB, want int) {
	tb.Helper()
	op := r.expect(tb, 0, goldap.ApplicationExtendedResponse, want)
	assert.Equal(tb, noticeOfDisconnection, op.Children[3].Data.String())
	r.expectEnd(tb)
}

func message(id int64, op *ber.Packet, more ...*ber.Packet) []byte {
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	m.AppendChild(op)
	for _, p := range more {
		m.AppendChild(p)
	}
	return m.Bytes()
}

func application(tag ber.Tag, children ...*ber.Packet) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	for _, c := range children {
		op.AppendChild(c)
	}
	return op
}

func number(tag ber.Tag, n int64) *ber.Packet {
	return ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, tag, n, "")
}

func contextString(tag ber.Tag, s string) *ber.Packet {
	return ber.NewString(ber.ClassContext, ber.TypePrimitive, tag, s, "")
}

func bindOp(version int64, dn, password string) *ber.Packet {
	return application(goldap.ApplicationBindRequest, number(ber.TagInteger, version), octetString(dn), contextString(0, password))
}

func searchOp(filter *ber.Packet) *ber.Packet {
	return application(goldap.ApplicationSearchRequest, octetString(base), number(ber.TagEnumerated, 2), number(ber.TagEnumerated, 0),
		number(ber.TagInteger, 0), number(ber.TagInteger, 0), ber.NewLDAPBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, false, ""),
		filter, ber.NewSequence(""))
}

func compiled(tb testing.TB, filter string) *ber.Packet {
	tb.Helper()
	p, err := goldap.CompileFilter(filter)
	require.NoError(tb, err)
	return p
}
