package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/trunkline-chat/trunkline/internal/config"
)

// privateTLS is how the private listener knows who asks, or nil where it trusts
// the network: then it is on loopback, or the configuration says that it may.
func privateTLS(s config.Server) (*tls.Config, error) {
	if s.PrivateTLSCert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(s.PrivateTLSCert, s.PrivateTLSKey)
	if err != nil {
		return nil, fmt.Errorf("server.private_tls_cert: %w", err)
	}
	authority, err := os.ReadFile(s.PrivateClientCA)
	if err != nil {
		return nil, fmt.Errorf("server.private_client_ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, errors.New("server.private_client_ca: there is no certificate in PEM in " + s.PrivateClientCA)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{cert},
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	}, nil
}

// certificate is the pair of files for a front's own TLS, or nil if none is
// configured.
func certificate(certFile, keyFile string) (*tls.Config, error) {
	if certFile == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}
