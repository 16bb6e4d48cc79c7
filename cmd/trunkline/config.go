package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/tokens/backend"
	"github.com/trunkline-chat/trunkline/tokens/mastodondb"
)

// mastodonDBRole is the user of Mastodon's database that the documentation names.
const mastodonDBRole = "trunkline_reader"

func configCommand() command {
	return command{
		name:    "config",
		args:    "example | check [--config FILE] | secret | jwk [--config FILE] | mastodon-db-role",
		summary: "write an example configuration, check one, or make a key",
		text: `  example   print the complete configuration with comments and defaults
  check     read FILE (` + defaultConfig + `) and explain every mistake
            by its key; nothing is started, nothing is changed, and no server
            is asked: whether those are reached, the running service says at
            /readyz of the private listener
  secret    print a new random key, for each key in [secrets]
  jwk       print secrets.jwt_key as the file that ejabberd's jwt_key names
  mastodon-db-role   print the SQL of a user that may read what Trunkline needs
            of Mastodon's database, see docs/mastodon-database.md`,
		run: runConfig,
	}
}

func runConfig(c *call) int {
	if len(c.args) == 0 {
		return c.misused("config needs a word: example, check, secret, jwk or mastodon-db-role")
	}
	word, rest := c.args[0], c.args[1:]
	switch word {
	case "example":
		return c.plain("config example", rest, func() ([]byte, error) {
			var b bytes.Buffer
			err := config.WriteExample(&b)
			return b.Bytes(), err
		})
	case "secret":
		return c.plain("config secret", rest, func() ([]byte, error) {
			key, err := config.NewKey(rand.Reader)
			return []byte(key + "\n"), err
		})
	case "mastodon-db-role":
		return c.plain("config mastodon-db-role", rest, func() ([]byte, error) {
			return []byte(mastodondb.RoleSQL(mastodonDBRole)), nil
		})
	case "check":
		return c.checkConfig(rest)
	case "jwk":
		return c.printJWK(rest)
	}
	return c.misused(fmt.Sprintf("config has no word %q, it has example, check, secret, jwk and mastodon-db-role", word))
}

// plain prints what make returns; the command takes nothing.
func (c *call) plain(cmd string, args []string, make func() ([]byte, error)) int {
	const none = "\x00" // no file is called that
	path := none
	words, ok := c.parse("config", args, func(fs *flag.FlagSet) { fs.StringVar(&path, "config", none, "") })
	switch {
	case !ok:
		return exitUsage
	case path != none:
		return c.misused(cmd + " reads no configuration: write it without --config")
	case len(words) > 0:
		return c.misused(cmd + " takes no arguments")
	}
	out, err := make()
	if err == nil {
		_, err = c.stdout.Write(out)
	}
	if err != nil {
		return c.failed(err)
	}
	return exitOK
}

func (c *call) checkConfig(args []string) int {
	path, words, ok := c.configPath("config", args)
	if !ok {
		return exitUsage
	}
	if len(words) > 0 {
		return c.misused("config check takes the file as --config FILE")
	}
	cfg, ok := c.load(path)
	if !ok {
		return exitFailed
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(c.stderr, w.Error())
	}
	right := "right"
	switch n := len(cfg.Warnings); {
	case n == 1:
		right += ", with 1 warning"
	case n > 1:
		right += fmt.Sprintf(", with %d warnings", n)
	}
	fmt.Fprintf(c.stdout, "The configuration is %s. People chat as NAME@%s at %s.\n", right, cfg.XMPP.Domain, cfg.Server.PublicURL)
	fmt.Fprintf(c.stdout, "No server was asked. Whether the database and the XMPP server are reached, trunkline serve then says: %s\n", askReady(cfg.Server))
	return exitOK
}

// askReady is the command that asks a running service whether it can serve people.
func askReady(s config.Server) string {
	network, address := config.Network(s.PrivateListen)
	switch {
	case network == "unix":
		return "curl --unix-socket " + address + " http://localhost/readyz"
	case s.PrivateTLSCert != "":
		return "https://" + address + "/readyz, to who shows a certificate"
	case strings.HasSuffix(address, ":0"):
		return "/readyz on the private listener, whose port is in its log"
	}
	return "curl http://" + address + "/readyz"
}

// printJWK prints the key of JSON web tokens in the format of RFC 7517.
func (c *call) printJWK(args []string) int {
	path, words, ok := c.configPath("config", args)
	if !ok {
		return exitUsage
	}
	if len(words) > 0 {
		return c.misused("config jwk takes the file as --config FILE")
	}
	cfg, ok := c.load(path)
	if !ok {
		return exitFailed
	}
	if cfg.Secrets.JWTKey.IsZero() {
		return c.failed(errors.New("secrets.jwt_key is not set, so passwords are no JSON web tokens; make one with: trunkline config secret"))
	}
	key, err := cfg.Secrets.JWTKey.Bytes()
	if err != nil {
		return c.failed(err)
	}
	jwk, err := backend.JWK(key)
	if err != nil {
		return c.failed(err)
	}
	fmt.Fprintf(c.stdout, "%s\n", bytes.TrimSpace(jwk))
	return exitOK
}
