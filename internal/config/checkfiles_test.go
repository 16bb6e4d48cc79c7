package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pair writes a certificate and its key into dir.
func pair(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	return cert, key
}

func TestCertificatesAreRead(t *testing.T) {
	dir := t.TempDir()
	cert, private := pair(t, dir, "one")
	_, other := pair(t, dir, "two")
	gone, empty := filepath.Join(dir, "gone.pem"), filepath.Join(dir, "empty.pem")
	require.NoError(t, os.WriteFile(empty, []byte("nothing\n"), 0o600))
	path := filepath.Join(dir, "t.toml")
	load := func(text string) Mistakes {
		require.NoError(t, os.WriteFile(path, []byte(text+fmt.Sprintf("[store]\nurl = %q\n", "sqlite:"+filepath.Join(dir, "t.db"))), 0o600))
		_, err := Load(path, nil)
		ms, ok := AsMistakes(err)
		require.Equal(t, err != nil, ok)
		return ms
	}
	for _, tc := range []struct {
		cert, key, authority string
		keys                 []string
		says                 string
	}{
		{cert, private, cert, []string{}, ""},
		{gone, private, cert, []string{"private_tls_cert"}, gone + ": no such file"},
		{cert, gone, cert, []string{"private_tls_key"}, "no such file"},
		{empty, private, cert, []string{"private_tls_cert"}, "cannot be used with private_tls_key: failed to find any PEM data"},
		{cert, other, cert, []string{"private_tls_cert"}, "does not match"},
		{cert, private, gone, []string{"private_client_ca"}, "no such file"},
		{cert, private, empty, []string{"private_client_ca"}, "no certificate in PEM in it (" + empty + ")"},
		{gone, gone, gone, []string{"private_tls_cert", "private_tls_key", "private_client_ca"}, "no such file"},
	} {
		ms := load(with("server", fmt.Sprintf("private_tls_cert = %q\nprivate_tls_key = %q\nprivate_client_ca = %q", tc.cert, tc.key, tc.authority)))
		for i := range tc.keys {
			tc.keys[i] = "server." + tc.keys[i]
		}
		require.Equal(t, tc.keys, ms.Keys())
		if len(ms) > 0 {
			assert.Contains(t, ms[0].Error(), tc.says)
			assert.NotEmpty(t, ms[0].Advice)
		}
	}
	directory := "[ldap]\ntls_cert = %q\ntls_key = %q\n"
	listening := withSecret(fmt.Sprintf("ldap_secret = %q", key(4)), directory+"listen = \"127.0.0.1:3389\"\n")
	assert.Empty(t, load(fmt.Sprintf(listening, cert, private)))
	assert.Equal(t, []string{"ldap.tls_cert"}, load(fmt.Sprintf(listening, cert, other)).Keys())
	assert.Equal(t, []string{"ldap.tls_key"}, load(fmt.Sprintf(listening, cert, gone)).Keys())
	assert.Empty(t, load(minimal()+fmt.Sprintf(directory, cert, gone)), "nobody reads them")
}

func TestOneWarningForEachOpenFile(t *testing.T) {
	dir := t.TempDir()
	path, token := filepath.Join(dir, "t.toml"), filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(token, []byte("0123456789abcdef"), 0o604))
	text := withSecret(fmt.Sprintf("list_token_file = %q", token), fmt.Sprintf("[store]\nurl = %q\n", "sqlite:"+filepath.Join(dir, "t.db")))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o604))
	c, err := Load(path, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"secrets", "secrets.list_token_file"}, c.Warnings.Keys())
	assert.Contains(t, c.Warnings[0].Error(), "chmod o-rwx "+path)
	assert.Positive(t, c.Warnings[0].Line)
	assert.Contains(t, c.Warnings[1].Error(), "chmod o-rwx "+token)
}

func TestNamesOfTheDirectory(t *testing.T) {
	for _, tc := range []struct{ lines, key, says string }{
		{`base = "people"`, "ldap.base", `is not a distinguished name ("people"); write it like this: "ou=people,dc=example,dc=org"`},
		{`base = " "`, "ldap.base", "is not a distinguished name"},
		{`service_dn = "alice@example.org"`, "ldap.service_dn", `"cn=service,dc=example,dc=org"`},
		{`service_dn = "OU=People, DC=example,DC=org"`, "ldap.service_dn", "is the same as ldap.base"},
		{`service_dn = "UID=service,ou=people,dc=example,dc=org"`, "ldap.service_dn", "is the name of a person"},
		{`service_dn = "userid=service,ou=bots,ou=people,dc=example,dc=org"`, "ldap.service_dn", "is the name of a person"},
		{"base = \"o=x\"\nservice_dn = \"uid=service,o=x\"", "ldap.service_dn", "is the name of a person"},
		{`service_dn = "uid=service,dc=example,dc=org"`, "", ""},
		{`service_dn = "cn=service,ou=people,dc=example,dc=org"`, "", ""},
	} {
		_, err := parse(t, with("ldap", tc.lines))
		if tc.key == "" {
			require.NoError(t, err, tc.lines)
			continue
		}
		ms, _ := AsMistakes(err)
		require.Equal(t, []string{tc.key}, ms.Keys(), tc.lines)
		assert.Contains(t, ms[0].Error(), tc.says)
	}
}

func TestAddressesThatAreOnlyJustRight(t *testing.T) {
	api := "[ejabberd]\napi_user = \"trunkline@localhost\"\napi_url = %q\n"
	for url, warned := range map[string]bool{
		"http://127.0.0.1:5280/api": false, "http://127.0.0.1:5280/api/": false, "https://chat.example.org/x/api": false,
		"http://127.0.0.1:5280": true, "http://127.0.0.1:5280/": true, "http://127.0.0.1:5280/admin": true,
	} {
		c, err := parse(t, withSecret(`ejabberd_password = "x"`, fmt.Sprintf(api, url)))
		require.NoError(t, err, url)
		if assert.Equal(t, warned, len(c.Warnings) == 1, url) && warned {
			assert.Contains(t, c.Warnings[0].Error(), "does not end in /api")
		}
	}
	c, err := parse(t, with("sip", `server = "192.0.2.7"`))
	require.NoError(t, err)
	require.Len(t, c.Warnings, 1)
	assert.Contains(t, c.Warnings[0].Error(), "sip.example.org")
	for key, says := range map[string]string{"listen": "127.0.0.1:3389", "listen_tls": "127.0.0.1:6636"} {
		for _, value := range []string{"here", "unix:here"} {
			_, err := parse(t, with("ldap", fmt.Sprintf("%s = %q", key, value)))
			require.ErrorContains(t, err, "write "+says)
			assert.NotContains(t, err.Error(), "or unix:")
		}
	}
}
