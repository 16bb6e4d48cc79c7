package config

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
)

// checkFiles reads the certificates that the service will read when it starts.
func (r *reader) checkFiles(c *Config) {
	if r.broken {
		return
	}
	s, l := &c.Server, &c.LDAP
	if s.PrivateTLSCert != "" {
		r.checkPair("server.private_tls_cert", s.PrivateTLSCert, "server.private_tls_key", s.PrivateTLSKey)
		r.checkAuthority("server.private_client_ca", s.PrivateClientCA)
	}
	if l.TLSCert != "" && (l.Listen != "" || l.ListenTLS != "") {
		r.checkPair("ldap.tls_cert", l.TLSCert, "ldap.tls_key", l.TLSKey)
	}
}

// checkPair reads a certificate and its key.
func (r *reader) checkPair(certKey, certFile, keyKey, keyFile string) {
	cert, there := r.readPEM(certKey, certFile)
	key, also := r.readPEM(keyKey, keyFile)
	if !there || !also {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		_, name, _ := strings.Cut(keyKey, ".")
		r.mistake(certKey, "cannot be used with "+name+": "+strings.TrimPrefix(err.Error(), "tls: "),
			"write a certificate in PEM, the authorities between after it, and the key that it was made for")
	}
}

func (r *reader) checkAuthority(key, file string) {
	text, ok := r.readPEM(key, file)
	if ok && !x509.NewCertPool().AppendCertsFromPEM(text) {
		r.mistake(key, "has no certificate in PEM in it ("+file+")", "write the certificate of the authority, which begins with -----BEGIN CERTIFICATE-----")
	}
}

// readPEM reads a file; when ok is false there is nothing more to say about it.
func (r *reader) readPEM(key, file string) (text []byte, ok bool) {
	if r.bad[key] || file == "" {
		return nil, false
	}
	text, err := r.src.ReadFile(file)
	if err != nil {
		r.mistake(key, "cannot be read: "+cause(err), "name a file in PEM that the user trunkline can read, and run this as that user")
		return nil, false
	}
	return text, true
}
