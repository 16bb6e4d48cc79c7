package integration

import (
	"bufio"
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rawPhone is a phone that says whatever it is told to, over UDP or TLS.
type rawPhone struct {
	t    *testing.T
	conn net.Conn
	via  string // its transport, as in Via
	seq  int
}

// sipReply is a final answer.
type sipReply struct {
	code   int
	header textproto.MIMEHeader
}

func newRawPhone(t *testing.T, addr string) *rawPhone {
	t.Helper()
	conn, err := net.Dial("udp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &rawPhone{t: t, conn: conn, via: "UDP"}
}

func newTLSPhone(t *testing.T, addr string, cfg *tls.Config) *rawPhone {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &rawPhone{t: t, conn: conn, via: "TLS"}
}

// request is a request with these headers beside the usual ones. to has its
// brackets and, within a dialog, its tag.
func (p *rawPhone) request(method, uri, from, to, callID string, headers ...string) string {
	p.seq++
	lines := append([]string{
		method + " " + uri + " SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/%s %s;branch=z9hG4bK%s%d", p.via, p.conn.LocalAddr(), callID, p.seq),
		"Max-Forwards: 70", "From: <" + from + ">;tag=raw", "To: " + to, "Call-ID: " + callID, fmt.Sprintf("CSeq: %d %s", p.seq, method),
		"Contact: <sip:raw@" + p.conn.LocalAddr().String() + ">",
	}, headers...)
	return strings.Join(append(lines, "Content-Length: 0", "", ""), "\r\n")
}

// send sends and waits for the final answer to the last request.
func (p *rawPhone) send(request string) sipReply {
	p.t.Helper()
	require.NoError(p.t, p.conn.SetDeadline(time.Now().Add(RawTimeout)))
	_, err := io.WriteString(p.conn, request)
	require.NoError(p.t, err)
	packet := make([]byte, 65536)
	for {
		n, err := p.conn.Read(packet)
		require.NoError(p.t, err)
		r := textproto.NewReader(bufio.NewReader(strings.NewReader(string(packet[:n]))))
		line, err := r.ReadLine()
		require.NoError(p.t, err)
		header, err := r.ReadMIMEHeader()
		require.NoError(p.t, err)
		words := strings.Fields(line)
		code, err := strconv.Atoi(words[1])
		require.NoError(p.t, err, line)
		if seq, _, _ := strings.Cut(header.Get("CSeq"), " "); code >= 200 && seq == strconv.Itoa(p.seq) {
			return sipReply{code, header}
		}
	}
}

var parameter = regexp.MustCompile(`(\w+)="?([^",]*)"?`)

// answer is the header that answers a challenge (RFC 7616 section 3.4).
func (r sipReply) answer(t *testing.T, method, uri, name, secret string) string {
	t.Helper()
	header, challenge := "Authorization", r.header.Get("WWW-Authenticate")
	if r.code == 407 {
		header, challenge = "Proxy-Authorization", r.header.Get("Proxy-Authenticate")
	}
	require.NotEmpty(t, challenge, "%d", r.code)
	words := map[string]string{}
	for _, m := range parameter.FindAllStringSubmatch(challenge, -1) {
		words[m[1]] = m[2]
	}
	require.Equal(t, "example.org", words["realm"])
	require.Equal(t, "auth", words["qop"])
	require.NotEmpty(t, words["nonce"])
	hash := func(s string) string { sum := md5.Sum([]byte(s)); return hex.EncodeToString(sum[:]) }
	algorithm := ""
	if words["algorithm"] == "SHA-256" {
		hash = func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) }
		algorithm = ", algorithm=SHA-256"
	} else {
		require.Contains(t, []string{"", "MD5"}, words["algorithm"])
	}
	response := hash(strings.Join([]string{hash(name + ":example.org:" + secret), words["nonce"], "00000001", "abc", "auth", hash(method + ":" + uri)}, ":"))
	return fmt.Sprintf(`%s: Digest username="%s", realm="example.org", nonce="%s", uri="%s", qop=auth, nc=00000001, cnonce="abc", response="%s"%s`,
		header, name, words["nonce"], uri, response, algorithm)
}
