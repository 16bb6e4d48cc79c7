package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/tokens"
	"github.com/trunkline-chat/trunkline/tokens/extauth"
)

func TestContribConfigurationIsInOrder(t *testing.T) {
	for _, name := range []string{"ejabberd.yml", "jwt.yml"} {
		text, err := os.ReadFile("../../contrib/ejabberd/" + name)
		require.NoError(t, err)
		if name == "jwt.yml" { // a part of a file
			text = append([]byte("hosts: [example.org, localhost]\n"), text...)
		}
		found, _, err := extauth.Check(text)
		require.NoError(t, err)
		require.Empty(t, found, name)
	}
	path := contribEjabberd(t, strings.NewReplacer())
	code, stdout, stderr := start(t, "extauth", "--check", path)
	require.Equal(t, exitOK, code, stdout+stderr)
	require.Contains(t, stdout, "Looked at in "+path+":\n  auth_method, auth_use_cache, extauth_program and extauth_pool_size of example.org\n")
	require.Contains(t, stdout, "port 5224")
	require.Contains(t, stdout, "Nothing there stands against Trunkline. Not looked at: ")
	require.NotContains(t, stdout, "works with Trunkline", "which nobody can know from the file")
	bad := filepath.Join(t.TempDir(), "bad.yml")
	require.NoError(t, os.WriteFile(bad, []byte("hosts: [example.org]\nauth_method: external\n"), 0o600))
	code, stdout, _ = start(t, "extauth", "--check", bad)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stdout, "auth_use_cache: false")
	require.Contains(t, stdout, "Looked at in "+bad)
	require.NotContains(t, stdout, "Nothing there")
	code, _, stderr = start(t, "extauth", "--check", bad+".gone")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "no such file")
}

func TestEjabberdAsksAboutPasswords(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	once := s.temporary("alice")
	require.Equal(t, "", s.login("alice", once))
	require.Equal(t, refused, s.login("bob", once), "another person's")
	for _, wrong := range []string{"nonsense", "tlt_AAAAAAAAAAAAAAAAAAAAAAAAAA", "a:b:c", strings.Repeat("x", 4000), "ö"} {
		require.Equal(t, refused, s.login("alice", wrong))
	}
	id, first := s.device("alice")
	_, second := s.device("alice")
	// With ejabberd's cache the second is refused and the revoked one goes on.
	for range 2 {
		require.Equal(t, "", s.login("alice", first))
		require.Equal(t, "", s.login("alice", second))
		require.Equal(t, "", s.login("ALICE", strings.ToUpper(second)), "as people type it")
	}
	s.revoke("alice", id)
	require.Equal(t, refused, s.login("alice", first))
	require.Equal(t, "", s.login("alice", second))

	s.mu.Lock()
	s.now = func() time.Time { return time.Now().Add(tokens.AfterUse + time.Second) }
	s.mu.Unlock()
	require.Equal(t, refused, s.login("alice", once), "used")
	late := s.temporary("alice")
	s.mu.Lock()
	s.now = func() time.Time { return time.Now().Add(tokens.Unused + time.Minute) }
	s.mu.Unlock()
	require.Equal(t, refused, s.login("alice", late), "expired")
	require.NotContains(t, s.ej.Log(), second)
}

// This is why the cache must be off: the same ejabberd with it on does both wrong.
func TestEjabberdsCacheBreaksWhatTheCheckWarnsOf(t *testing.T) {
	s := newEjStack(t, tokens.Config{}, "auth_use_cache: false", "auth_use_cache: true")
	found, _, err := extauth.Check([]byte(s.config("auth_use_cache: false", "auth_use_cache: true")))
	require.NoError(t, err)
	require.Len(t, found, 1)
	id, first := s.device("alice")
	_, second := s.device("alice")
	require.Equal(t, "", s.login("alice", first))
	require.Equal(t, refused, s.login("alice", second))
	s.revoke("alice", id)
	require.Equal(t, "", s.login("alice", first))
}

func TestOneQuestionThatHangsHoldsUpOneProgram(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	hung, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.setFault(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if bytes.Contains(body, []byte(`"carol"`)) {
			once.Do(func() { close(hung) })
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.base.ServeHTTP(w, r)
	})
	defer close(release)
	_, carols := s.device("carol")
	answer := make(chan string, 1)
	go func() { answer <- s.login("carol", carols) }()
	<-hung
	var logins sync.WaitGroup
	_, password := s.device("alice")
	for range 24 {
		logins.Go(func() { assert.Equal(t, "", s.login("alice", password)) })
	}
	logins.Wait()
	require.Equal(t, refused, <-answer, "answered by the program's own deadline")
}

func TestTheServiceMayGoAndComeBack(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	_, password := s.device("alice")
	require.Equal(t, "", s.login("alice", password))
	pids := s.programs()
	require.Len(t, pids, 4, "extauth_pool_size")

	s.down()
	for range 4 { // each program waits once
		require.Equal(t, refused, s.login("alice", password))
	}
	// A message to somebody who is offline is kept, not sent back.
	bob := s.sendWhileDown()
	s.up()
	require.Equal(t, "", s.login("alice", password))
	alice := integration.Connect(t, s.ej, "alice", password, "a")
	alice.Say("<presence/>")
	alice.Expect("the message that waited", func(e integration.Element) bool { return e.Has("are you there") })
	for _, e := range bob.Sync() {
		require.NotEqual(t, "error", e.Attrs["type"], e.XML)
	}
	for _, name := range []string{"setpass", "tryregister"} {
		require.NotContains(t, s.ej.Log(), name)
	}
	require.Equal(t, pids, s.programs(), "the same programs all along")
}

// sendWhileDown is bob, who has a session from before and writes to alice.
func (s *ejStack) sendWhileDown() *integration.Client {
	s.t.Helper()
	s.up()
	_, password := s.device("bob")
	bob := integration.Connect(s.t, s.ej, "bob", password, "b")
	s.down()
	before := s.questions()
	bob.Say("<message to='alice@" + ejDomain + "' type='chat' id='m'><body>are you there</body></message>")
	for _, e := range bob.Sync() {
		require.NotEqual(s.t, "error", e.Attrs["type"], e.XML)
	}
	require.Equal(s.t, before, s.questions(), "nobody was there to ask")
	return bob
}

// A restart that is shorter than the deadline costs nobody a login.
func TestARestartOfTheServiceGoesUnnoticed(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	_, password := s.device("alice")
	for range 4 { // each program has a connection
		require.Equal(t, "", s.login("alice", password))
	}
	s.down()
	answer := make(chan string, 1)
	go func() { answer <- s.login("alice", password) }()
	time.AfterFunc(200*time.Millisecond, s.up)
	require.Equal(t, "", <-answer)
}

func TestMessagesToStrangersComeBack(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	_, password := s.device("bob")
	bob := integration.Connect(t, s.ej, "bob", password, "b")
	bob.Say("<message to='nobody@" + ejDomain + "' type='chat' id='m'><body>hello</body></message>")
	bob.Expect("an error", func(e integration.Element) bool { return e.Attrs["id"] == "m" && e.Attrs["type"] == "error" })
}

// programs are the process ids of the extauth programs of this ejabberd.
func (s *ejStack) programs() (pids []int) {
	s.t.Helper()
	binary, err := program()
	require.NoError(s.t, err)
	entries, err := os.ReadDir("/proc")
	require.NoError(s.t, err)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		args := strings.Split(string(line), "\x00")
		if err == nil && args[0] == binary && strings.Contains(string(line), s.addr) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// maxRSS is what one of ejabberd's programs may take, in KiB.
const maxRSS = 20 << 10

func TestProgramsAreSmall(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	_, password := s.device("alice")
	for range 400 {
		require.Equal(t, "", s.login("alice", password))
	}
	pids := s.programs()
	require.Len(t, pids, 4)
	for _, pid := range pids {
		kib := rss(t, pid)
		t.Logf("a program takes %d KiB after 100 questions", kib)
		assert.Positive(t, kib)
		assert.Less(t, kib, maxRSS)
	}
}

// rss is the resident memory of a process in KiB.
func rss(t testing.TB, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			require.NoError(t, err)
			return kib
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

func TestAskingByHand(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte(ejSecret), 0o600))
	ask := func(who string) (int, string, string) {
		return start(t, "extauth", "--url", "http://"+s.addr+"/extauth", "--secret-file", secret, "--ask", who)
	}
	for who, want := range map[string]string{"alice@" + ejDomain: "yes\n", "nobody@" + ejDomain: "no\n"} {
		code, stdout, stderr := ask(who)
		assert.Equal(t, exitOK, code, stderr)
		assert.Equal(t, want, stdout)
	}
	code, _, _ := ask("alice")
	assert.Equal(t, exitUsage, code)
	require.NoError(t, os.WriteFile(secret, []byte("another"), 0o600))
	code, _, stderr := ask("alice@" + ejDomain)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "refused our secret")
}

// The program by itself, without an ejabberd: what it prints where, and that a
// secret that is not there yet or changes is no reason to end.
func TestProgramWithoutItsSecretGoesOn(t *testing.T) {
	binary, err := program()
	require.NoError(t, err)
	secret := filepath.Join(t.TempDir(), "secret")
	cmd := exec.CommandContext(t.Context(), binary, "extauth", "--url", "http://127.0.0.1:9/extauth", "--secret-file", secret)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	for request, want := range map[string]byte{"auth:alice:h:the-password": 0, "isuser:alice:h": 1, "\xff\xff": 0} {
		_, err = stdin.Write(append([]byte{0, byte(len(request))}, request...))
		require.NoError(t, err)
		reply := make([]byte, 4)
		_, err = io.ReadFull(stdout, reply)
		require.NoError(t, err)
		require.Equal(t, []byte{0, 2, 0, want}, reply, request)
	}
	require.NoError(t, stdin.Close())
	require.NoError(t, cmd.Wait(), "the end of its input is its end")
	require.Contains(t, stderr.String(), secret)
	require.NotContains(t, stderr.String(), "the-password")
}

func TestProgramEndsWhenAskedTo(t *testing.T) {
	binary, err := program()
	require.NoError(t, err)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("x"), 0o600))
	cmd := exec.CommandContext(t.Context(), binary, "extauth", "--secret-file", secret, "--url", "http://127.0.0.1:9/extauth")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = stdin.Write([]byte{0, 0}) // it runs when it has answered
	require.NoError(t, err)
	_, err = io.ReadFull(stdout, make([]byte, 4))
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Wait())
}

func TestExtauthFlagsAreChecked(t *testing.T) {
	for _, args := range [][]string{{"word"}, {"--nothing"}, {"--url"}} {
		code, _, stderr := start(t, append([]string{"extauth"}, args...)...)
		assert.Equal(t, exitUsage, code, args)
		assert.Contains(t, stderr, "extauth", args)
	}
	for _, args := range [][]string{{"--url", "http://example.org/extauth"}, {"--ca", "/nowhere"}, {"--cert", "/nowhere"}, {"--config", "/nowhere"}} {
		code, _, stderr := start(t, append([]string{"extauth"}, args...)...)
		assert.Equal(t, exitFailed, code, args)
		assert.NotEmpty(t, stderr, args)
	}
}

// mod_fail2ban counts by address, and the gateway's is everybody's.
func TestWrongPasswordsBanNobodyBehindTheGateway(t *testing.T) {
	guess := func(s *ejStack) error {
		for range 25 { // ejabberd bans after 20
			raw, err := integration.Dial(t.Context(), s.ej.Addr(), ejDomain)
			if err != nil {
				return err
			}
			err = raw.Login(t.Context(), "alice", "a-guess")
			_ = raw.Close()
			var refusal *integration.SASLError
			if !errors.As(err, &refusal) || refusal.Condition != refused {
				return err
			}
		}
		return nil
	}
	s := newEjStack(t, tokens.Config{})
	require.NoError(t, guess(s))
	_, password := s.device("alice")
	require.Equal(t, "", s.login("alice", password))

	s = newEjStack(t, tokens.Config{}, "mod_fail2ban:\n    access: not_banned", "mod_fail2ban: {}")
	require.ErrorIs(t, guess(s), integration.ErrStreamEnded, "what the check warns of")
}

// The listeners for chat apps: TLS or nothing, and not for the account that ends
// sessions.
func TestPeoplesListeners(t *testing.T) {
	s := newEjStack(t, tokens.Config{})
	roots, err := s.ej.Roots()
	require.NoError(t, err)
	session := func(user, password, host string) error {
		raw, err := integration.DialTLS(t.Context(), s.ej.TLSAddr(), host, roots)
		require.NoError(t, err)
		defer raw.Close()
		if err := raw.Login(t.Context(), user, password); err != nil {
			return err
		}
		return raw.Bind(t.Context(), "a")
	}
	_, password := s.device("alice")
	require.NoError(t, session("alice", password, ejDomain))
	var refusal *integration.SASLError
	require.ErrorAs(t, session("alice", "wrong", ejDomain), &refusal)
	require.ErrorContains(t, session("trunkline", kickPass, "localhost"), "bind refused")
}

// Nobody may wait for long between the password and the session: the kicker looks
// once more after that time.
func TestEjabberdEndsWhoWaitsAfterThePassword(t *testing.T) {
	s := newEjStack(t, tokens.Config{}, "negotiation_timeout: 30 s", "negotiation_timeout: 1 s")
	_, password := s.device("alice")
	raw, err := integration.Dial(t.Context(), s.ej.Addr(), ejDomain)
	require.NoError(t, err)
	defer raw.Close()
	require.NoError(t, raw.Login(t.Context(), "alice", password))
	_, err = raw.Await(t.Context(), func(integration.Element) bool { return false })
	require.ErrorIs(t, err, integration.ErrStreamEnded)
}
