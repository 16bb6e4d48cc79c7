// Package static holds the built front end: the panel, the script of the login popup's last page, and the launcher.
//
// The files in dist are made by "npm run build" from webclient/panel and are committed, so that building the binary
// needs no Node. Names of everything a page refers to carry a hash of the content and are served as immutable;
// the launcher keeps its name and gets the chat origin written into it. Nothing here changes after the program has
// started; all functions may be called from any goroutine. The maps and slices returned are the caller's own.
package static

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed dist
var files embed.FS

// originMark stands in the built launcher where the chat origin belongs, quotes included.
const originMark = `"__TRUNKLINE_CHAT_ORIGIN__"`

// Files is the built front end as a file system: manifest.json and what it names, each with a .gz and a .br beside it.
func Files() fs.FS {
	sub, err := fs.Sub(files, "dist")
	if err != nil {
		panic(fmt.Sprintf("static: embedded files: %v", err)) // cannot happen: the name is constant and valid
	}
	return sub
}

// Manifest maps the logical names "panel.js", "panel.css", "devices.js", "callback.js" and "embed.js" to the published
// file names. A page refers to "/assets/" + Manifest()["panel.js"]; the panel itself loads devices.js when it is wanted.
func Manifest() map[string]string {
	return maps.Clone(manifest())
}

var manifest = sync.OnceValue(func() map[string]string {
	raw, err := fs.ReadFile(Files(), "manifest.json")
	if err != nil {
		panic(fmt.Sprintf("static: embedded manifest: %v", err)) // the build is broken, and TestManifest says so
	}
	names := map[string]string{}
	if err := json.Unmarshal(raw, &names); err != nil {
		panic(fmt.Sprintf("static: embedded manifest: %v", err))
	}
	return names
})

// EmbedJS is the launcher for one chat origin, for example "https://chat.example.org": no path, no trailing slash.
func EmbedJS(chatOrigin string) []byte {
	source, err := fs.ReadFile(Files(), manifest()["embed.js"])
	if err != nil {
		panic(fmt.Sprintf("static: embedded launcher: %v", err)) // as above
	}
	quoted, err := json.Marshal(chatOrigin) // escapes <, > and & as well: the result is a safe script string
	if err != nil {
		panic(fmt.Sprintf("static: chat origin: %v", err)) // cannot happen: a string always encodes
	}
	return bytes.ReplaceAll(source, []byte(originMark), quoted)
}

// asset is one published file in the forms it may be asked for.
type asset struct {
	contentType string
	etag        string
	forms       map[string][]byte // by content coding: "identity", "gzip", "br"
}

// contentTypes are the only kinds of file that are served.
var contentTypes = map[string]string{
	".js":  "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".txt": "text/plain; charset=utf-8",
}

// published reads every file with a hashed name once. The launcher is left out: it is incomplete without its origin.
var published = sync.OnceValue(func() map[string]asset {
	out := map[string]asset{}
	for logical, name := range manifest() {
		if logical == "embed.js" {
			continue
		}
		a := asset{contentType: contentTypes[path.Ext(name)], etag: strconv.Quote(name), forms: map[string][]byte{}}
		for coding, suffix := range map[string]string{"identity": "", "gzip": ".gz", "br": ".br"} {
			body, err := fs.ReadFile(Files(), name+suffix)
			if err != nil {
				panic(fmt.Sprintf("static: embedded asset: %v", err)) // as above
			}
			a.forms[coding] = body
		}
		out[name] = a
	}
	return out
})

// Handler serves the published files under "/assets/", each in the smallest form the browser takes, for a year.
// Any other name is 404, any method but GET and HEAD 405.
func Handler() http.Handler {
	assets := published()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := strings.CutPrefix(r.URL.Path, "/assets/")
		a, known := assets[name]
		switch {
		case !ok || !known:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		default:
			a.serve(w, r)
		}
	})
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	coding := negotiate(strings.Join(r.Header.Values("Accept-Encoding"), ","))
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept-Encoding")
	etag := a.etag
	if coding != "identity" {
		h.Set("Content-Encoding", coding)
		etag = strings.TrimSuffix(etag, `"`) + "-" + coding + `"`
	}
	h.Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := a.forms[coding]
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the browser went away: nobody is left to tell
	}
}

// negotiate picks "br", "gzip" or "identity" for an Accept-Encoding value (RFC 9110 section 12.5.3). It prefers the
// smaller form among those not refused, whatever weights the browser gave them, and never fails: plain bytes are
// sent even to a client that refuses them, as the RFC advises for a lack of anything better.
func negotiate(accept string) string {
	weights := map[string]float64{}
	for part := range strings.SplitSeq(accept, ",") {
		coding, params, _ := strings.Cut(part, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(params)), "q="); ok {
			parsed, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
			if err != nil || !(parsed >= 0 && parsed <= 1) {
				continue // malformed: as if it had not been offered
			}
			weight = parsed
		}
		if coding != "" {
			weights[coding] = weight
		}
	}
	for _, coding := range []string{"br", "gzip"} {
		weight, named := weights[coding]
		if !named {
			weight = weights["*"]
		}
		if weight > 0 {
			return coding
		}
	}
	return "identity"
}
