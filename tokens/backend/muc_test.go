package backend

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"mellium.im/xmpp/jid"
)

// circle is a Membership: alice, bob, carol and dana; dana is suspended.
type circle struct {
	follows    map[string]bool // "who whom"
	lists      map[string]bool // "id owner who"
	moderators map[string]bool
	trouble    map[string]bool // the methods that fail
	free       chan struct{}   // where there is one, answers wait for it, whatever the context says
}

var errMastodon = errors.New("the instance is away")

func (c *circle) can(ctx context.Context, method string) error {
	if c.free != nil {
		<-c.free
	}
	if _, limited := ctx.Deadline(); !limited {
		return errors.New("a question without a deadline")
	}
	if c.trouble[method] {
		return errMastodon
	}
	return nil
}

func (c *circle) Local(ctx context.Context, username string) (bool, error) {
	return strings.Contains(" alice bob carol ", " "+username+" "), c.can(ctx, "Local")
}

func (c *circle) Follows(ctx context.Context, who, whom string) (bool, error) {
	return c.follows[who+" "+whom], c.can(ctx, "Follows")
}

func (c *circle) InList(ctx context.Context, list, owner, username string) (bool, error) {
	return c.lists[list+" "+owner+" "+username], c.can(ctx, "InList")
}

func (c *circle) Moderator(ctx context.Context, username string) (bool, error) {
	return c.moderators[username], c.can(ctx, "Moderator")
}

func newCircle() *circle {
	return &circle{
		follows: map[string]bool{"bob alice": true, "alice bob": true, "carol alice": true, "dana alice": true,
			"bob news@press.example": true},
		lists:      map[string]bool{"42 alice bob": true, "43 alice carol": true, "42 carol alice": true},
		moderators: map[string]bool{"carol": true, "dana": true},
		trouble:    map[string]bool{},
	}
}

func rooms() []Room {
	return []Room{
		{JID: "tea@rooms.pp.test", Allow: []string{"followers:alice"}},
		{JID: "friends@rooms.pp.test", Allow: []string{"mutuals:alice"}},
		{JID: "book@rooms.pp.test", Allow: []string{"list:42@alice"}},
		{JID: "staff@rooms.pp.test", Allow: []string{"moderators"}},
		{JID: "duo@rooms.pp.test", Allow: []string{"account:alice", "account:bob@other.example"}},
		{JID: "news@rooms.pp.test", Allow: []string{"followers:news@press.example"}},
		{JID: "mixed@rooms.pp.test", Allow: []string{"list:42@alice", "moderators", "account:alice"}},
		{JID: "nobody@rooms.pp.test"},
		{JID: "*@open.pp.test", Allow: []string{"local"}},
	}
}

func mucOf(t *testing.T, tb *table, c *circle) http.Handler {
	t.Helper()
	h, err := MUC(tb.core(t, "pp.test"), rooms(), c, []byte("muc-shared-secret"))
	require.NoError(t, err)
	return h
}

// joinRequest is what Prosody 0.12.3 with mod_muc_http_auth was seen to send.
func joinRequest(query string) string {
	return lines("", "GET /muc/authorize?"+query+" HTTP/1.1", "Authorization: Bearer muc-shared-secret",
		"Host: 127.0.0.1:18080", "User-Agent: Prosody XMPP Server")
}

func joining(person, room string) string {
	return joinRequest("userJID=" + url.QueryEscape(person) + "&mucJID=" + url.QueryEscape(room) + "&nickname=Alice%20%26%20co")
}

// read is what the module makes of an answer: the body alone counts, and what is no
// JSON object is a no.
func read(t *testing.T, w *httptest.ResponseRecorder) (allowed bool, why string) {
	t.Helper()
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var body map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body), w.Body.String())
	allowed, ok := body["allowed"].(bool)
	require.True(t, ok, w.Body.String())
	why, _ = body["error"].(string)
	require.NotEqual(t, allowed, why != "", "a yes beside an error, or a no without one")
	require.True(t, !allowed || w.Code == http.StatusOK)
	return allowed, why
}

func TestMUCGoldenRequest(t *testing.T) {
	tb := &table{}
	h := mucOf(t, tb, newCircle())
	const seen = "userJID=bob%40pp.test&mucJID=tea%40rooms.pp.test&nickname=Alice%20%26%20co"
	answer := overTCP(t, h, joinRequest(seen))
	require.True(t, strings.HasPrefix(answer, "HTTP/1.1 200 OK\r\n"), answer)
	require.True(t, strings.HasSuffix(answer, "\r\n\r\n{\"allowed\":true}\n"), answer)
	require.Equal(t, Event{Front: "muc", Caller: "127.0.0.1", Op: "join", Username: "bob", Outcome: "yes",
		Reason: "tea@rooms.pp.test: followers:alice"}, tb.last())
	allowed, why := read(t, wire(t, h, joinRequest(strings.Replace(seen, "bob", "alice", 1))))
	require.False(t, allowed, "she does not follow herself")
	require.Contains(t, why, "rules of this room")
	require.Equal(t, Event{Front: "muc", Caller: "127.0.0.1", Op: "join", Username: "alice", Outcome: "no",
		Reason: "tea@rooms.pp.test: not_named"}, tb.last())
}

func TestMUCRules(t *testing.T) {
	h := mucOf(t, &table{}, newCircle())
	in := map[string]string{
		"tea": "bob carol", "friends": "bob", "book": "bob", "staff": "carol", "duo": "alice bob@other.example", "news": "bob",
		"mixed": "alice bob carol", "nobody": "", "unknown": "",
	}
	everybody := []string{"alice", "bob", "carol", "dana", "erin", "bob@other.example", "alice@other.example", "alice@rooms.pp.test"}
	for room, who := range in {
		for _, person := range everybody {
			address := person
			if !strings.Contains(address, "@") {
				address += "@pp.test"
			}
			allowed, _ := read(t, wire(t, h, joining(address, room+"@rooms.pp.test")))
			require.Equal(t, strings.Contains(" "+who+" ", " "+person+" "), allowed, "%s in %s", person, room)
		}
	}
	for person, want := range map[string]bool{"alice@pp.test": true, "ALICE@PP.test": true, "alice@pp.test/phone": true,
		"dana@pp.test": false, "erin@pp.test": false, "bob@other.example": false} {
		allowed, _ := read(t, wire(t, h, joining(person, "whatever@open.pp.test")))
		require.Equal(t, want, allowed, person)
	}
	allowed, _ := read(t, wire(t, h, joining("alice@pp.test", "duo@elsewhere.test")))
	require.False(t, allowed)
	allowed, _ = read(t, wire(t, h, joining("alice@pp.test", "DUO@Rooms.pp.test")))
	require.True(t, allowed)
}

func TestMUCRefusals(t *testing.T) {
	const good = "userJID=bob%40pp.test&mucJID=tea%40rooms.pp.test&nickname=x"
	with := func(authorization string) string {
		return lines("", "GET /muc/authorize?"+good+" HTTP/1.1", "Host: x", "Authorization: "+authorization)
	}
	for name, row := range map[string]struct {
		raw    string
		status int
	}{
		"no header":        {lines("", "GET /muc/authorize?"+good+" HTTP/1.1", "Host: x"), 401},
		"wrong secret":     {with("Bearer muc-shared-secreT"), 401},
		"longer":           {with("Bearer muc-shared-secret2"), 401},
		"another scheme":   {with("Basic muc-shared-secret"), 401},
		"no scheme":        {with("muc-shared-secret"), 401},
		"POST":             {strings.Replace(joinRequest(good), "GET", "POST", 1), 405},
		"no query":         {joinRequest(""), 400},
		"no person":        {joinRequest("mucJID=tea%40rooms.pp.test"), 400},
		"no room":          {joinRequest("userJID=bob%40pp.test"), 400},
		"a server":         {joinRequest("userJID=pp.test&mucJID=tea%40rooms.pp.test"), 400},
		"a service":        {joinRequest("userJID=bob%40pp.test&mucJID=rooms.pp.test"), 400},
		"two people":       {joinRequest(good + "&userJID=carol%40pp.test"), 400},
		"two rooms":        {joinRequest(good + "&mucJID=nobody%40rooms.pp.test"), 400},
		"no address":       {joinRequest("userJID=bob%40&mucJID=tea%40rooms.pp.test"), 400},
		"no UTF-8":         {joinRequest("userJID=bob%ff%40pp.test&mucJID=tea%40rooms.pp.test"), 400},
		"no encoding":      {joinRequest(good + "%zz"), 400},
		"long":             {joinRequest(good + strings.Repeat("x", maxForm)), 400},
		"no such person":   {joining("erin@pp.test", "tea@rooms.pp.test"), 200},
		"no rule":          {joining("bob@pp.test", "unknown@rooms.pp.test"), 200},
		"another server's": {joining("bob@other.example", "tea@rooms.pp.test"), 200},
	} {
		t.Run(name, func(t *testing.T) {
			tb := &table{}
			w := wire(t, mucOf(t, tb, newCircle()), row.raw)
			require.Equal(t, row.status, w.Code)
			allowed, _ := read(t, w)
			require.False(t, allowed)
			require.Equal(t, row.status == 200, tb.last().Outcome == "no")
			require.NotContains(t, tb.logged(), "muc-shared")
		})
	}
}

// What Mastodon does not say lets nobody in, and keeps nobody out whom something
// else lets in.
func TestMUCCannotTell(t *testing.T) {
	for _, row := range []struct {
		trouble, person, room string
		allowed               bool
	}{
		{"Local", "bob", "tea", false}, {"Local", "alice", "duo", false}, {"Follows", "bob", "tea", false}, {"Follows", "bob", "friends", false},
		{"InList", "bob", "book", false}, {"Moderator", "carol", "staff", false},
		{"InList", "carol", "mixed", true}, {"InList", "alice", "mixed", true}, {"Moderator", "bob", "mixed", true},
		{"Moderator", "alice", "mixed", true}, {"InList", "bob", "mixed", false}, {"Moderator", "carol", "mixed", false},
	} {
		tb, c := &table{}, newCircle()
		c.trouble[row.trouble] = true
		allowed, why := read(t, wire(t, mucOf(t, tb, c), joining(row.person+"@pp.test", row.room+"@rooms.pp.test")))
		require.Equal(t, row.allowed, allowed, "%+v", row)
		if row.allowed {
			continue
		}
		require.Contains(t, why, "cannot be told")
		require.Equal(t, "unknown", tb.last().Outcome)
		require.Equal(t, row.room+"@rooms.pp.test: trouble", tb.last().Reason)
		require.Contains(t, tb.logged(), "the instance is away")
	}
}

// Prosody waits 14 minutes: we must not.
func TestMUCAnswersInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb, c := &table{}, newCircle()
		c.free = make(chan struct{})
		h := mucOf(t, tb, c)
		began := time.Now()
		allowed, _ := read(t, wire(t, h, joining("alice@pp.test", "duo@rooms.pp.test")))
		require.False(t, allowed)
		require.Equal(t, thinkTime, time.Since(began))
		require.Equal(t, "duo@rooms.pp.test: late", tb.last().Reason)
		close(c.free)
	})
}

// Rooms that Mastodon keeps waiting keep no login waiting.
func TestMUCHasItsOwnLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb, c := &table{passwords: map[string]string{"alice": "x"}}, newCircle()
		c.free = make(chan struct{})
		core := tb.core(t, "pp.test")
		h, err := MUC(core, rooms(), c, []byte("muc-shared-secret"))
		require.NoError(t, err)
		for range joinsWaiting {
			go func() { _, _ = read(t, wire(t, h, joining("bob@pp.test", "tea@rooms.pp.test"))) }()
		}
		synctest.Wait()
		allowed, _ := read(t, wire(t, h, joining("bob@pp.test", "tea@rooms.pp.test")))
		require.False(t, allowed)
		require.Equal(t, "tea@rooms.pp.test: busy", tb.last().Reason)
		began := time.Now()
		require.Equal(t, Yes, core.Auth(t.Context(), Question{Front: "test", User: "alice", Secret: "x"}).Answer)
		require.Zero(t, time.Since(began))
		close(c.free)
		synctest.Wait()
	})
}

// A domain may be written in two ways; addresses have one.
func TestMUCInternationalDomain(t *testing.T) {
	for _, domain := range []string{"xn--bcher-kva.example", "bücher.example", "BÜCHER.example"} {
		tb := &table{}
		h, err := MUC(tb.core(t, domain), []Room{{JID: "tea@rooms.xn--bcher-kva.example", Allow: []string{"account:alice"}}},
			newCircle(), []byte("muc-shared-secret"))
		require.NoError(t, err)
		for _, address := range []string{"alice@bücher.example", "alice@xn--bcher-kva.example"} {
			allowed, _ := read(t, wire(t, h, joining(address, "tea@rooms.bücher.example")))
			require.True(t, allowed, "%s at %s", address, domain)
			require.Equal(t, "alice", tb.last().Username)
		}
		allowed, _ := read(t, wire(t, h, joining("alice@bucher.example", "tea@rooms.bücher.example")))
		require.False(t, allowed)
		require.Equal(t, "alice@bucher.example", tb.last().Username)
	}
}

func TestMUCConfiguration(t *testing.T) {
	core := (&table{}).core(t, "pp.test")
	_, err := MUC(core, []Room{{JID: "tea@r.example", Allow: []string{"everybody"}}}, newCircle(), []byte("x"))
	require.ErrorContains(t, err, `room "tea@r.example": "everybody" is none of`)
	_, err = MUC(core, nil, newCircle(), nil)
	require.Error(t, err)
	_, err = MUC(core, nil, nil, []byte("x"))
	require.Error(t, err)
	h, err := MUC(core, nil, newCircle(), []byte("muc-shared-secret"))
	require.NoError(t, err)
	allowed, _ := read(t, wire(t, h, joining("alice@pp.test", "tea@rooms.pp.test")))
	require.False(t, allowed, "without a rule nobody joins")
}

// FuzzJoin: what parses is about one person and one room, in their normal form; and
// whatever is asked, the answer is JSON that lets in nobody but alice.
func FuzzJoin(f *testing.F) {
	f.Add("userJID=alice%40pp.test&mucJID=duo%40rooms.pp.test&nickname=x")
	f.Add("userJID=alice%40pp.test&mucJID=duo%40rooms.pp.test&userJID=x")
	f.Add("userJID=%ef%ac%81%40pp.test/x&mucJID=*%40rooms.pp.test")
	f.Add("userJID=alice%40other.example&mucJID=duo%40rooms.pp.test")
	core, err := NewCore(CoreConfig{Verifier: &table{}, Domain: "pp.test"})
	require.NoError(f, err)
	h, err := MUC(core, []Room{{JID: "duo@rooms.pp.test", Allow: []string{"account:alice"}}}, newCircle(), []byte("muc-shared-secret"))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, raw string) {
		r := httptest.NewRequest(http.MethodGet, "/muc/authorize", nil)
		r.URL.RawQuery = raw
		r.Header.Set("Authorization", "Bearer muc-shared-secret")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		allowed, _ := read(t, w)
		q, err := parseJoin(raw)
		if err != nil {
			require.False(t, allowed)
			require.NotContains(t, err.Error(), "%")
			return
		}
		for _, address := range []jid.JID{q.person, q.room} {
			again, err := jid.Parse(address.String())
			require.NoError(t, err)
			require.True(t, again.Equal(address) && address.Resourcepart() == "" && address.Localpart() != "")
		}
		require.Equal(t, q.person.String() == "alice@pp.test" && q.room.String() == "duo@rooms.pp.test", allowed)
	})
}
