package tokens

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// The examples of RFC 2617 section 3.5 and RFC 7616 section 3.9.1: the answer
// that they print comes out of our HA1.
func TestDigestsOfTheStandards(t *testing.T) {
	old := newDigests("Mufasa", "testrealm@host.com", "Circle Of Life")
	require.Equal(t, "939e7578ed9e3c518a452acee763bce9", old.ha1)
	answer := func(hash func([]byte) string, ha1, nonce, cnonce string) string {
		return hash([]byte(ha1 + ":" + nonce + ":00000001:" + cnonce + ":auth:" + hash([]byte("GET:/dir/index.html"))))
	}
	withMD5 := func(b []byte) string { sum := md5.Sum(b); return hex.EncodeToString(sum[:]) }
	withSHA256 := func(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }
	require.Equal(t, "6629fae49393a05397450978507c4ef1",
		answer(withMD5, old.ha1, "dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b"))

	const nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
	newer := newDigests("Mufasa", "http-auth@example.org", "Circle of Life")
	require.Equal(t, "8ca523f5e9506fed4657c9700eebdbec", answer(withMD5, newer.ha1, nonce, cnonce))
	require.Equal(t, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
		answer(withSHA256, newer.ha1SHA256, nonce, cnonce))
}

// The numbers below are from coreutils: printf 'alice-aaaaa:sip.example.org:…' | md5sum
func TestDigestsInTheDatabase(t *testing.T) {
	f := newFixture(t, func(c *Config) { phone(c); c.Rand = zeros{} })
	d, secret := f.device(ServiceSIP, "Desk")
	require.Equal(t, "tld-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa", secret)
	require.Equal(t, "alice-aaaaa", d.AuthName)
	var got [7]string
	require.NoError(t, f.db.QueryRowContext(t.Context(),
		`SELECT username, domain, ha1, ha1b, ha1_sha256, ha1b_sha256, account FROM subscriber`).
		Scan(&got[0], &got[1], &got[2], &got[3], &got[4], &got[5], &got[6]))
	require.Equal(t, [7]string{
		"alice-aaaaa", "sip.example.org",
		"5bcecb6e5fc02039a572724ad6aa30ae", "2f58b299b2fcd2f9968592816b95728e",
		"85741f5c06f46cdd5257a4805a793ac2cfcbdf2e20f2cc517d7fb61301cc6817",
		"46a728a1cb3543dfa01d7d0217cb5af4ed6bc1ff5db9f2dd8554b6cb40bf1efb",
		"alice",
	}, got)
	_, _, err := f.IssueDevice(t.Context(), "1", ServiceXMPP, "the same randomness again")
	require.Error(t, err, "no two credentials have the same id")
}

// zeros is randomness without any.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Who may not sign in is not in what the SIP server reads.
func TestSubscriberView(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(f *fixture, d Device)
		recover string // what brings the phone back
	}{
		"revoked": {change: func(f *fixture, d Device) {
			found, err := f.RevokeDevice(f.t.Context(), "1", d.ID, "lost")
			require.NoError(f.t, err)
			require.True(f.t, found)
			require.Equal(f.t, 1, f.count(`SELECT count(*) FROM sip_digests`), "nothing to crack is left: this is bob's")
		}},
		"account revoked": {change: func(f *fixture, _ Device) {
			require.NoError(f.t, f.RevokeAccount(f.t.Context(), "1", "gone"))
			require.Equal(f.t, 1, f.count(`SELECT count(*) FROM sip_digests`))
		}},
		"suspended": {
			change:  func(f *fixture, _ Device) { f.exec(`UPDATE accounts SET suspended_at = 1 WHERE id = '1'`) },
			recover: `UPDATE accounts SET suspended_at = NULL`,
		},
		"blocked": {
			change:  func(f *fixture, _ Device) { require.NoError(f.t, f.BlockAccount(f.t.Context(), "1", "spam")) },
			recover: `UPDATE accounts SET blocked_at = NULL`,
		},
		"untrusted": {
			change:  func(f *fixture, _ Device) { f.exec(`UPDATE accounts SET trusted_until = 1 WHERE id = '1'`) },
			recover: `UPDATE accounts SET trusted_until = 4102444800000`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, phone)
			d, _ := f.device(ServiceSIP, "Desk")
			_, _ = f.device(ServiceXMPP, "Phone")
			_, _, err := f.IssueDevice(t.Context(), "2", ServiceSIP, "Bob's")
			require.NoError(t, err)
			f.issue()
			alice := `SELECT count(*) FROM subscriber WHERE account = 'alice'`
			require.Equal(t, 1, f.count(alice), "one phone, and no chat app")
			tc.change(f, d)
			require.Zero(t, f.count(alice))
			require.Equal(t, 1, f.count(`SELECT count(*) FROM subscriber`), "bob's is still there")
			if tc.recover != "" {
				f.exec(tc.recover)
				require.Equal(t, 1, f.count(alice))
			}
		})
	}
}
