package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/trunkline-chat/trunkline/tokens/extauth"
)

// checkEjabberd says what is wrong with an ejabberd.yml, and with what it names on
// this machine.
func (c *call) checkEjabberd(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return c.failed(err)
	}
	found, looked, err := extauth.Check(text)
	if err != nil {
		return c.failed(err)
	}
	programs, err := extauth.Programs(text)
	if err != nil {
		return c.failed(err)
	}
	for _, line := range programs {
		wrong, seen := programFiles(line)
		found, looked = append(found, wrong...), append(looked, seen...)
	}
	for _, sentence := range found {
		fmt.Fprintln(c.stdout, "-", sentence)
	}
	fmt.Fprintf(c.stdout, "Looked at in %s:\n", path)
	for _, what := range looked {
		fmt.Fprintln(c.stdout, " ", what)
	}
	if len(found) > 0 {
		return exitFailed
	}
	fmt.Fprintln(c.stdout, "Nothing there stands against Trunkline. Not looked at: TLS, certificates, the other modules, what ejabberd's\n"+
		"user may read, and whether Trunkline answers; the last two are told by: sudo -u ejabberd trunkline extauth --ask NAME@DOMAIN")
	return exitOK
}

// programFiles looks at the files that a line of extauth_program names: the
// program and its secret. It finds only what is wrong whoever runs this: what this
// user may not see is left alone, and so is a line that a shell would change.
func programFiles(line string) (found, looked []string) {
	words := strings.Fields(line)
	if strings.ContainsAny(line, "'\"\\$`*?;|&<>") || len(words) == 0 {
		return nil, nil
	}
	if program := words[0]; filepath.IsAbs(program) {
		looked = append(looked, "the program "+program+" on this machine")
		switch info, err := os.Stat(program); {
		case errors.Is(err, fs.ErrNotExist):
			found = append(found, fmt.Sprintf("extauth_program: there is no %s on this machine, so that nobody could sign in. Install it there, "+
				"or write where it is%s. (Where ejabberd runs on another machine, run this check there.)", program, here()))
		case err == nil && info.IsDir():
			found = append(found, fmt.Sprintf("extauth_program: %s is a folder. Write the path of the program in it", program))
		case err == nil && info.Mode()&0o111 == 0:
			found = append(found, fmt.Sprintf("extauth_program: %s cannot be started. Run: chmod 755 %[1]s", program))
		}
	}
	secret, ok := secretOf(words)
	if !ok {
		return found, looked
	}
	looked = append(looked, "the secret "+secret+" on this machine")
	_, err := readSecretFile(secret)
	switch {
	case err == nil || errors.Is(err, fs.ErrPermission): // ejabberd's user may well read what this one may not
	case errors.Is(err, fs.ErrNotExist):
		found = append(found, fmt.Sprintf("extauth_program: there is no %s on this machine. Run: install -g ejabberd -m 0640 "+
			"/etc/trunkline/extauth_secret %[1]s", secret))
	default:
		found = append(found, fmt.Sprintf("extauth_program: %s; see docs/ejabberd.md for how it is made", strings.TrimPrefix(err.Error(), "extauth: ")))
	}
	return found, looked
}

// here names the program that is running, as a hint.
func here() string {
	if path, err := os.Executable(); err == nil {
		return " (the one that says this is " + path + ")"
	}
	return ""
}

// secretOf is the file that such a line takes the secret from; false where it takes
// none, or is another program's.
func secretOf(words []string) (path string, ok bool) {
	if len(words) < 2 || words[1] != "extauth" {
		return "", false
	}
	var f extauthFlags
	set := flag.NewFlagSet("extauth", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	f.define(set)
	if set.Parse(words[2:]) != nil || f.config != "" || !filepath.IsAbs(f.secretFile) {
		return "", false
	}
	return f.secretFile, true
}
