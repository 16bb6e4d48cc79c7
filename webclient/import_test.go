package webclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// pick finds people among those the user was shown; a + asks for their presence.
func (u *user) pick(accts ...string) []importPerson {
	u.w.t.Helper()
	var people []importPerson
	for _, acct := range accts {
		name, subscribe := strings.CutSuffix(acct, "+")
		var id string
		err := u.w.db.QueryRow(`SELECT id FROM follows WHERE acct = $1 AND account_id =
			(SELECT account_id FROM logins WHERE id = $2)`, name, u.login()).Scan(&id)
		require.NoError(u.w.t, err, name)
		people = append(people, importPerson{ID: id, Subscribe: subscribe})
	}
	return people
}

func (u *user) postImport(key string, people []importPerson) answer {
	u.w.t.Helper()
	body, err := json.Marshal(importRequest{Key: key, People: people})
	require.NoError(u.w.t, err)
	return u.do("POST", "/api/v1/imports", string(body))
}

func startImport(t *testing.T, u *user, key string, people []importPerson) string {
	t.Helper()
	a := u.postImport(key, people)
	require.Equal(t, http.StatusAccepted, a.status, a.body)
	var out struct {
		ID    string
		Total int
	}
	a.json(t, &out)
	require.Equal(t, len(people), out.Total)
	return out.ID
}

func (u *user) showImport(id string) importJSON {
	u.w.t.Helper()
	var out importJSON
	u.get("/api/v1/imports/"+id).json(u.w.t, &out)
	return out
}

func (u *user) finished(id string) importJSON {
	u.w.t.Helper()
	u.w.eventually("the import finishes", func() bool { return u.showImport(id).Finished })
	return u.showImport(id)
}

func TestImport(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.in("alice")
		alice.get("/api/v1/follows")
		w.importer.change(func() {
			w.importer.roster["carol@social.example"] = 1
			w.importer.refuse["erin@chat.garden.example"] = true
		})
		people := alice.pick("bob+", "carol", "Dana", "erin@garden.example", "farid@photos.example")
		people = append(people, importPerson{ID: "999"})
		id := startImport(t, alice, "first", people)
		got := alice.finished(id)
		assert.Equal(t, 6, got.Done)
		assert.Equal(t, []importItemJSON{
			{people[0].ID, "bob@social.example", "Bob Lindqvist", "added", ""},
			{people[1].ID, "carol@social.example", "Carol Okafor", "already", ""},
			{people[2].ID, "dana@social.example", "Dana Petrov", "added", ""},
			{people[3].ID, "erin@chat.garden.example", "Erin Walsh", "failed", "The chat server refused this address."},
			{people[4].ID, "", "Farid Haddad :camera:", "skipped", reasonNoReach},
			{"999", "", "", "skipped", reasonUnknown},
		}, got.Items)
		assert.Equal(t, []string{"bob@social.example"}, w.importer.asked, "only where it was ticked")

		all := alice.events(id, "")
		require.Len(t, all, 7)
		for i, e := range all[:6] {
			var item itemEvent
			require.NoError(t, json.Unmarshal([]byte(e.data), &item))
			assert.Equal(t, i+1, item.Done)
			assert.Equal(t, 6, item.Total)
			assert.Equal(t, strconv.Itoa(i+1), e.id)
		}
		assert.Equal(t, event{"end", "", `{"added":2,"already":1,"failed":1,"skipped":2}`}, all[6])
		assert.Equal(t, all[4:], alice.events(id, "4"), "resumes after what the client has")
		assert.Equal(t, all[6:], alice.events(id, "6"))
		assert.Equal(t, all, alice.events(id, "nonsense"))
	})
}

func TestImportIsIdempotent(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	alice.get("/api/v1/follows")
	id := startImport(t, alice, "key", alice.pick("bob"))
	alice.finished(id)
	assert.Equal(t, id, startImport(t, alice, "key", alice.pick("carol")), "the key decides")
	other := startImport(t, alice, "key2", alice.pick("bob"))
	assert.NotEqual(t, id, other)
	assert.Equal(t, "already", alice.finished(other).Items[0].Status)
	assert.Equal(t, 1, w.importer.roster["bob@social.example"])
}

func TestImportIsPrivate(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice, bob := w.in("alice"), w.in("bob")
	alice.get("/api/v1/follows")
	people := alice.pick("bob", "news@press.example")
	id := startImport(t, alice, "key", people)
	assert.Equal(t, http.StatusNotFound, bob.get("/api/v1/imports/"+id).status)
	assert.Equal(t, http.StatusNotFound, bob.get("/api/v1/imports/"+id+"/events").status)
	// Bob was never shown these people: their ids alone get him nobody's address.
	own := startImport(t, bob, "key", people)
	assert.NotEqual(t, id, own)
	for _, item := range bob.finished(own).Items {
		assert.Equal(t, "skipped", item.Status)
		assert.Empty(t, item.JID)
	}
}

func TestImportOfOneselfAndOfTwins(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	alice.get("/api/v1/follows")
	_, err := w.db.Exec(`UPDATE follows SET jid = 'alice@social.example' WHERE acct = 'bob'`)
	require.NoError(t, err)
	_, err = w.db.Exec(`UPDATE follows SET jid = 'same@x.example' WHERE acct IN ('carol', 'Dana')`)
	require.NoError(t, err)
	items := alice.finished(startImport(t, alice, "k", alice.pick("bob", "carol", "Dana"))).Items
	assert.Equal(t, reasonSelf, items[0].Reason)
	assert.Equal(t, "added", items[1].Status)
	assert.Equal(t, reasonTwice, items[2].Reason)
}

func TestImportThatIsNotUnderstood(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	for _, body := range []string{`{}`, `{"key":"","people":[{"id":"1"}]}`, `{"key":"k","people":[]}`, `{"key":"k k","people":[{"id":"1"}]}`,
		`{"key":"k","people":[{"id":""}]}`, `{"key":"k","people":[{"id":"1"},{"id":"1"}]}`, `{"key":"k","people":"all"}`, `x`} {
		assert.Equal(t, "bad_request", alice.do("POST", "/api/v1/imports", body).code(), body)
	}
	big := make([]importPerson, maxImportPeople+1)
	for i := range big {
		big[i].ID = strconv.Itoa(i)
	}
	assert.Equal(t, "too_large", alice.postImport("k", big).code())
	assert.Equal(t, "too_large", alice.do("POST", "/api/v1/imports", strings.Repeat("x", 1<<20+1)).code())
	assert.Zero(t, w.count(`SELECT count(*) FROM imports`))
}

// reachable are all follows with a chat address.
func (u *user) reachable() (accts []string) {
	u.w.t.Helper()
	for cursor := ""; ; {
		page, _ := u.follows(cursor)
		for _, p := range page.People {
			if p.JID != nil {
				accts = append(accts, p.Acct)
			}
		}
		if page.Next == nil {
			return accts
		}
		cursor = *page.Next
	}
}

// A Server that dies in the middle goes on where it was after a restart.
func TestImportGoesOnAfterARestart(t *testing.T) {
	w := newWorld(t, mastodontest.Options{Follows: 300}, nil)
	alice := w.in("alice")
	people := alice.pick(alice.reachable()...)
	require.Greater(t, len(people), 190)

	reached := make(chan struct{})
	w.importer.step = func(n int) error {
		if n < 50 {
			return nil
		}
		if n == 50 {
			select {
			case <-reached:
			default:
				close(reached)
			}
		}
		return errors.New("gateway: killed")
	}
	id := startImport(t, alice, "big", people)
	<-reached
	w.stop()
	assert.False(t, alice.showImport(id).Finished)
	require.Equal(t, 50, alice.showImport(id).Done)
	var session sessionJSON
	alice.get("/api/v1/session").json(t, &session)
	require.NotNil(t, session.ActiveImport)
	assert.Equal(t, id, *session.ActiveImport)

	// The last one was added, but we died before we wrote it down.
	_, err := w.db.Exec(`UPDATE import_items SET status = 'pending', seq = NULL
		WHERE import_id = $1 AND seq = 50`, id)
	require.NoError(t, err)
	w.importer.change(func() { w.importer.step = nil })
	w.boot()
	got := alice.finished(id)
	assert.Equal(t, len(people), got.Done)
	for jid, n := range w.importer.roster {
		assert.Equal(t, 1, n, jid)
	}
	assert.Len(t, w.importer.roster, len(people))
	all := alice.events(id, "")
	require.Len(t, all, len(people)+1)
	for i, e := range all[:len(people)] {
		require.Equal(t, strconv.Itoa(i+1), e.id, "numbers have no gaps")
	}
	alice.get("/api/v1/session").json(t, &session)
	assert.Nil(t, session.ActiveImport)
}

func TestImportWaitsForTheXMPPServer(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	alice.get("/api/v1/follows")
	w.importer.change(func() { w.importer.down = true })
	id := startImport(t, alice, "k", alice.pick("bob"))
	w.eventually("tried more than once", func() bool {
		w.importer.mu.Lock()
		defer w.importer.mu.Unlock()
		return w.importer.calls > 3
	})
	assert.Equal(t, "pending", alice.showImport(id).Items[0].Status)
	w.importer.change(func() { w.importer.down = false })
	assert.Equal(t, "added", alice.finished(id).Items[0].Status)
}

func TestImportGivesUpAfterADay(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	alice.get("/api/v1/follows")
	w.importer.change(func() { w.importer.down = true })
	id := startImport(t, alice, "k", alice.pick("bob", "carol"))
	w.clock.advance(25 * time.Hour)
	got := alice.finished(id)
	assert.Equal(t, "failed", got.Items[1].Status)
	assert.Equal(t, reasonLate, got.Items[1].Reason)
}

func TestOneBadAddressDoesNotHoldUpTheRest(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	alice.get("/api/v1/follows")
	w.importer.change(func() {
		w.importer.breaks["bob@social.example"] = true
		w.importer.silent["carol@social.example"] = true
	})
	id := startImport(t, alice, "k", alice.pick("bob", "carol", "Dana", "erin@garden.example"))
	w.eventually("the others are added", func() bool {
		items := alice.showImport(id).Items
		return items[2].Status == "added" && items[3].Status == "added"
	})
	w.importer.change(func() { delete(w.importer.breaks, "bob@social.example") })
	got := alice.finished(id)
	assert.Equal(t, "added", got.Items[0].Status)
	assert.Equal(t, reasonNoReply, got.Items[1].Reason)
}

func TestImportOfSomebodySuspended(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	alice.get("/api/v1/follows")
	w.importer.change(func() { w.importer.down = true })
	id := startImport(t, alice, "k", alice.pick("bob"))
	w.instance.SetState("alice", mastodontest.Suspended)
	w.clock.advance(6 * time.Minute)
	alice.get("/api/v1/credentials")
	w.eventually("given up", func() bool {
		return w.count(`SELECT count(*) FROM import_items WHERE import_id = $1 AND reason = $2`, id, reasonNotIn) == 1
	})
}

func TestTooManyImports(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	alice.get("/api/v1/follows")
	w.importer.change(func() { w.importer.down = true })
	for i := range maxActiveImports {
		startImport(t, alice, fmt.Sprint(i), alice.pick("bob"))
	}
	a := alice.postImport("one more", alice.pick("bob"))
	assert.Equal(t, "bad_request", a.code())
	a = alice.postImport("one-more", alice.pick("bob"))
	assert.Equal(t, http.StatusTooManyRequests, a.status)
	assert.Equal(t, "imports_busy", a.code())
	startImport(t, alice, "0", alice.pick("bob"))
}

func TestContactName(t *testing.T) {
	for display, want := range map[string]string{
		"Alice": "Alice", "  Al\nice\t": "Al ice", "": "acct", "\u202e": "acct", strings.Repeat("ä", 200): strings.Repeat("ä", 100),
		"<b>x</b>": "<b>x</b>",
	} {
		assert.Equal(t, want, contactName(display, "acct"))
	}
}
