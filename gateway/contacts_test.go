package gateway_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// importer is one import and what was reported.
type importer struct {
	jids, names []string
	subscribe   []bool
	results     []string
}

func (s *stack) importContacts(name string, im *importer) error {
	s.t.Helper()
	username, secret, err := s.tokens.IssueInternal(s.t.Context(), "id-"+name)
	require.NoError(s.t, err)
	im.results = nil
	return s.gateway.AddContacts(s.t.Context(), username, secret, im.jids, im.names, im.subscribe, "Mastodon",
		func(i int, status, reason string) error {
			require.Equal(s.t, len(im.results), i)
			im.results = append(im.results, strings.TrimSpace(status+" "+reason))
			return nil
		})
}

func TestContactsAreAddedOnceAndAskedOnlyWhereTicked(t *testing.T) {
	onEachServer(t, testContactsAreAddedOnceAndAskedOnlyWhereTicked)
}

func testContactsAreAddedOnceAndAskedOnlyWhereTicked(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	bob, carol := s.observer("bob"), s.observer("carol")
	im := &importer{
		jids:      []string{"bob@" + domain, "carol@" + domain, "not an address@@", "alice@" + domain, "zo\u00eb@elsewhere.example", "bob@" + domain + "/phone"},
		names:     []string{"Bob & <co>", "", "x", "me", "Zo\u00eb", ""},
		subscribe: []bool{true, false, false, true, false, false},
	}
	require.NoError(t, s.importContacts("alice", im))
	require.Equal(t, []string{"added", "added", "failed this is not a chat address",
		"failed this is the person's own address", "added", "already"}, im.results)
	bob.Expect("the request that was ticked", func(e integration.Element) bool { return e.Attrs["type"] == "subscribe" })
	for _, e := range carol.Sync() {
		require.NotEqual(t, "presence", e.Name.Local, "nobody else is asked, and the import shows no presence: %s", e.XML)
	}

	alice := s.raw("alice")
	roster := alice.Query("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
	require.Equal(t, 3, strings.Count(roster.XML, "<group>Mastodon</group>"), roster.XML)
	require.True(t, (roster.Has("Bob &amp; &lt;co&gt;") || roster.Has("Bob &amp; &lt;co>")) && roster.Has("zo\u00eb@elsewhere.example"), roster.XML)
	// What the person changes stays.
	alice.Query("<iq type='set' id='rename'><query xmlns='jabber:iq:roster'><item jid='carol@" + domain + "' name='C.'><group>Work</group></item></query></iq>")

	require.NoError(t, s.importContacts("alice", im))
	require.Equal(t, []string{"already", "added", "failed this is not a chat address",
		"failed this is the person's own address", "already", "already"}, im.results)
	roster = alice.Query("<iq type='get' id='roster2'><query xmlns='jabber:iq:roster'/></iq>")
	require.True(t, roster.Has("name='C.'") && roster.Has("<group>Work</group>"), roster.XML)
	for _, e := range bob.Sync() {
		require.NotEqual(t, "subscribe", e.Attrs["type"], "asked twice: %s", e.XML)
	}
}

func TestTwoHundredContacts(t *testing.T) { onEachServer(t, testTwoHundredContacts) }

func testTwoHundredContacts(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	im := &importer{}
	for i := range 200 {
		im.jids = append(im.jids, "p"+strings.Repeat("x", i+1)+"@"+domain)
		im.names = append(im.names, "")
		im.subscribe = append(im.subscribe, false)
	}
	require.NoError(t, s.importContacts("alice", im))
	require.Len(t, im.results, 200)
	for _, r := range im.results {
		require.Equal(t, "added", r)
	}
}

func TestContactsThatCannotBeAdded(t *testing.T) { onEachServer(t, testContactsThatCannotBeAdded) }

func testContactsThatCannotBeAdded(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind, ownServer: true})
	add := func(secret string, report func(int, string, string) error) error {
		return s.gateway.AddContacts(t.Context(), "alice", secret, []string{"bob@" + domain, "carol@" + domain},
			[]string{"", ""}, []bool{false, false}, "Mastodon", report)
	}
	never := func(int, string, string) error { t.Error("reported"); return nil }
	require.ErrorContains(t, add("tli_wrong", never), "logging in")
	stop := errors.New("stop")
	_, secret, err := s.tokens.IssueInternal(t.Context(), "id-alice")
	require.NoError(t, err)
	require.ErrorIs(t, add(secret, func(int, string, string) error { return stop }), stop)
	require.Error(t, s.gateway.AddContacts(t.Context(), "alice", secret, []string{"a@b"}, nil, nil, "", never))

	_, secret, err = s.tokens.IssueInternal(t.Context(), "id-alice")
	require.NoError(t, err)
	require.ErrorContains(t, add(secret, func(i int, _, _ string) error {
		if i == 0 {
			s.server.Kill()
		}
		return nil
	}), "adding a contact")
	require.ErrorContains(t, add(secret, never), "connecting")
}
