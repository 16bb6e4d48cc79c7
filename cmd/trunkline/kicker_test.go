package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
	"github.com/trunkline-chat/trunkline/tokens"
	"github.com/trunkline-chat/trunkline/tokens/kick"
)

func kicked(e integration.Element) bool { return e.Name.Local == "error" && e.Has("was revoked") }

func TestRevokingADeviceEndsItsSessionAtEjabberd(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	id, lost := s.device("alice")
	_, kept := s.device("alice")
	spare := func(username string) []string {
		assert.Equal(t, "alice", username)
		return []string{"panel"}
	}
	s.startKicker(spare, io.Discard)
	thief := integration.Connect(t, s.ej, "alice", lost, "thief")
	phone := integration.Connect(t, s.ej, "alice", kept, "phone")
	panel := integration.Connect(t, s.ej, "alice", s.temporary("alice"), "panel")
	_, bobs := s.device("bob")
	bob := integration.Connect(t, s.ej, "bob", bobs, "phone")

	s.revoke("alice", id)
	thief.Expect("the end", kicked)
	phone.Expect("the end", kicked) // ejabberd does not know which password it has
	panel.Sync()
	bob.Sync()
	require.Equal(t, refused, s.login("alice", lost))
	integration.Connect(t, s.ej, "alice", kept, "phone")
}

// A session that sleeps (XEP-0198) would otherwise come back with another
// password of the same person, and one that is kicked must not.
func TestRevokingADeviceEndsASleepingSession(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	id, lost := s.device("alice")
	_, kept := s.device("alice")
	witness := integration.Connect(t, s.ej, "alice", kept, "witness")
	thief := integration.Connect(t, s.ej, "alice", lost, "thief")
	thief.Say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	enabled := thief.Expect("stream management", func(e integration.Element) bool { return e.Name.Local == "enabled" })
	require.NoError(t, thief.Close())
	s.startKicker(nil, io.Discard)
	s.revoke("alice", id)
	witness.Expect("the end", kicked) // all sessions are ended in one go

	again := integration.Connect(t, s.ej, "alice", kept, "other")
	again.Say("<presence/>")
	again.Sync()
	raw, err := integration.Dial(t.Context(), s.ej.Addr(), ejDomain)
	require.NoError(t, err)
	defer raw.Close()
	require.NoError(t, raw.Login(t.Context(), "alice", kept))
	require.Eventually(t, func() bool {
		require.NoError(t, raw.Send(t.Context(), fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' h='0' previd='%s'/>", enabled.Attrs["id"])))
		answer, err := raw.Await(t.Context(), func(e integration.Element) bool { return e.Name.Space == "urn:xmpp:sm:3" })
		require.NoError(t, err)
		return answer.Name.Local == "failed"
	}, integration.RawTimeout, 50*time.Millisecond)
}

func TestEndingAnAccountEndsAllItsSessions(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	_, password := s.device("alice")
	s.startKicker(nil, io.Discard)
	phone := integration.Connect(t, s.ej, "alice", password, "phone")
	require.NoError(t, s.tokens.EndAccount(t.Context(), "id-alice", "Your account was revoked."))
	phone.Expect("the end", kicked)
}

// What was revoked while ejabberd could not be reached is not forgotten.
func TestKicksWaitForEjabberd(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	id, lost := s.device("alice")
	log := &lines{told: make(chan struct{})}
	thief := integration.Connect(t, s.ej, "alice", lost, "thief")
	s.startKicker(nil, log)
	require.NoError(t, s.ej.Pause())
	s.revoke("alice", id)
	<-log.told // the first try has failed
	require.NoError(t, s.ej.Continue())
	thief.Expect("the end", kicked)
}

// lines closes told with the first line.
type lines struct {
	once sync.Once
	told chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.once.Do(func() { close(l.told) })
	return len(p), nil
}

// Somebody who has shown the password and not begun a session yet is not seen by
// the first look.
func TestSessionsThatBeginAfterTheKickAreFound(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	id, lost := s.device("alice")
	_, kept := s.device("alice")
	phone := integration.Connect(t, s.ej, "alice", kept, "phone")
	raw, err := integration.Dial(t.Context(), s.ej.Addr(), ejDomain)
	require.NoError(t, err)
	defer raw.Close()
	require.NoError(t, raw.Login(t.Context(), "alice", lost))
	s.startKicker(nil, io.Discard, func(k *kicker) { k.again = 2 * kickEvery })
	s.revoke("alice", id)
	phone.Expect("the end", kicked)
	require.NoError(t, raw.Bind(t.Context(), "thief"))
	_, err = raw.Await(t.Context(), kicked)
	require.NoError(t, err)
}

// The second look comes after the time for which ejabberd lets somebody wait
// between the password and the session.
func TestSecondLookComesAfterEjabberdsPatience(t *testing.T) {
	text, err := os.ReadFile("../../contrib/ejabberd/ejabberd.yml")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "\nnegotiation_timeout: ")
	require.True(t, found)
	value, _, _ := strings.Cut(rest, "\n")
	patience, err := time.ParseDuration(strings.ReplaceAll(value, " ", ""))
	require.NoError(t, err)
	require.Less(t, patience+kickEvery, kickAgain)
}

// book is a feed of revocations and a record of kicks.
type book struct {
	devices map[string]string // id to service

	mu      sync.Mutex
	entries []tokens.Revocation
	cursors map[string]int64 // by name of who follows
	kicks   []string
	fail    error
}

func (b *book) ClaimFeed(_ context.Context, name string, f func(tokens.Revocation) error) error {
	b.mu.Lock()
	if b.cursors == nil {
		b.cursors = map[string]int64{}
	}
	if _, begun := b.cursors[name]; !begun {
		b.cursors[name] = int64(len(b.entries))
	}
	b.mu.Unlock()
	for {
		b.mu.Lock()
		cursor, all := b.cursors[name], b.entries
		b.mu.Unlock()
		if cursor == int64(len(all)) {
			return nil
		}
		if err := f(all[cursor]); err != nil {
			return err
		}
		b.mu.Lock()
		b.cursors[name]++
		b.mu.Unlock()
	}
}

func (b *book) Feed(_ context.Context, after int64, limit int) ([]tokens.Revocation, int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	end := int64(len(b.entries))
	if after < 0 {
		return nil, end, nil
	}
	last := min(end, after+int64(limit))
	return slices.Clone(b.entries[after:last]), last, nil
}

func (b *book) FindDevice(_ context.Context, id string) (string, tokens.Device, bool, error) {
	service, found := b.devices[id]
	return "", tokens.Device{Service: service}, found, nil
}

func (b *book) add(kind, subject, username, purpose string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, tokens.Revocation{
		Seq: int64(len(b.entries) + 1), Kind: kind, Subject: subject, Username: username, Purpose: purpose, At: time.Now(),
	})
}

func (b *book) kick(_ context.Context, username, _ string, _ []string) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return 0, b.fail
	}
	b.kicks = append(b.kicks, username)
	return 1, nil
}

// people are those who were kicked.
func people(b *book) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.kicks)
}

// place is how far the feed was followed.
func place(b *book) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cursors[firstLook]
}

// failing makes kicks fail with this error, or work again.
func (b *book) failing(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// follow runs a kicker over the book for some time.
func (b *book) follow(t *testing.T, f func()) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { b.run(t, f) })
}

// run is follow within a bubble.
func (b *book) run(t *testing.T, f func()) {
	t.Helper()
	k := &kicker{feed: b, kick: b.kick, again: kickAgain, log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	synctest.Wait()
	f()
	cancel()
	require.NoError(t, <-done)
}

// pass lets this time go by, with all that happens in it.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestWhoIsKickedForWhat(t *testing.T) {
	b := &book{devices: map[string]string{"x": tokens.ServiceXMPP, "s": tokens.ServiceSIP}}
	b.follow(t, func() {
		b.add("credential", "x", "xenia", "device")
		b.add("credential", "gone", "gina", "device") // deleted meanwhile: better once too often
		b.add("credential", "s", "sid", "device")
		b.add("credential", "t", "tom", "temporary")
		b.add("session", "q", "quinn", "")
		b.add("account", "a", "anna", "")
		b.add("account", "n", "", "")
		pass(2 * kickEvery)
		require.Equal(t, []string{"xenia", "gina", "anna"}, people(b))
		pass(kickAgain)
		require.Equal(t, []string{"xenia", "gina", "anna", "xenia", "gina", "anna"}, people(b))
		pass(4 * kickAgain)
		require.Len(t, people(b), 6, "and not again")
	})
}

func TestManyRevocationsAtOnceAreOneKick(t *testing.T) {
	b := &book{devices: map[string]string{"x": tokens.ServiceXMPP}}
	b.follow(t, func() {
		for range 20 {
			b.add("credential", "x", "xenia", "device")
		}
		pass(2 * kickEvery)
		require.Len(t, people(b), 1)
		b.add("credential", "x", "xenia", "device")
		pass(2 * kickEvery)
		require.Len(t, people(b), 2, "a later one is a kick of its own")
		pass(2 * kickAgain)
		require.Len(t, people(b), 3, "one second look for both")
	})
}

func TestKicksThatFailAreTriedAgainAndHopelessOnesAreNot(t *testing.T) {
	b := &book{devices: map[string]string{"x": tokens.ServiceXMPP}, fail: errors.New("away")}
	b.follow(t, func() {
		b.add("credential", "x", "xenia", "device")
		pass(time.Minute)
		require.Zero(t, place(b))
		b.failing(nil)
		pass(kickRetry + kickEvery)
		require.Len(t, people(b), 1, "it came late enough for both looks")
		b.failing(kick.ErrRefused)
		b.add("credential", "x", "odd\x00name", "device")
		b.add("credential", "x", "yann", "device")
		pass(2 * kickEvery)
		require.EqualValues(t, 3, place(b), "one that is refused holds nobody up")
	})
}

// Whoever has shown the password before it was revoked can begin the session
// while Trunkline restarts, or is away for long.
func TestSecondLooksOutliveARestart(t *testing.T) {
	for name, away := range map[string]time.Duration{"short": 5 * time.Second, "long": time.Hour} {
		t.Run(name, func(t *testing.T) {
			b := &book{devices: map[string]string{"x": tokens.ServiceXMPP}}
			synctest.Test(t, func(t *testing.T) {
				b.run(t, func() {
					b.add("credential", "x", "xenia", "device")
					pass(2 * kickEvery)
				})
				require.Len(t, people(b), 1)
				pass(away)
				b.run(t, func() {
					pass(2 * kickEvery)
					pass(max(0, kickAgain-away))
					require.Len(t, people(b), 2)
					pass(2 * kickAgain)
					require.Len(t, people(b), 2)
				})
			})
		})
	}
}

// Both places in the feed stand in the database.
func TestSecondLooksArePlacedInTheDatabase(t *testing.T) {
	db := sqldbtest.New(t)
	service, err := tokens.New(tokens.Config{DB: db, Key: bytes.Repeat([]byte{7}, 32)})
	require.NoError(t, err)
	var kicks []string
	k := &kicker{feed: service, again: time.Hour, log: slog.New(slog.DiscardHandler),
		done: map[string]int64{}, kicked: map[string]time.Time{},
		kick: func(_ context.Context, username, _ string, _ []string) (int, error) {
			kicks = append(kicks, username)
			return 0, nil
		}}
	require.NoError(t, k.lookAgain(t.Context()))
	_, err = db.ExecContext(t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at) VALUES ('1', 'alice', 0, 0)`)
	require.NoError(t, err)
	require.NoError(t, service.EndAccount(t.Context(), "1", "The account was revoked."))
	require.NoError(t, k.lookAgain(t.Context()))
	require.Empty(t, kicks, "too early")
	after := &kicker{feed: service, again: 0, log: k.log, kick: k.kick, kicked: map[string]time.Time{}}
	require.NoError(t, after.lookAgain(t.Context()))
	require.Equal(t, []string{"alice"}, kicks)
	require.NoError(t, after.lookAgain(t.Context()))
	require.Equal(t, []string{"alice"}, kicks)
}

func TestKickerNeedsAnAPI(t *testing.T) {
	k, err := newKicker(&config.Config{}, nil, nil, nil)
	require.NoError(t, err)
	require.Nil(t, k)
	cfg := &config.Config{}
	cfg.XMPP.Domain, cfg.Ejabberd.APIURL, cfg.Ejabberd.APIUser = ejDomain, "http://example.org/api", kickUser
	cfg.Secrets.EjabberdPassword = config.NewSecret("p")
	_, err = newKicker(cfg, nil, nil, nil)
	require.ErrorContains(t, err, "https://")
}
