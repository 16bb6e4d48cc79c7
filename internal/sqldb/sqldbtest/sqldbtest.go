// Package sqldbtest gives tests a database of their own.
//
// New takes SQLite, or PostgreSQL if the environment says
// TRUNKLINE_TEST_STORE=postgres: the tests of a package with a store run under
// both. The PostgreSQL is a cluster that the first test to need it starts, one
// for each test process, in a temporary folder; it goes away with the process.
// If TRUNKLINE_TEST_POSTGRES holds the URL of a superuser's database, with a query, the
// databases are made on that server instead, so that many test processes can
// share one: see withpostgres. Each test has its own database, deleted after it.
//
// Nothing here leaves a goroutine behind, and all of it works inside a
// testing/synctest bubble; what New returns does not listen for notifications,
// because waiting for a network keeps a bubble's time from passing.
package sqldbtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
)

// The environment variables that are read.
const (
	StoreVariable    = "TRUNKLINE_TEST_STORE"
	PostgresVariable = "TRUNKLINE_TEST_POSTGRES"
)

// New returns a fresh database with the current schema that goes away with the
// test.
func New(tb testing.TB) *sqldb.DB {
	tb.Helper()
	rawURL := URL(tb)
	if strings.HasPrefix(rawURL, "postgres:") {
		rawURL += "&listen=off"
	}
	db, err := sqldb.Open(tb.Context(), rawURL)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// URL names a fresh database of the kind that New returns, for a program that
// opens it itself. It may have the current schema already.
func URL(tb testing.TB) string {
	tb.Helper()
	switch store := os.Getenv(StoreVariable); store {
	case "", "sqlite":
		return "sqlite:" + filepath.Join(tb.TempDir(), "trunkline.db")
	case "postgres":
		return fresh(tb, template)
	default:
		tb.Fatalf("%s is %q; it is sqlite or postgres", StoreVariable, store)
		return ""
	}
}

// NewPostgres returns the URL of a fresh and empty PostgreSQL database, whose
// user is a superuser.
func NewPostgres(tb testing.TB) (rawURL string) {
	tb.Helper()
	return fresh(tb, func(context.Context, *pgx.Conn, string) (string, error) { return "template0", nil })
}

// cluster is started once in each process.
var cluster struct {
	sync.Mutex
	*Cluster
}

// server returns the URL of the server on which databases are made.
func server() (string, error) {
	if u := os.Getenv(PostgresVariable); u != "" {
		return u, nil
	}
	cluster.Lock()
	defer cluster.Unlock()
	if cluster.Cluster == nil {
		c, err := Launch()
		if err != nil {
			return "", err
		}
		cluster.Cluster = c
	}
	return cluster.URL, nil
}

// fresh makes a database after the template that from names.
func fresh(tb testing.TB, from func(ctx context.Context, conn *pgx.Conn, base string) (string, error)) string {
	tb.Helper()
	base, err := server()
	if err != nil {
		tb.Fatal(err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	err = administer(tb.Context(), base, func(ctx context.Context, conn *pgx.Conn) error {
		source, err := from(ctx, conn, base)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+source)
		return err
	})
	if err != nil {
		tb.Fatal("sqldbtest: ", err)
	}
	tb.Cleanup(func() {
		err := administer(context.WithoutCancel(tb.Context()), base, func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
			return err
		})
		if err != nil {
			tb.Error("sqldbtest: ", err)
		}
	})
	return named(base, name)
}

// template returns a database with the current schema, which it makes if no
// test of any process has yet.
func template(ctx context.Context, conn *pgx.Conn, base string) (string, error) {
	name := fmt.Sprintf("template_%x", sha256.Sum256([]byte(sqldb.Schema(sqldb.Postgres))))[:40]
	// The lock ends with the connection.
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(1)"); err != nil {
		return "", err
	}
	var exists bool
	err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&exists)
	if err != nil || exists {
		return name, err
	}
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+"_making WITH (FORCE)"); err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name+"_making TEMPLATE template0"); err != nil {
		return "", err
	}
	db, err := sqldb.Open(ctx, named(base, name+"_making")+"&listen=off")
	if err != nil {
		return "", err
	}
	if err := db.Close(); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+name+"_making RENAME TO "+name)
	return name, err
}

// administer runs f on a connection of its own.
func administer(ctx context.Context, rawURL string, f func(context.Context, *pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, rawURL)
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, conn), conn.Close(ctx))
}

// named is the URL of another database on the same server.
func named(base, name string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	u.Path = "/" + name
	return u.String()
}
