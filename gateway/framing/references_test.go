package framing_test

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// references are XML libraries that read what we read, in one process that lives as long as the test: Debian's python3 with
// its expat, and libxml2 through python3-lxml.
type references struct {
	in  io.WriteCloser
	out io.Reader
}

// startReferences starts them. It must not be called from the function that fuzzes.
func startReferences(tb testing.TB) *references {
	cmd := exec.Command("/usr/bin/python3", "testdata/references.py")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(tb, err)
	out, err := cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, cmd.Start())
	tb.Cleanup(func() {
		_ = in.Close()
		require.NoError(tb, cmd.Wait(), "python3 and python3-lxml are needed: see scripts/deps.sh")
	})
	return &references{in: in, out: out}
}

// reading is what one library made of a document; nil when it refused it.
type reading struct {
	Elements []oracleElement
	Text     string
}

// ask returns what each library makes of a document, by its name.
func (r *references) ask(t *testing.T, document []byte) map[string]*reading {
	t.Helper()
	_, err := r.in.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(document))), document...))
	require.NoError(t, err)
	var head [4]byte
	_, err = io.ReadFull(r.out, head[:])
	require.NoError(t, err)
	reply := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err = io.ReadFull(r.out, reply)
	require.NoError(t, err)
	var all map[string]*struct {
		Elements [][4]json.RawMessage
		Text     string
	}
	require.NoError(t, json.Unmarshal(reply, &all), "%s on %q", reply, document)
	readings := map[string]*reading{}
	for library, got := range all {
		readings[library] = nil
		if got == nil {
			continue
		}
		read := &reading{Text: got.Text}
		for _, raw := range got.Elements {
			read.Elements = append(read.Elements, decodeElement(t, raw))
		}
		readings[library] = read
	}
	require.Len(t, readings, 2)
	return readings
}

func decodeElement(t *testing.T, raw [4]json.RawMessage) (e oracleElement) {
	t.Helper()
	var attrs [][3]string
	for i, into := range []any{&e.depth, &e.name.Space, &e.name.Local, &attrs} {
		require.NoError(t, json.Unmarshal(raw[i], into))
	}
	for _, a := range attrs {
		e.attrs = append(e.attrs, framing.Attr{Name: framing.Name{Space: a[0], Local: a[1]}, Value: a[2]})
	}
	slices.SortFunc(e.attrs, compareAttrs)
	return e
}

func compareAttrs(a, b framing.Attr) int {
	return strings.Compare(a.Name.Space+"\x01"+a.Name.Local, b.Name.Space+"\x01"+b.Name.Local)
}

// tree lists our own reading of an element and what is in it.
func tree(e *framing.Element, depth int) (list []oracleElement) {
	o := oracleElement{name: e.Name, depth: depth, attrs: slices.Clone(e.Attrs)}
	slices.SortFunc(o.attrs, compareAttrs)
	list = append(list, o)
	for c := range e.Children() {
		list = append(list, tree(c, depth+1)...)
	}
	return list
}

// requireSameReading holds that every library reads a document as we do: the same elements with the same attributes.
func (r *references) requireSameReading(t *testing.T, document []byte, ours reading) {
	t.Helper()
	for library, theirs := range r.ask(t, document) {
		if theirs == nil && library == "expat" && hasWideName(ours.Elements) {
			continue // expat holds to an older edition of XML 1.0, with fewer letters
		}
		require.NotNil(t, theirs, "%s refuses what was accepted: %q", library, document)
		require.Equal(t, ours.Elements, theirs.Elements, "%s reads it differently: %q", library, document)
		require.Equal(t, ours.Text, theirs.Text, "%s reads its text differently: %q", library, document)
	}
}

// hasWideName reports whether a name holds characters beyond ASCII, which only servers may send.
func hasWideName(elements []oracleElement) bool {
	wide := func(s string) bool { return strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) }
	return slices.ContainsFunc(elements, func(e oracleElement) bool {
		return wide(e.name.Local) || slices.ContainsFunc(e.attrs, func(a framing.Attr) bool { return wide(a.Name.Local) })
	})
}
