package backend_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// A mistake in the configuration is named in Prosody's log by its key, and
// nobody is let in.
func TestConfigurationMistakesAreNamed(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	const (
		url    = `trunkline_url = "http://127.0.0.1:8081/verify"; `
		secret = `trunkline_secret = "fine"; `
	)
	for name, tc := range map[string]struct{ lua, want string }{
		"no URL":             {secret, "trunkline_url is not set"},
		"no scheme":          {secret + `trunkline_url = "127.0.0.1:8081/verify"`, `must begin with "http://" or "https://"`},
		"another scheme":     {secret + `trunkline_url = "ftp://127.0.0.1/verify"`, `must begin with "http://" or "https://"`},
		"http to a stranger": {secret + `trunkline_url = "http://chat.example/verify"`, `would send passwords unencrypted to "chat.example"`},
		"127 as a name":      {secret + `trunkline_url = "http://127.0.0.1.example/verify"`, "would send passwords unencrypted"},
		"localhost":          {secret + `trunkline_url = "http://localhost/verify"`, `not "localhost", for which Prosody would ask the DNS`},
		"password in URL":    {secret + `trunkline_url = "http://a:b@127.0.0.1/verify"`, "must not contain a user name"},
		"query in URL":       {secret + `trunkline_url = "http://127.0.0.1/verify?x=y"`, "must not contain a user name, a query"},
		"no secret":          {url, "neither trunkline_secret nor trunkline_secret_file is set"},
		"empty secret":       {url + `trunkline_secret = ""`, "trunkline_secret is empty"},
		"secret with a line": {url + `trunkline_secret = "a\r\nX: y"`, "only printable ASCII"},
		"another path":       {secret + `trunkline_url = "http://127.0.0.1:8081/"`, `must end in "/verify"`},
		"fallback on itself": {url + secret + `trunkline_fallback = "trunkline"`, "must be the name of another authentication module"},
		"odd fallback":       {url + secret + `trunkline_fallback = "../ldap"`, "must be the name of another authentication module"},
		"no such fallback":   {url + secret + `trunkline_fallback = "nonsense"`, "Unable to load required module, mod_auth_nonsense"},
		"poll in words":      {url + secret + `trunkline_poll_interval = "often"`, "trunkline_poll_interval must be a number"},
		"two secrets":        {url + secret + `trunkline_secret_file = "/etc/hostname"`, "both set"},
		"no secret file":     {url + `trunkline_secret_file = "/no/such/file"`, "/no/such/file: No such file"},
		"empty secret file":  {url + `trunkline_secret_file = "` + empty + `"`, "trunkline_secret_file is empty"},
		"folder for a file":  {url + `trunkline_secret_file = "/etc"`, "trunkline_secret_file cannot be read"},
		"timeout in words":   {url + secret + `trunkline_timeout = "soon"`, `trunkline_timeout must be a number of seconds from 0.1 to 30, not "soon"`},
		"timeout of nothing": {url + secret + `trunkline_timeout = 0`, "trunkline_timeout must be"},
		"negative memory":    {url + secret + `trunkline_exists_ttl = -1`, "trunkline_exists_ttl must be"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startProsody(t, "", tc.lua)
			require.Contains(t, p.Log(), "Error initializing module 'auth_trunkline' on 'social.example': ")
			require.Contains(t, p.Log(), tc.want)
			_, err := integration.Dial(t.Context(), p.Addr(), domain)
			require.ErrorIs(t, err, integration.ErrStreamEnded, "nobody can log in")
		})
	}
}

// The documentation's table has exactly the options that the module reads.
func TestEveryOptionIsDocumented(t *testing.T) {
	options := func(file, pattern string) map[string]bool {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		found := map[string]bool{}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = true
		}
		return found
	}
	read := options("../../contrib/prosody/mod_auth_trunkline/options.lib.lua", `option(?:_\w+)?\("(trunkline_\w+)"`)
	require.NotEmpty(t, read)
	require.Equal(t, read, options("../../docs/prosody.md", "(?m)^\\| `(trunkline_\\w+)`"))
}

// startProsody starts one whose host has these lines.
func startProsody(t *testing.T, global, lua string) *integration.Prosody {
	t.Helper()
	return integration.StartProsody(t, integration.ProsodyConfig{
		Domain: domain, GlobalExtra: global, AuthLua: `authentication = "trunkline"; ` + lua,
	})
}

func TestSecretFromAFile(t *testing.T) {
	s := newStack(t, "")
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte(sharedSecret+"\n"), 0o600))
	s.prosody = startProsody(t, "",
		fmt.Sprintf("trunkline_url = %q; trunkline_secret_file = %q", "http://"+s.front.addr+"/verify", path))
	require.Equal(t, "", s.login("alice", s.password("alice")))
	require.Equal(t, wrong, s.login("alice", "nonsense"))
}

func TestWrongSharedSecretIsNamedAndTemporary(t *testing.T) {
	s := newStack(t, "")
	s.prosody = startProsody(t, "",
		fmt.Sprintf(`trunkline_url = %q; trunkline_secret = "another"`, "http://"+s.front.addr+"/verify"))
	require.Equal(t, temporary, s.login("alice", s.password("alice")))
	require.Contains(t, s.prosody.Log(), "Trunkline refuses the shared secret")
	require.Equal(t, 1, strings.Count(s.prosody.Log(), "Passwords cannot be checked"))
	require.Equal(t, temporary, s.login("alice", s.password("alice")))
	require.Equal(t, 1, strings.Count(s.prosody.Log(), "Passwords cannot be checked"), "told once")
}

// Over TLS the verifier's certificate counts: the right one for the right name,
// or no password is sent.
func TestVerifierOverTLS(t *testing.T) {
	s := newStack(t, "")
	ca, named := certificate(t, "127.0.0.1")
	otherCA, misnamed := certificate(t, "elsewhere.example")
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(caFile, append(ca, otherCA...), 0o600))
	trust := fmt.Sprintf("client_https_ssl = { cafile = %q }", caFile)
	for name, tc := range map[string]struct {
		cert  tls.Certificate
		trust string
		want  string
	}{
		"trusted":          {named, trust, ""},
		"unknown issuer":   {named, "", temporary},
		"for another name": {misnamed, trust, temporary},
	} {
		t.Run(name, func(t *testing.T) {
			asked := s.front.count("auth")
			server := httptest.NewUnstartedServer(s.front)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{tc.cert}}
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			previous := s.prosody
			defer func() { s.prosody = previous }()
			s.prosody = startProsody(t, tc.trust,
				fmt.Sprintf("trunkline_url = %q; trunkline_secret = %q", server.URL+"/verify", sharedSecret))
			require.Equal(t, tc.want, s.login("alice", s.password("alice")))
			if tc.want != "" {
				require.Equal(t, asked, s.front.count("auth"), "no password left Prosody")
			}
		})
	}
}

// certificate makes an authority and its certificate for one name.
func certificate(t *testing.T, name string) (authorityPEM []byte, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := func(serial int64, cn string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: cn},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		}
	}
	authority := template(1, "authority for "+name)
	authority.IsCA, authority.BasicConstraintsValid = true, true
	caDER, err := x509.CreateCertificate(rand.Reader, authority, authority, &key.PublicKey, key)
	require.NoError(t, err)
	leaf := template(2, name)
	// Prosody 0.12 compares an address with the common name.
	leaf.IPAddresses, leaf.ExtKeyUsage = []net.IP{net.IPv4(127, 0, 0, 1)}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}),
		tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
