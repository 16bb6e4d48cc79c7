package static_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trunkline-chat/trunkline/static"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func packedSize(t *testing.T, body []byte) int {
	t.Helper()
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	require.NoError(t, err)
	_, err = w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return buf.Len()
}

func TestManifestNamesWhatIsThere(t *testing.T) {
	names := static.Manifest()
	hashed := regexp.MustCompile(`^[a-z]+-[0-9a-f]{10}\.(js|css|txt)$`)
	for _, logical := range []string{"panel.js", "panel.css", "devices.js", "callback.js", "licences.txt"} {
		assert.Regexp(t, hashed, names[logical], logical)
	}
	assert.Equal(t, "embed.js", names["embed.js"])
	want := map[string]bool{"manifest.json": true}
	for _, name := range names {
		for _, suffix := range []string{"", ".gz", ".br"} {
			want[name+suffix] = true
		}
	}
	have := map[string]bool{}
	require.NoError(t, fs.WalkDir(static.Files(), ".", func(name string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			have[name] = true
		}
		return err
	}))
	assert.Equal(t, want, have, "dist holds the manifest's files and no stale ones")
}

// The budgets of the front end. A page that embeds the chat pays the first on every load, the second once, when the
// person opens it, and the third when they open "Apps & devices".
func TestSizeBudgets(t *testing.T) {
	names := static.Manifest()
	read := func(name string) []byte {
		body, err := fs.ReadFile(static.Files(), name)
		require.NoError(t, err)
		require.NotEmpty(t, body)
		return body
	}
	launcher := packedSize(t, static.EmbedJS("https://chat.some-rather-long-name.example.org"))
	panel := packedSize(t, read(names["panel.js"])) + packedSize(t, read(names["panel.css"]))
	devices := packedSize(t, read(names["devices.js"]))
	t.Logf("gzip: launcher %d B, panel %d B, devices %d B", launcher, panel, devices)
	assert.LessOrEqual(t, launcher, 3*1024, "launcher")
	assert.LessOrEqual(t, panel, 60*1024, "panel, script and style")
	assert.LessOrEqual(t, devices, 12*1024, "apps and devices, script and style")
}

// The panel asks for the page that it loads later by the name under which that is published.
func TestPanelKnowsTheNameOfWhatItLoadsLater(t *testing.T) {
	names := static.Manifest()
	panel, err := fs.ReadFile(static.Files(), names["panel.js"])
	require.NoError(t, err)
	assert.Contains(t, string(panel), `"./`+names["devices.js"]+`"`)
}

func TestCompressedFormsHoldTheSameBytes(t *testing.T) {
	for logical, name := range static.Manifest() {
		plain, err := fs.ReadFile(static.Files(), name)
		require.NoError(t, err)
		packed, err := fs.ReadFile(static.Files(), name+".gz")
		require.NoError(t, err)
		r, err := gzip.NewReader(bytes.NewReader(packed))
		require.NoError(t, err)
		unpacked, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Equal(t, plain, unpacked, logical)
		assert.True(t, r.ModTime.IsZero(), "%s: the header names no time", logical)
	}
}

func TestEmbedCarriesItsOrigin(t *testing.T) {
	body := string(static.EmbedJS("https://chat.example.org"))
	assert.Contains(t, body, `"https://chat.example.org"`)
	assert.NotContains(t, body, "__TRUNKLINE")

	hostile := string(static.EmbedJS(`https://x"</script><script>`))
	assert.NotContains(t, hostile, "</script>")
	assert.Contains(t, hostile, `"https://x\"\u003c/script\u003e\u003cscript\u003e"`)
}

func request(t *testing.T, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestHandlerServesImmutableFiles(t *testing.T) {
	target := "/assets/" + static.Manifest()["panel.js"]
	res := request(t, http.MethodGet, target)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, "text/javascript; charset=utf-8", res.Header.Get("Content-Type"))
	assert.Equal(t, "public, max-age=31536000, immutable", res.Header.Get("Cache-Control"))
	assert.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
	assert.Equal(t, "Accept-Encoding", res.Header.Get("Vary"))
	assert.Empty(t, res.Header.Get("Content-Encoding"))
	assert.Empty(t, res.Header.Values("Set-Cookie"))
	plain, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	want, err := fs.ReadFile(static.Files(), static.Manifest()["panel.js"])
	require.NoError(t, err)
	assert.Equal(t, want, plain)

	etag := res.Header.Get("ETag")
	require.NotEmpty(t, etag)
	assert.Equal(t, http.StatusNotModified, request(t, http.MethodGet, target, "If-None-Match", etag).StatusCode)

	br := request(t, http.MethodGet, target, "Accept-Encoding", "gzip, deflate, br, zstd", "If-None-Match", etag)
	assert.Equal(t, http.StatusOK, br.StatusCode, "another form is another representation")
	assert.Equal(t, "br", br.Header.Get("Content-Encoding"))

	head := request(t, http.MethodHead, target, "Accept-Encoding", "gzip")
	assert.Equal(t, "gzip", head.Header.Get("Content-Encoding"))
	body, err := io.ReadAll(head.Body)
	require.NoError(t, err)
	assert.Empty(t, body)
	assert.NotEqual(t, "0", head.Header.Get("Content-Length"))
}

func TestHandlerRefusesTheRest(t *testing.T) {
	panel := static.Manifest()["panel.js"]
	for _, target := range []string{
		"/assets/", "/assets/manifest.json", "/assets/embed.js", "/assets/panel.js", "/assets/" + panel + ".br",
		"/assets/../static.go", "/assets//" + panel, "/" + panel,
	} {
		assert.Equal(t, http.StatusNotFound, request(t, http.MethodGet, target).StatusCode, target)
	}
	res := request(t, http.MethodPost, "/assets/"+panel)
	assert.Equal(t, http.StatusMethodNotAllowed, res.StatusCode)
	assert.Equal(t, "GET, HEAD", res.Header.Get("Allow"))
}

func TestNegotiation(t *testing.T) {
	target := "/assets/" + static.Manifest()["panel.css"]
	for accept, want := range map[string]string{
		"":                         "",
		"gzip":                     "gzip",
		"GZIP":                     "gzip",
		"br;q=1.0, gzip;q=0.8":     "br",
		"br;q=0, gzip":             "gzip",
		"br; q=0 , gzip;q=0":       "",
		"*":                        "br",
		"*;q=0":                    "",
		"*;q=0.5, br;q=0":          "gzip",
		"identity":                 "",
		"br;q=7":                   "",
		"br;q=NaN, gzip":           "gzip",
		"deflate, zstd":            "",
		strings.Repeat("x,", 2000): "",
	} {
		assert.Equal(t, want, request(t, http.MethodGet, target, "Accept-Encoding", accept).Header.Get("Content-Encoding"), accept)
	}
}

func FuzzNegotiation(f *testing.F) {
	for _, seed := range []string{"", "br", "gzip;q=0.5,*;q=0", "br;q=,", ";;;", "q=1"} {
		f.Add(seed)
	}
	handler := static.Handler()
	target := "/assets/" + static.Manifest()["panel.css"]
	f.Fuzz(func(t *testing.T, accept string) {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.Header["Accept-Encoding"] = []string{accept}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		coding := w.Header().Get("Content-Encoding")
		if coding != "" && !strings.Contains(strings.ToLower(accept), coding) && !strings.Contains(accept, "*") {
			t.Fatalf("%q was answered with %q, which it never named", accept, coding)
		}
		if w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Fatalf("%q: %d with %d bytes", accept, w.Code, w.Body.Len())
		}
	})
}
