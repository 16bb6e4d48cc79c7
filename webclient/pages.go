package webclient

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/trunkline-chat/trunkline/static"
)

// pages are the few documents of ours: made once, from constants and the
// configuration.
type pages struct {
	panel  []byte
	embed  []byte
	etag   string
	script string
	cfg    Config
	log    *slog.Logger
}

// No inline script or style: the policies allow none.
var (
	panelTemplate = template.Must(template.New("panel").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Chat</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{{.Style}}">
<script src="{{.Script}}" defer></script>
</head>
<body data-instance-origin="{{.InstanceOrigin}}" data-instance-name="{{.InstanceName}}" data-chat-origin="{{.ChatOrigin}}">
<noscript><p>The chat needs JavaScript.</p></noscript>
</body>
</html>
`))

	callbackTemplate = template.Must(template.New("callback").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<link rel="icon" href="data:,">
<script src="{{.Script}}" defer></script>
</head>
<body data-result="{{.Result}}"{{if .Failed}} data-message="{{.Message}}"{{end}}{{if .Handoff}} data-handoff="{{.Handoff}}"{{end}} data-chat-origin="{{.ChatOrigin}}">
<main>
<h1>{{.Title}}</h1>
<p>{{.Message}}</p>
<p>{{if .Again}}<a href="{{.Again}}">Sign in again</a> · {{end}}<a href="{{.Home}}">Back to {{.InstanceName}}</a></p>
</main>
</body>
</html>
`))
)

// callbackPage is the last page of a login popup. Its script posts the result to
// the panel that opened it; without an opener the words stay. Its status is 200
// whatever the result: proxies like to put pages of their own in place of others.
type callbackPage struct {
	Result  string // "ok" or a code
	Message string
	Handoff string
	Again   string // where to start again
}

func newPages(cfg Config) (*pages, error) {
	names := static.Manifest()
	for _, name := range []string{"panel.js", "panel.css", "callback.js"} {
		if names[name] == "" {
			return nil, fmt.Errorf("webclient: the built front end has no %s", name)
		}
	}
	var panel bytes.Buffer
	err := panelTemplate.Execute(&panel, map[string]string{
		"Style": "/assets/" + names["panel.css"], "Script": "/assets/" + names["panel.js"],
		"InstanceOrigin": cfg.InstanceURL, "InstanceName": cfg.InstanceName, "ChatOrigin": cfg.PublicURL,
	})
	if err != nil {
		return nil, fmt.Errorf("webclient: panel page: %w", err)
	}
	embed := static.EmbedJS(cfg.PublicURL)
	sum := sha256.Sum256(embed)
	return &pages{
		panel: panel.Bytes(), embed: embed, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
		script: "/assets/" + names["callback.js"], cfg: cfg, log: cfg.Log,
	}, nil
}

// showPanel is GET /panel.
func (s *Server) showPanel(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(s.pages.panel) // the browser went away: nobody is left to tell
	return nil
}

// showEmbed is GET /trunkline/embed.js, which the instance's proxy fetches. It
// reads and sets no cookie.
func (s *Server) showEmbed(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=300, stale-while-revalidate=86400, stale-if-error=86400")
	h.Set("ETag", s.pages.etag)
	http.ServeContent(w, r, "embed.js", time.Time{}, bytes.NewReader(s.pages.embed))
	return nil
}

// callback writes the last page of a login popup.
func (p *pages) callback(w http.ResponseWriter, page callbackPage) {
	title := "You are signed in"
	if page.Result != "ok" {
		title = "Signing in did not work"
	}
	var body bytes.Buffer
	err := callbackTemplate.Execute(&body, map[string]any{
		"Title": title, "Script": p.script, "Result": page.Result, "Message": page.Message, "Handoff": page.Handoff,
		"Failed": page.Result != "ok", "Again": page.Again, "Home": p.cfg.InstanceURL + "/",
		"InstanceName": p.cfg.InstanceName, "ChatOrigin": p.cfg.PublicURL,
	})
	if err != nil {
		p.log.Error("the callback page cannot be made", "error", err)
		http.Error(w, page.Message, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body.Bytes()) // the browser went away: nobody is left to tell
}
