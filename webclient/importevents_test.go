package webclient

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// events reads an event stream to its end.
type event struct{ name, id, data string }

func (u *user) events(id, after string) []event {
	u.w.t.Helper()
	r, err := http.NewRequestWithContext(u.w.t.Context(), "GET", u.w.url+"/api/v1/imports/"+id+"/events", nil)
	require.NoError(u.w.t, err)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	res, err := u.b.Client().Do(r)
	require.NoError(u.w.t, err)
	defer res.Body.Close()
	require.Equal(u.w.t, http.StatusOK, res.StatusCode)
	require.Contains(u.w.t, res.Header.Get("Content-Type"), "text/event-stream")
	var all []event
	var e event
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case lines.Text() == "" && e.name != "":
			all = append(all, e)
			e = event{}
		case name == "event":
			e.name = value
		case name == "id":
			e.id = value
		case name == "data":
			e.data = value
		}
	}
	require.NoError(u.w.t, lines.Err())
	return all
}

// Event streams beat while nothing happens, see what happens, and end with the Server.
func TestEventsWhileTheImportRuns(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	alice.get("/api/v1/follows")
	w.importer.change(func() { w.importer.down = true })
	id := startImport(t, alice, "k", alice.pick("bob"))
	open := func() (*bufio.Scanner, func()) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/api/v1/imports/"+id+"/events", nil)
		require.NoError(t, err)
		res, err := alice.b.Client().Do(r)
		require.NoError(t, err)
		return bufio.NewScanner(res.Body), func() { res.Body.Close() }
	}
	until := func(lines *bufio.Scanner, what string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), what) {
				return
			}
		}
		t.Fatalf("the stream ended without %q", what)
	}
	lines, done := open()
	defer done()
	until(lines, "still here")
	w.importer.change(func() { w.importer.down = false })
	until(lines, `"status":"added"`)
	until(lines, "event: end")

	w.importer.change(func() { w.importer.down = true })
	id = startImport(t, alice, "k2", alice.pick("carol"))
	lines, done = open()
	defer done()
	until(lines, "still here")
	w.stop()
	for lines.Scan() {
	}
	require.NoError(t, lines.Err(), "ended, not cut")
}

func TestTooManyEventStreams(t *testing.T) {
	var ls listeners
	var removes []func()
	for range maxListeners {
		_, remove, ok := ls.add("a")
		require.True(t, ok)
		removes = append(removes, remove)
	}
	_, _, ok := ls.add("a")
	assert.False(t, ok)
	poke, remove, ok := ls.add("b")
	require.True(t, ok)
	ls.poke("b")
	ls.poke("b")
	<-poke
	remove()
	for _, remove := range removes {
		remove()
	}
	assert.Empty(t, ls.by)
}
