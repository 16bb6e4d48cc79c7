// Command withpostgres runs another command, such as go test, so that every
// test in it that wants a store gets PostgreSQL, all on one cluster that lives as
// long as the command:
//
//	go run ./internal/sqldb/sqldbtest/withpostgres go test ./tokens ./webclient
//
// It ends as the command ends.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpostgres:", err)
	}
	os.Exit(code)
}

func run(args []string) (code int, err error) {
	if len(args) == 0 {
		return 2, errors.New("name the command to run")
	}
	cluster, err := sqldbtest.Launch()
	if err != nil {
		return 1, err
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), sqldbtest.StoreVariable+"=postgres", sqldbtest.PostgresVariable+"="+cluster.URL)
	err = cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return max(1, ended.ExitCode()), cluster.Stop()
	}
	if err = errors.Join(err, cluster.Stop()); err != nil {
		return 1, err
	}
	return 0, nil
}
