package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
)

// authority signs certificates for 127.0.0.1, for servers and clients alike.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}}
	a.key, a.cert = a.sign(a.cert)
	return a
}

func (a *authority) sign(template *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	parent, signer := template, key
	if a.key != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(a.t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return key, cert
}

// issue writes a signed pair into dir and returns the files.
func (a *authority) issue(dir, name string) (certFile, keyFile string) {
	a.t.Helper()
	key, cert := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	certFile, keyFile = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	writePEM(a.t, certFile, "CERTIFICATE", cert.Raw)
	writePEM(a.t, keyFile, "PRIVATE KEY", der)
	return certFile, keyFile
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func TestPrivateListenerWantsACertificate(t *testing.T) {
	dir := t.TempDir()
	ours, other := newAuthority(t), newAuthority(t)
	var s config.Server
	s.PrivateTLSCert, s.PrivateTLSKey = ours.issue(dir, "server")
	s.PrivateClientCA = filepath.Join(dir, "ca.pem")
	writePEM(t, s.PrivateClientCA, "CERTIFICATE", ours.cert.Raw)
	cfg, err := privateTLS(s)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)

	handshake := func(files ...string) error {
		client := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
		if len(files) == 2 {
			pair, err := tls.LoadX509KeyPair(files[0], files[1])
			require.NoError(t, err)
			client.Certificates = []tls.Certificate{pair}
		}
		near, far := net.Pipe()
		done := make(chan struct{})
		go func() { // the server's word counts, so this one reads whatever comes
			defer close(done)
			defer far.Close()
			_, _ = io.Copy(io.Discard, tls.Client(far, client))
		}()
		defer func() { near.Close(); <-done }()
		return tls.Server(near, cfg).HandshakeContext(t.Context())
	}
	mine, key := ours.issue(dir, "client")
	require.NoError(t, handshake(mine, key))
	require.Error(t, handshake(), "no certificate")
	theirs, key := other.issue(dir, "stranger")
	require.Error(t, handshake(theirs, key), "another authority's")

	s.PrivateClientCA = s.PrivateTLSKey
	_, err = privateTLS(s)
	require.ErrorContains(t, err, "server.private_client_ca: there is no certificate")
	s.PrivateTLSCert = ""
	cfg, err = privateTLS(s)
	require.NoError(t, err)
	require.Nil(t, cfg)
}
