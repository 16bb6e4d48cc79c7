package tokens

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDevicePasswordLivesUntilItIsRevoked(t *testing.T) {
	f := newFixture(t, nil)
	d, secret := f.device(ServiceXMPP, "  My phone ")
	require.Regexp(t, `^tld(-[a-z2-7]{4}){6}$`, secret)
	require.Equal(t, Device{ID: d.ID, Account: "1", Name: "My phone", Service: "xmpp", Created: f.clock.Now().Truncate(time.Millisecond)}, d)
	for range 3 {
		require.Equal(t, ReasonOK, f.ask("alice", secret))
		f.clock.advance(365 * 24 * time.Hour)
	}
	require.Equal(t, ReasonWrongUser, f.ask("bob", secret))
	require.Equal(t, ReasonOK, f.ask("ALICE", secret))
	account, session, credential, ok := f.lookup("alice", secret)
	require.Equal(t, []any{"1", "", d.ID, true}, []any{account, session, credential, ok})

	found, err := f.RevokeDevice(t.Context(), "2", d.ID, "not bob's")
	require.NoError(t, err)
	require.False(t, found)
	require.Equal(t, ReasonOK, f.ask("alice", secret))
	found, err = f.RevokeDevice(t.Context(), "1", d.ID, "lost it")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, ReasonRevoked, f.ask("alice", secret))
	_, _, _, ok = f.lookup("alice", secret)
	require.False(t, ok)
	found, err = f.RevokeDevice(t.Context(), "1", d.ID, "again")
	require.NoError(t, err)
	require.False(t, found)
	require.NotContains(t, f.log.String(), secret[4:], "the secret is not in the log")
}

// People read it from one screen and type it on another.
func TestTypingIsForgiven(t *testing.T) {
	f := newFixture(t, phone)
	_, secret := f.device(ServiceXMPP, "Phone")
	_, sip := f.device(ServiceSIP, "Desk")
	plain := strings.ReplaceAll(secret, "-", "")
	for _, typed := range []string{
		secret, strings.ToUpper(secret), plain, strings.ToUpper(plain), " " + secret + " ",
		strings.ReplaceAll(secret, "-", " "), strings.ReplaceAll(secret, "-", " - "), strings.ReplaceAll(secret, "-", "\u2013"),
		strings.ReplaceAll(secret, "-", "\u00a0"), "Tld" + plain[3:],
	} {
		require.Equal(t, ReasonOK, f.ask("alice", typed), "%q", typed)
	}
	for _, wrong := range []string{
		plain[3:], "tld", "tld-", plain + "a", plain[:len(plain)-1], flip(secret), secret + "\n", "tlt-" + secret[4:],
		strings.ReplaceAll(secret, "-", "_"), secret + strings.Repeat(" ", 1000), "tld-\u017f" + secret[5:],
	} {
		require.Equal(t, ReasonUnknownSecret, f.ask("alice", wrong), "%q", wrong)
	}
	require.Equal(t, ReasonOK, f.askFor(ServiceSIP, "alice", sip))
	require.Equal(t, ReasonUnknownSecret, f.askFor(ServiceSIP, "alice", strings.ToUpper(sip)), "a digest knows one spelling")
}

func TestOneServiceDoesNotOpenTheOther(t *testing.T) {
	f := newFixture(t, phone)
	chat, chatSecret := f.device(ServiceXMPP, "Phone")
	desk, deskSecret := f.device(ServiceSIP, "Desk")
	require.Regexp(t, `^alice-[a-z2-7]{5}$`, desk.AuthName)
	require.Empty(t, chat.AuthName)
	require.Equal(t, ReasonWrongService, f.askFor(ServiceSIP, "alice", chatSecret))
	require.Equal(t, ReasonWrongService, f.ask("alice", deskSecret))
	require.Equal(t, ReasonOK, f.askFor(ServiceSIP, "alice", deskSecret))
	require.Equal(t, ReasonOK, f.askFor(ServiceSIP, desk.AuthName, deskSecret))
	require.Equal(t, ReasonWrongUser, f.askFor(ServiceSIP, "bob", deskSecret))
	require.Equal(t, ReasonWrongUser, f.ask(desk.AuthName, chatSecret), "a phone's name is no chat address")
	require.Equal(t, ReasonWrongService, f.askFor("smtp", "alice", chatSecret))
	require.Equal(t, ReasonWrongService, f.askFor(ServiceSIP, "alice", f.issue()))
	require.Equal(t, 1, f.count(`SELECT count(*) FROM sip_digests`), "no digest of a chat password")
}

func TestWhatNoDeviceIsGivenFor(t *testing.T) {
	f := newFixture(t, phone)
	without := newFixture(t, nil)
	for name, bad := range map[string]string{
		"empty": "", "spaces": "  ", "61": strings.Repeat("é", 61), "line end": "a\nb", "NUL": "a\x00",
		"not UTF-8": "a\xff", "turned around": "a\u202eb", "escape": "\x1b[31m", "line separator": "a\u2028b",
	} {
		_, _, err := f.IssueDevice(t.Context(), "1", ServiceXMPP, bad)
		require.ErrorIs(t, err, ErrBadName, name)
	}
	f.device(ServiceXMPP, strings.Repeat("é", 60))
	f.device(ServiceXMPP, "👩‍💻 's tablet")
	for _, service := range []string{"", "XMPP", "smtp"} {
		_, _, err := f.IssueDevice(t.Context(), "1", service, "x")
		require.ErrorIs(t, err, ErrBadService, service)
	}
	_, _, err := without.IssueDevice(t.Context(), "1", ServiceSIP, "x")
	require.ErrorIs(t, err, ErrBadService, "no realm, no SIP")
	_, _, err = f.IssueDevice(t.Context(), "404", ServiceXMPP, "x")
	require.ErrorIs(t, err, ErrUnknownAccount)
	f.exec(`UPDATE accounts SET suspended_at = 1 WHERE id = '1'`)
	_, _, err = f.IssueDevice(t.Context(), "1", ServiceXMPP, "x")
	require.ErrorIs(t, err, ErrSuspended)
	require.NoError(t, f.BlockAccount(t.Context(), "2", "spam"))
	_, _, err = f.IssueDevice(t.Context(), "2", ServiceXMPP, "x")
	require.ErrorIs(t, err, ErrBlocked)
	_, _, err = f.IssueTemporary(t.Context(), "2", "s")
	require.ErrorIs(t, err, ErrBlocked)
}

// Many at once never make more than there may be, and what is revoked makes room.
func TestAtMostFiftyDevices(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.DeviceLimit = Limit{Burst: 1000, Every: time.Second} })
	var wg sync.WaitGroup
	var made, refused atomic.Int32
	for i := range MaxDevices + 10 {
		wg.Go(func() {
			_, _, err := f.IssueDevice(t.Context(), "1", ServiceXMPP, fmt.Sprint("number ", i))
			switch {
			case err == nil:
				made.Add(1)
			case errors.Is(err, ErrTooManyDevices):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, []int32{MaxDevices, 10}, []int32{made.Load(), refused.Load()})
	list, err := f.Devices(t.Context(), "1")
	require.NoError(t, err)
	require.Len(t, list, MaxDevices)
	_, err = f.RevokeDevice(t.Context(), "1", list[7].ID, "room")
	require.NoError(t, err)
	f.device(ServiceXMPP, "one more")
	_, _, err = f.IssueDevice(t.Context(), "2", ServiceXMPP, "bob's")
	require.NoError(t, err)
}

func TestDevicesAreIssuedSlowly(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.DeviceLimit = Limit{Burst: 2, Every: time.Minute} })
	f.device(ServiceXMPP, "1")
	f.device(ServiceXMPP, "2")
	_, _, err := f.IssueDevice(t.Context(), "1", ServiceXMPP, "3")
	require.Equal(t, time.Minute, retryAfter(t, err))
	_, _, err = f.IssueDevice(t.Context(), "2", ServiceXMPP, "bob's")
	require.NoError(t, err)
}

// Two phones never get the same name, not even that of a revoked one.
func TestAuthNamesAreTakenForGood(t *testing.T) {
	f := newFixture(t, phone)
	first, _ := f.device(ServiceSIP, "Desk")
	_, err := f.RevokeDevice(t.Context(), "1", first.ID, "lost")
	require.NoError(t, err)
	f.exec(`UPDATE credentials SET auth_name = 'alice-aaaaa'`)
	f.Service.rand = &scripted{}
	second, secret := f.device(ServiceSIP, "Desk")
	require.Equal(t, "alice-aeaqc", second.AuthName, "the first draw was taken")
	require.Equal(t, ReasonOK, f.askFor(ServiceSIP, second.AuthName, secret))
}

// scripted gives zeros three times, for id, secret and auth name, and ones ever
// after.
type scripted struct{ calls int }

func (s *scripted) Read(p []byte) (int, error) {
	s.calls++
	for i := range p {
		p[i] = 0
		if s.calls > 3 {
			p[i] = 1
		}
	}
	return len(p), nil
}

func TestDevicesAreListedNewestFirst(t *testing.T) {
	f := newFixture(t, phone)
	var want []string
	for _, name := range []string{"a", "b", "c"} {
		d, _ := f.device(ServiceXMPP, name)
		want = append([]string{d.ID}, want...)
		f.clock.advance(time.Second)
	}
	gone, _ := f.device(ServiceXMPP, "gone")
	_, err := f.RevokeDevice(t.Context(), "1", gone.ID, "lost")
	require.NoError(t, err)
	_, _, err = f.IssueDevice(t.Context(), "2", ServiceSIP, "bob's")
	require.NoError(t, err)
	f.issue()
	f.issueInternal()

	list, err := f.Devices(t.Context(), "1")
	require.NoError(t, err)
	var got []string
	for _, d := range list {
		got = append(got, d.ID)
		require.True(t, d.Revoked.IsZero())
	}
	require.Equal(t, want, got, "no revoked ones, nobody else's, nothing temporary")

	var all []string
	collect := func(username string, d Device) error {
		all = append(all, fmt.Sprintf("%s %s %s %t", username, d.Name, d.Service, d.Revoked.IsZero()))
		return nil
	}
	require.NoError(t, f.AllDevices(t.Context(), "", collect))
	require.Equal(t, []string{"alice gone xmpp false", "alice c xmpp true", "alice b xmpp true", "alice a xmpp true", "bob bob's sip true"}, all)
	all = nil
	require.NoError(t, f.AllDevices(t.Context(), "2", collect))
	require.Len(t, all, 1)
	stop := errors.New("enough")
	require.ErrorIs(t, f.AllDevices(t.Context(), "", func(string, Device) error { return stop }), stop)

	username, d, found, err := f.FindDevice(t.Context(), gone.ID)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "alice gone", username+" "+d.Name)
	_, _, found, err = f.FindDevice(t.Context(), "nothing")
	require.NoError(t, err)
	require.False(t, found)
}

// A revoked device is told of for 30 days, and then it goes with all that hung
// on it.
func TestRevokedDevicesGoAfterAMonth(t *testing.T) {
	f := newFixture(t, phone)
	d, secret := f.device(ServiceSIP, "Desk")
	live, liveSecret := f.device(ServiceXMPP, "Phone")
	_, err := f.RevokeDevice(t.Context(), "1", d.ID, "lost")
	require.NoError(t, err)
	f.clock.advance(30 * 24 * time.Hour)
	require.NoError(t, f.tidy(t.Context()))
	require.Equal(t, ReasonRevoked, f.askFor(ServiceSIP, "alice", secret))
	f.clock.advance(2 * time.Minute)
	require.NoError(t, f.tidy(t.Context()))
	require.Equal(t, ReasonUnknownSecret, f.askFor(ServiceSIP, "alice", secret))
	require.Equal(t, ReasonOK, f.ask("alice", liveSecret))
	list, err := f.Devices(t.Context(), "1")
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, live.ID, list[0].ID)
}

func TestUnusedDevices(t *testing.T) {
	f := newFixture(t, phone)
	f.device(ServiceXMPP, "never used")
	f.device(ServiceSIP, "phones are not counted")
	_, used := f.device(ServiceXMPP, "used lately")
	gone, _ := f.device(ServiceXMPP, "revoked")
	_, err := f.RevokeDevice(t.Context(), "1", gone.ID, "lost")
	require.NoError(t, err)
	f.clock.advance(100 * 24 * time.Hour)
	f.device(ServiceXMPP, "new")
	require.Equal(t, ReasonOK, f.ask("alice", used))
	require.NoError(t, f.writeUses(t.Context()))
	list, err := f.Unused(t.Context(), f.clock.Now().Add(-90*24*time.Hour))
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "never used", list[0].Name)
}

// What was done to whom is told, with no secret in it.
func TestRecorder(t *testing.T) {
	var heard []string
	f := newFixture(t, func(c *Config) {
		c.Recorder = func(op, username, account, credential, outcome, reason string) {
			heard = append(heard, strings.Join([]string{op, username, account, credential, outcome, reason}, "|"))
		}
	})
	d, secret := f.device(ServiceXMPP, "Phone")
	_, err := f.RevokeDevice(t.Context(), "1", d.ID, "lost")
	require.NoError(t, err)
	require.NoError(t, f.BlockAccount(t.Context(), "1", "spam"))
	_, _, err = f.IssueDevice(t.Context(), "1", ServiceXMPP, "x")
	require.ErrorIs(t, err, ErrBlocked)
	require.NoError(t, f.UnblockAccount(t.Context(), "1", "sorry"))
	require.Equal(t, []string{
		"issue|alice|1|" + d.ID + "|ok|xmpp", "revoke|alice|1|" + d.ID + "|ok|lost", "suspend|alice|1||ok|spam",
		"issue|alice|1||refused|" + ErrBlocked.Error(), "restore|alice|1||ok|sorry",
	}, heard)
	require.NotContains(t, fmt.Sprint(heard), secret[4:])
}
