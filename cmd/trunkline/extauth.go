package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/tokens/extauth"
)

const (
	defaultExtauthURL    = "http://127.0.0.1:8081/extauth"
	defaultExtauthSecret = "/etc/ejabberd/trunkline.secret"
)

func extauthCommand() command {
	return command{
		name:    "extauth",
		args:    "[--url URL] [--secret-file FILE] [--ask NAME@DOMAIN] | --check ejabberd.yml",
		summary: "answer ejabberd's questions about passwords, as the program that ejabberd starts for them",
		text: `It speaks ejabberd's external authentication protocol on standard input and
output, asks the running Trunkline, and says what goes wrong on standard error.
See docs/ejabberd.md.

  --url          /extauth on the private listener: ` + defaultExtauthURL + `
                 (the default), https://HOST/extauth, or unix:/PATH of a socket
  --secret-file  a file that holds secrets.extauth_secret and nothing else, and
                 that the user ejabberd can read: ` + defaultExtauthSecret + `
                 (the default). A new one is read by itself.
  --ca, --cert, --key
                 for https: the authority of Trunkline's certificate, and our own
  --config       take the address and the secret from Trunkline's own
                 configuration instead; whoever runs this can then read all of it
  --ask          ask whether NAME@DOMAIN exists, print the answer, and end
  --check        read an ejabberd.yml, say what in it would not work and what was
                 looked at, and end; files that it includes are not read. Whether
                 the program and the secret that it names are there is looked at
                 too: run it on the machine where ejabberd runs`,
		run: runExtauth,
	}
}

// extauthFlags are what the command was given.
type extauthFlags struct {
	url, secretFile, config string
	ca, cert, key           string
	ask, check              string
}

// define gives fs the flags, with their defaults.
func (f *extauthFlags) define(fs *flag.FlagSet) {
	fs.StringVar(&f.url, "url", defaultExtauthURL, "")
	fs.StringVar(&f.secretFile, "secret-file", defaultExtauthSecret, "")
	fs.StringVar(&f.config, "config", "", "")
	fs.StringVar(&f.check, "check", "", "")
	fs.StringVar(&f.ask, "ask", "", "")
	fs.StringVar(&f.ca, "ca", "", "")
	fs.StringVar(&f.cert, "cert", "", "")
	fs.StringVar(&f.key, "key", "", "")
}

func runExtauth(c *call) int {
	var f extauthFlags
	words, ok := c.parse("extauth", c.args, f.define)
	switch {
	case !ok:
		return exitUsage
	case len(words) > 0:
		return c.misused("extauth takes flags alone")
	case f.check != "":
		return c.checkEjabberd(f.check)
	}
	log := slog.New(slog.NewTextHandler(c.stderr, nil)).With("program", "trunkline extauth")
	client, code := c.extauthClient(f, log)
	if client == nil {
		return code
	}
	defer client.Close()
	if f.ask != "" {
		return c.askExtauth(client, f.ask)
	}
	return c.pipe(&extauth.Pipe{In: os.Stdin, Out: os.Stdout, Asker: client, Log: log})
}

// askExtauth asks one question as ejabberd would, for who wants to know whether
// address and secret are right.
func (c *call) askExtauth(client *extauth.Client, who string) int {
	user, host, ok := strings.Cut(who, "@")
	if !ok || user == "" || host == "" {
		return c.misused("extauth --ask needs NAME@DOMAIN")
	}
	ctx, cancel := context.WithTimeout(c.ctx, extauth.Deadline)
	defer cancel()
	result, err := client.Ask(ctx, "isuser", user, host, "")
	if err != nil {
		return c.failed(err)
	}
	fmt.Fprintln(c.stdout, result)
	return exitOK
}

// pipe runs until the input ends or the program is asked to end.
func (c *call) pipe(p *extauth.Pipe) int {
	// There are several of these beside ejabberd. What one question needs is thrown
	// away with the next ones; to collect it early costs nothing here.
	debug.SetGCPercent(20)
	// With one, whoever wakes up for an answer waits for who gave the place up.
	runtime.GOMAXPROCS(2)
	debug.FreeOSMemory()
	extauth.Slim()
	done := make(chan error, 1)
	go func() { done <- p.Run(c.ctx) }() // a read of standard input ends with the process alone
	select {
	case err := <-done:
		if err != nil {
			return c.failed(err)
		}
	case <-c.ctx.Done():
	}
	return exitOK
}

// extauthClient makes the client, or returns nil and the exit code.
func (c *call) extauthClient(f extauthFlags, log *slog.Logger) (*extauth.Client, int) {
	crypto, err := f.crypto()
	if err != nil {
		return nil, c.failed(err)
	}
	url, secret := f.url, func() (string, error) { return readSecretFile(f.secretFile) }
	if f.config != "" {
		cfg, ok := c.load(f.config)
		if !ok {
			return nil, exitFailed
		}
		if url, secret, err = extauthFromConfig(cfg); err != nil {
			return nil, c.failed(err)
		}
	}
	client, err := extauth.NewClient(url, secret, crypto)
	if err != nil {
		return nil, c.failed(err)
	}
	if _, err := secret(); err != nil { // it may be there later
		log.Error("no password can be right until this is put right", "error", err)
	}
	return client, exitOK
}

// extauthFromConfig finds the address and the secret in Trunkline's own
// configuration.
func extauthFromConfig(cfg *config.Config) (url string, secret func() (string, error), err error) {
	if cfg.Secrets.ExtauthSecret.IsZero() {
		return "", nil, errors.New("secrets.extauth_secret is not set: Trunkline does not answer ejabberd")
	}
	network, address := config.Network(cfg.Server.PrivateListen)
	switch {
	case network == "unix":
		url = "unix:" + address
	case cfg.Server.PrivateTLSCert != "":
		url = "https://" + address + "/extauth"
	default:
		url = "http://" + address + "/extauth"
	}
	text := cfg.Secrets.ExtauthSecret.Reveal()
	return url, func() (string, error) { return text, nil }, nil
}

// crypto is what the flags for https say, nil if they say nothing.
func (f *extauthFlags) crypto() (*tls.Config, error) {
	if f.ca == "" && f.cert == "" && f.key == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("extauth: --ca: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("extauth: --ca: there is no certificate in %s", f.ca)
		}
	}
	if f.cert != "" || f.key != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("extauth: --cert and --key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// maxSecretFile is more than a secret is long.
const maxSecretFile = 4 << 10

// readSecretFile reads the one line of a secret's file. Its errors name the file
// and never quote it.
func readSecretFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("extauth: the shared secret cannot be read: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSecretFile))
	if err != nil {
		return "", fmt.Errorf("extauth: the shared secret cannot be read: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", fmt.Errorf("extauth: %s must hold the shared secret on one line", path)
	}
	return secret, nil
}
